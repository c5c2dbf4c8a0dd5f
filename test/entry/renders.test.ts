import assert from 'node:assert/strict'
import { existsSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import pino from 'pino'
import { loadSettings } from '../../lib/config/load-settings.ts'
import { openDataDirectory } from '../../lib/entry/parts.ts'
import { openSyncing } from '../../lib/entry/syncing.ts'
import { rollback } from '../../lib/sqlite/publish.ts'
import { CODINGS } from '../../lib/snapshot.ts'
import { tempFolder } from '../support/temp.ts'

test('full answers of what was rolled back to are rendered by the next start, where the one before did not come to it', async () => {
  using temp = tempFolder()
  const file = temp.file('wares.json')
  const config = temp.file('holdfast.config.mjs')
  writeFileSync(
    config,
    `export default { sources: { wares: { kind: 'file', options: { path: ${JSON.stringify(file)}, key: ['sku'] } } } }`,
  )
  writeFileSync(file, JSON.stringify([{ sku: 1, name: 'one' }]))
  const env = { DATA_DIR: temp.file('data'), HOLDFAST_CONFIG: config, REFRESH_CRON: 'off' }
  using directory = openDataDirectory(await loadSettings({ env, cwd: temp.path }))
  const log = pino({ level: 'silent' })
  const folder = directory.publisher.folders.get('wares')!
  const until = async (isSo: () => boolean) => {
    for (let looks = 0; looks < 2000 && !isSo(); looks++) await sleep(10)
    assert.ok(isSo())
  }

  {
    const first = await openSyncing(directory, log)
    first.startWork()
    for (const name of ['one', 'two']) {
      writeFileSync(file, JSON.stringify([{ sku: 1, name }]))
      const { run } = await first.engine.request('wares', 'refresh')
      await until(() => directory.control.run(run.id)?.result === 'published')
    }
    await first.drain()
  }
  // As by a process that ends right behind it.
  const lease = await directory.control.lease('wares', 'operator', 30_000)
  const { snapshot } = await rollback(directory.publisher, lease!)
  await directory.control.release(lease!)
  const bodies = () => CODINGS.map((coding) => folder.file(folder.bodyName(snapshot, 0, coding)))
  assert.ok(!bodies().some((path) => existsSync(path)))

  const next = await openSyncing(directory, log)
  await next.startTriggers()
  await until(() => bodies().every((path) => existsSync(path)))
  await next.drain()
})
