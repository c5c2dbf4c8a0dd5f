import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { Site } from '../support/holdfast.ts'

const KEYS = new URL('../../scripts/keys.ts', import.meta.url).pathname

/** Runs the command on a site's data directory. */
async function keys(site: Site, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { PATH: process.env['PATH'] ?? '', ...site.environment }
  const running = spawn(process.execPath, [KEYS, ...args], {
    env,
    cwd: site.folder.path,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stdout = ''
  let stderr = ''
  running.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  running.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(running, 'close')) as [number]
  return { code, stdout, stderr }
}

describe('scripts/keys.ts', () => {
  test('makes a key, alone on its line; lists and revokes it; warns of names that are not there', async () => {
    await using site = new Site()
    site.write([{ sku: 'a', price: 1 }])
    assert.equal((await site.once()).code, 0)
    const made = await keys(
      site, 'create', '--name', 'a partner', '--table', 'wares.wares', '--hide', 'wares.wares.price', '--hide', 'wares.wares.prcie', '--force',
      '--filter', 'wares.wares=sku=eq.a', '--rate', '600/1m', '--expires', '90d',
    ) // prettier-ignore
    assert.equal(made.code, 0, made.stderr)
    assert.match(made.stdout, /^hf_[a-z2-9]{8}_[\w-]{43}\n$/)
    assert.match(made.stderr, /no column prcie/)
    assert.doesNotMatch(made.stderr, /no column price|no column sku/)
    const id = made.stdout.slice(3, 11)

    const next = await keys(site, 'create', '--replaces', id, '--overlap', '0s')
    assert.equal(next.code, 0, next.stderr)
    const [first, second] = (await keys(site, 'list', '--json')).stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual([first?.status, second?.status], ['expired', 'live'])
    assert.deepEqual(second?.filters, { 'wares.wares': 'sku=eq.a' })
    assert.deepEqual(second?.rate, { limit: 600, window_seconds: 60 })

    const nextId = next.stdout.slice(3, 11)
    assert.equal((await keys(site, 'revoke', `hf_${nextId}`)).code, 0)
    const { stdout } = await keys(site, 'list')
    assert.match(stdout, new RegExp(`^${nextId}  a partner  revoked  read `, 'm'))
    assert.ok(!stdout.includes(next.stdout.trim().slice(12)))
  })

  test('is refused where a rule names a column that is not there, unless the table is not there yet', async () => {
    await using site = new Site()
    site.write([{ sku: 'a', price: 1 }])
    const early = await keys(site, 'create', '--name', 'early', '--hide', 'wares.wares.prcie')
    assert.equal(early.code, 0, early.stderr)
    assert.match(early.stderr, /no snapshot yet/)
    assert.equal((await site.once()).code, 0)
    for (const rule of [
      ['--hide', 'wares.wares.prcie'],
      ['--filter', 'wares.wares=prcie=eq.1'],
    ]) {
      const { code, stdout, stderr } = await keys(site, 'create', '--name', 'x', ...rule)
      assert.deepEqual([code, stdout], [64, ''])
      assert.match(stderr, /no column prcie\. Did you mean price\?.*--force/)
    }
    assert.equal((await keys(site, 'list', '--json')).stdout.trim().split('\n').length, 1)
  })

  test('says what is wrong, and makes nothing', async () => {
    await using site = new Site()
    site.write([])
    const wrong: [string[], number, RegExp][] = [
      [[], 64, /Usage/],
      [['destroy'], 64, /no command destroy/],
      [['create'], 64, /--name/],
      [['create', '--name', 'x', '--scope', 'write'], 64, /read, sync, admin/],
      [['create', '--name', 'x', '--table', 'wares'], 64, /source\.table/],
      [['create', '--name', 'x', '--rate', 'many'], 64, /a rate, such as/],
      [['create', '--name', 'x', '--filter', 'wares.wares=sku=is.a'], 64, /sku/],
      [['create', '--name', 'x', '--expires', '90'], 64, /90d/],
      [['create', '--replaces', 'nobody22', '--overlap', '24'], 64, /12h/],
      [['revoke'], 64, /the id of one key/],
      [['revoke', 'nobody22'], 1, /no key/],
    ]
    const answers = await Promise.all(wrong.map(async ([args]) => await keys(site, ...args)))
    for (const [index, [args, code, words]] of wrong.entries()) {
      assert.equal(answers[index]?.code, code, args.join(' '))
      assert.match(answers[index]?.stderr ?? '', words)
      assert.equal(answers[index]?.stdout, '')
    }
    assert.match((await keys(site, 'list')).stdout, /No key/)
  })
})
