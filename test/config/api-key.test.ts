import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { ensureApiKey } from '../../lib/config/api-key.ts'
import { Failure } from '../../lib/errors.ts'

const root = mkdtempSync(join(tmpdir(), 'holdfast-key-'))
after(() => rmSync(root, { recursive: true, force: true }))

describe('the key of the data directory', () => {
  test('is made once, for its owner only, and found again', () => {
    const dataDir = join(root, 'new', 'data')
    const first = ensureApiKey(dataDir)

    assert.match(first.key, /^hf_[\w-]{43}$/)
    assert.equal(first.created, true)
    assert.equal(statSync(join(dataDir, 'api-key')).mode & 0o777, 0o600)
    assert.equal(readFileSync(join(dataDir, 'api-key'), 'utf8'), `${first.key}\n`)
    assert.deepEqual(readdirSync(dataDir), ['api-key'])
    assert.deepEqual(ensureApiKey(dataDir), { key: first.key, created: false })
  })

  test('is one key, made by one, when processes start together', async () => {
    const dataDir = join(root, 'race')
    const script = `import { ensureApiKey } from './lib/config/api-key.ts'
      console.log(JSON.stringify(ensureApiKey(${JSON.stringify(dataDir)})))`
    const starts = Array.from({ length: 8 }, () =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]),
    )
    const answers = (await Promise.all(starts)).map(
      ({ stdout }) => JSON.parse(stdout) as { key: string; created: boolean },
    )

    assert.equal(new Set(answers.map(({ key }) => key)).size, 1)
    assert.equal(answers.filter(({ created }) => created).length, 1)
    assert.deepEqual(readdirSync(dataDir), ['api-key'])
  })

  test('a file that holds no key is refused, not replaced', () => {
    const dataDir = mkdtempSync(join(root, 'odd-'))
    writeFileSync(join(dataDir, 'api-key'), '\n')
    assert.throws(
      () => ensureApiKey(dataDir),
      (error) => error instanceof Failure && error.code === 'config_invalid',
    )
  })

  test('a data directory that cannot be written says so', () => {
    const file = join(root, 'file')
    writeFileSync(file, '')
    assert.throws(
      () => ensureApiKey(join(file, 'data')),
      (error) => error instanceof Failure && error.code === 'disk_failed',
    )
  })
})
