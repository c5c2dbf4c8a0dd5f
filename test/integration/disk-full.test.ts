import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { Site, until } from '../support/holdfast.ts'
import { changedRows, digestOf, sampleRows } from '../support/rows.ts'

const VOLUME_MB = 24

/** A small volume of its own, where this machine lets us mount one. */
function mountVolume(path: string): boolean {
  if (process.platform !== 'linux') return false
  mkdirSync(path, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${VOLUME_MB}m`, 'tmpfs', path], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe('a full disk', () => {
  const site = new Site({ env: { LEASE_TTL: '1000' } })
  const rows = sampleRows(20_000)
  let isMounted = false

  before(() => {
    isMounted = mountVolume(site.dataDir)
  })
  after(async () => {
    if (isMounted) execFileSync('umount', ['-l', site.dataDir])
    await site[Symbol.asyncDispose]()
  })

  test('refuses the new snapshot in words, serves the old one, and the next run succeeds once there is room', async (t) => {
    if (!isMounted) {
      assert.ok(process.env.CI === undefined, 'CI can mount a volume of its own, and does not skip this')
      return t.skip('skipped: no volume of its own can be mounted here')
    }
    site.write(rows)
    assert.equal((await site.once('wares')).code, 0)
    const server = await site.server({ SYNC_IN_SERVER: 'false' })
    const published = site.pointer()
    const changed = changedRows(rows, 0.2, 3)
    site.write(changed)

    // Some room is left, so that the run is well on its way when it ends.
    const ballast = `${site.dataDir}/ballast`
    for (const leftMb of [0, 1, 2, 3]) {
      rmSync(ballast, { force: true })
      fill(ballast, leftMb)
      const { code, output } = await site.once('wares')
      assert.notEqual(code, 0, `${leftMb} MB left: ${output}`)
      assert.match(output, /volume full|disk refused/i)
      assert.deepEqual(site.pointer(), published)
      const answer = (await (await server.get('/fetch-data')).json()) as { data: unknown[] }
      assert.equal(digestOf(answer.data), digestOf(rows))
    }

    rmSync(ballast)
    const { code, output } = await site.once('wares')
    assert.equal(code, 0, output)
    assert.equal(site.pointer()?.tables[0]?.digest, digestOf(changed))
    await until(
      async () =>
        ((await (await server.get('/fetch-data')).json()) as { snapshot: string }).snapshot ===
        site.pointer()?.snapshot,
      {
        what: 'the reader to see it',
      },
    )
    assert.deepEqual(
      readdirSync(`${site.dataDir}/sources/wares`).filter((name) => /staged|part/.test(name)),
      [],
    )
  })
})

/** Writes until only `leftMb` are left. */
function fill(path: string, leftMb: number): void {
  const chunk = Buffer.alloc(256 * 1024, 1)
  const reserve = `${path}.reserve`
  writeFileSync(reserve, Buffer.alloc(leftMb * 1024 * 1024, 1))
  try {
    for (;;) writeFileSync(path, chunk, { flag: 'a' })
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC')
  }
  rmSync(reserve)
}
