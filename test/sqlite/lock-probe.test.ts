import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openOwn } from '../../lib/sqlite/database.ts'
import { probeLocks } from '../../lib/sqlite/lock-probe.ts'
import { tempFolder } from '../support/temp.ts'

const PROBE = fileURLToPath(new URL('../../lib/sqlite/lock-probe.ts', import.meta.url))

test('locks hold on a local disk, and the probe leaves nothing behind', async () => {
  using folder = tempFolder()
  assert.equal(await probeLocks(folder.path), true)
  assert.deepEqual(readdirSync(folder.path), [])
})

test('a child that gets a lock which should be held says so', () => {
  using folder = tempFolder()
  const path = folder.file('free.sqlite')
  openOwn(path).exec('CREATE TABLE t (c)').close()
  assert.throws(() => execFileSync(process.execPath, [PROBE, path]), { status: 3 })
})
