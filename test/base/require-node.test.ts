import assert from 'node:assert/strict'
import { execFileSync, spawnSync, type SpawnSyncReturns } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const ENTRIES = ['server.ts', 'sync-worker.ts']
const { engines, ...manifest } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  engines: { node: string }
  type?: string
}
const needed = engines.node.replace('>=', '')

const folder = mkdtempSync(join(tmpdir(), 'holdfast-node-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** Runs an entry as a Node of that version would: it says so, and strips no types. */
function startAs(version: string, entry: string) {
  const pretend = join(folder, `${version}.cjs`)
  writeFileSync(
    pretend,
    `Object.defineProperty(process.versions, 'node', { value: '${version}' })
     Object.defineProperty(process, 'version', { value: 'v${version}' })`,
  )
  const args = ['--no-strip-types', '--require', pretend, join(ROOT, entry)]
  return spawnSync(process.execPath, args, { encoding: 'utf8', cwd: folder, timeout: 30_000 })
}

/** Some other Node of this machine that is too old, if it has one. */
function olderNode(): string | undefined {
  const candidates = (process.env['PATH'] ?? '').split(delimiter).map((path) => join(path, 'node'))
  return candidates
    .filter((path) => existsSync(path))
    .find((path) => {
      const [major, minor] = execFileSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8' })
        .split('.')
        .map(Number)
      const [neededMajor = 0, neededMinor = 0] = needed.split('.').map(Number)
      return major! < neededMajor || (major === neededMajor && minor! < neededMinor)
    })
}

describe('an entry file on a Node that is too old', () => {
  for (const entry of ENTRIES) {
    for (const version of ['18.20.4', '20.20.2', '22.12.0', '24.14.9']) {
      test(`${entry} on ${version} says so in one line and ends with 78`, () => {
        const { status, stdout, stderr } = startAs(version, entry)
        assert.equal(status, 78)
        assert.equal(stdout, '')
        assert.match(stderr, new RegExp(`^Holdfast needs Node\\.js ${needed} or newer; this is v${version}\\..*\\n$`))
      })
    }

    test(`${entry} is JavaScript that such a Node can parse, as a CommonJS module`, () => {
      assert.equal(manifest.type, undefined, '"type": "module" makes an old Node refuse the file before reading it')
      assert.ok(new Script(readFileSync(join(ROOT, entry), 'utf8')))
    })
  }

  // What a version is made to say above, a real one says too, where the machine has one.
  const old = olderNode()
  if (old !== undefined) {
    test(`${old} itself does`, () => {
      for (const entry of ENTRIES) {
        const ended: SpawnSyncReturns<string> = spawnSync(old, [join(ROOT, entry)], { encoding: 'utf8', cwd: folder })
        assert.equal(ended.status, 78)
        assert.match(ended.stderr, /^Holdfast needs Node\.js .*\n$/)
      }
    })
  }
})

describe('a Node that is new enough', () => {
  for (const version of [needed, '25.0.0', '26.1.0', '100.0.0']) {
    test(`${version} passes`, () => {
      const script = `Object.defineProperty(process.versions, 'node', { value: '${version}.0'.split('.').slice(0, 3).join('.') }); require(${JSON.stringify(join(ROOT, 'lib/base/require-node.cjs'))})`
      assert.equal(spawnSync(process.execPath, ['-e', script]).status, 0)
    })
  }
})
