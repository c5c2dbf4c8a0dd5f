import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Site, until, type Process } from '../support/holdfast.ts'
import { sampleRows } from '../support/rows.ts'

const LIB = JSON.stringify(fileURLToPath(new URL('../../lib/index.ts', import.meta.url)))
const END_MS = 10_000

/** Exit code or signal, and how long it took. */
async function endOf(started: Process, signal: NodeJS.Signals): Promise<number | NodeJS.Signals | 'never'> {
  started.kill(signal)
  let timer: NodeJS.Timeout | undefined
  const never = new Promise<'never'>((resolve) => (timer = setTimeout(() => resolve('never'), END_MS)))
  const end = await Promise.race([started.ended, never])
  clearTimeout(timer)
  return end
}

/** A configuration of these sources, each a file of its own name. */
function configure(site: Site, ids: readonly string[]): Record<string, string> {
  const path = (id: string) => site.folder.file(`${id}.json`)
  const entries = ids.map((id) => `${id}: file({ path: ${JSON.stringify(path(id))}, key: ['sku'], every: 3600 })`)
  const config = site.folder.file('several.config.ts')
  writeFileSync(
    config,
    `import { defineConfig, file } from ${LIB}\nexport default defineConfig({ sources: { ${entries.join(', ')} } })`,
  )
  for (const id of ids) writeFileSync(path(id), '[{"sku":1}]')
  return { HOLDFAST_CONFIG: config }
}

describe('a process that is asked to end', () => {
  test('ends, also while it still begins to follow its sources', async () => {
    await using site = new Site()
    const env = configure(
      site,
      Array.from({ length: 40 }, (_, index) => `s${index}`),
    )
    for (const afterMs of [0, 30, 100]) {
      const server = await site.server(env)
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      assert.equal(await endOf(server, 'SIGTERM'), 0, server.output())
    }
    const worker = site.worker([], env)
    await until(() => /follows its sources/.test(worker.output()), { what: 'the worker to be up' })
    assert.equal(await endOf(worker, 'SIGTERM'), 0, worker.output())
  })

  test('in the midst of --once says so by its code, whatever it was doing, and the run is resumed', async () => {
    await using site = new Site()
    site.write(sampleRows(100_000))
    for (let afterMs = 0; afterMs <= 600; afterMs += 150) {
      const worker = site.worker(['--once'])
      await until(() => /sync (?:started|resumed)/.test(worker.output()), { what: 'the sync', gaveUp: worker.ended })
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      const end = await endOf(worker, 'SIGINT')
      if (end === 0) break
      assert.equal(end, 130, worker.output())
      assert.doesNotMatch(worker.output(), /\n {4}at /)
    }
    const { code } = await site.once()
    assert.equal(code, 0)
  })

  test('twice at once, as by Ctrl-C under npm, drains all the same', async () => {
    await using site = new Site()
    site.write(sampleRows(100_000))
    const worker = site.worker()
    await until(() => /sync started/.test(worker.output()), { what: 'the sync' })
    worker.kill('SIGINT')
    // Signals that are still pending are one.
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(await endOf(worker, 'SIGINT'), 0, worker.output())
    assert.match(worker.output(), /"status":"(?:paused|completed)"/)
  })
})

test('a damaged pointer of one source holds up neither process nor the other sources', async () => {
  await using site = new Site()
  const env = configure(site, ['broken', 'wares'])
  mkdirSync(`${site.dataDir}/sources/broken`, { recursive: true })
  writeFileSync(`${site.dataDir}/sources/broken/active.json`, '{"half')
  const worker = site.worker([], env)
  await until(() => site.pointer(), { what: () => `the publish: ${worker.output()}`, gaveUp: worker.ended })
  assert.equal(await endOf(worker, 'SIGTERM'), 0)
})
