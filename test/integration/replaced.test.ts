import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Site, until, type Process } from '../support/holdfast.ts'
import { changedRows, digestOf, sampleRows } from '../support/rows.ts'

const FORMATS = [
  { input: 'wares.json', write: (rows: readonly object[]) => JSON.stringify(rows) },
  { input: 'wares.ndjson', write: (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('') },
] as const

describe('a file that is replaced while it is being read is never mixed with the old one', () => {
  for (const format of FORMATS) {
    test(`${format.input}: replaced after a kill in the midst of the pull`, async () => {
      await using site = new Site({ input: format.input, env: { LEASE_TTL: '1000' } })
      const first = sampleRows(60_000)
      const second = changedRows(first, 0.5, 2)
      site.write(format.write(first))

      await killedWhilePulling(site)
      assert.equal(site.pointer(), undefined)

      site.write(format.write(second))
      const { code, output } = await site.once('wares')
      assert.equal(code, 0, output)
      assert.equal(site.pointer()?.tables[0]?.digest, digestOf(second))
    })
  }

  test('killed in the midst of the pull and not replaced: the run goes on from its checkpoint', async () => {
    await using site = new Site({ env: { LEASE_TTL: '1000' } })
    const rows = sampleRows(60_000)
    site.write(rows)
    await killedWhilePulling(site)

    const { code, output } = await site.once('wares')
    assert.equal(code, 0)
    assert.match(output, /sync resumed/)
    assert.equal(site.pointer()?.tables[0]?.digest, digestOf(rows))
  })

  test('renamed over while it is read: one version, then the next', async () => {
    await using site = new Site()
    const versions = Array.from({ length: 6 }, (_, index) => changedRows(sampleRows(20_000), 0.3, index + 1))
    const digests = versions.map((rows) => digestOf(rows))
    site.write(versions[0])
    const worker = site.worker()
    const seen = new Set<string>()
    const look = () => void (site.pointer() && seen.add(site.pointer()?.tables[0]?.digest ?? ''))
    for (const rows of versions) {
      site.write(rows)
      const lookUntil = performance.now() + 150
      while (performance.now() < lookUntil) {
        look()
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
    await until(() => (look(), seen.has(digests.at(-1) ?? '')), { what: () => `the last version: ${worker.output()}` })
    assert.ok([...seen].every((digest) => digests.includes(digest)))
  })

  test('written over in place while it is read: the pull begins again, and only whole versions are published', async () => {
    await using site = new Site()
    const versions = Array.from({ length: 5 }, (_, index) => changedRows(sampleRows(20_000), 0.3, index + 1))
    const digests = versions.map((rows) => digestOf(rows))
    site.write(versions[0])
    const worker = site.worker()
    const seen = new Set<string>()
    for (const rows of versions) {
      writeFileSync(site.input, JSON.stringify(rows))
      await new Promise((resolve) => setTimeout(resolve, 200))
      if (site.pointer()) seen.add(site.pointer()?.tables[0]?.digest ?? '')
    }
    await until(() => site.pointer()?.tables[0]?.digest === digests.at(-1), {
      what: () => `the last version: ${worker.output()}`,
    })
    assert.ok([...seen].every((digest) => digests.includes(digest)))
  })
})

const HOLDER = fileURLToPath(new URL('../support/stopping-holder.ts', import.meta.url))

/** A process that stops itself behind its third page, wherever the machine is by then, and is killed there. */
async function killedWhilePulling(site: Site): Promise<void> {
  const holder: Process = site.start(HOLDER, ['page', '3'])
  await until(() => /stopped at page/.test(holder.output()), {
    what: () => `the third page: ${holder.output()}`,
    gaveUp: holder.ended,
  })
  holder.kill('SIGKILL')
  assert.equal(await holder.ended, 'SIGKILL')
}
