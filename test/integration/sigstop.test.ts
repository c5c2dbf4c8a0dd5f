import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Site, until } from '../support/holdfast.ts'
import { changedRows, digestOf, sampleRows } from '../support/rows.ts'

const HOLDER = fileURLToPath(new URL('../support/stopping-holder.ts', import.meta.url))
const LEASE_TTL_MS = 1500

/** Every labelled step of a run, in its order; the last four are inside of the control lock. */
const STEPS: readonly { step: string; count?: number; isInLock?: boolean; hasPublished?: boolean }[] = [
  { step: 'page' },
  { step: 'page', count: 3 },
  { step: 'render:sync-body' },
  { step: 'render:rename-body', count: 4 },
  { step: 'stage:sync-file' },
  { step: 'publish:rename', isInLock: true },
  { step: 'publish:sync-name', isInLock: true },
  { step: 'publish:replace-pointer', isInLock: true },
  { step: 'publish:sync-folder', isInLock: true, hasPublished: true },
]

describe('a holder stopped past its lease cannot publish, and a successor takes over', () => {
  for (const { step, count = 1, isInLock = false, hasPublished = false } of STEPS) {
    test(
      `stopped at ${step}${count > 1 ? ` for the ${count}th time` : ''}`,
      { skip: isInLock && process.platform !== 'linux' },
      async (t) => {
        await using site = new Site({ env: { LEASE_TTL: String(LEASE_TTL_MS) } })
        const first = sampleRows(20_000)
        site.write(first)
        assert.equal((await site.once('wares')).code, 0)
        const before = site.pointer()
        const second = changedRows(first, 0.1, 5)
        site.write(second)

        const holder = site.start(HOLDER, [step, String(count)])
        await until(() => /stopped at/.test(holder.output()), {
          what: () => `the holder to stop: ${holder.output()}`,
          gaveUp: holder.ended,
        })
        if (!hasPublished) assert.equal(site.pointer()?.snapshot, before?.snapshot)

        // What a reader has seen published stays as it is from here on.
        const third = changedRows(second, 0.1, 6)
        site.write(third)
        const stoppedAt = performance.now()
        const successor = site.worker()
        await until(() => /sync (?:started|resumed)/.test(successor.output()), {
          what: () => `a successor: ${successor.output()}`,
        })
        const tookMs = performance.now() - stoppedAt
        t.diagnostic(
          `taken over ${tookMs.toFixed(0)} ms after the stop, with a lease of ${LEASE_TTL_MS} ms and the start of a process in it`,
        )
        await until(() => site.pointer()?.tables[0]?.digest === digestOf(third), {
          what: () => `its publish: ${successor.output()}`,
        })
        const published = fingerprint(site)

        holder.kill('SIGCONT')
        const end = await holder.ended
        if (isInLock) assert.equal(end, 'SIGKILL')
        else assert.match(holder.output(), /refused lease_lost/)
        assert.deepEqual(fingerprint(site), published)
        assert.ok(tookMs < LEASE_TTL_MS + 1000 + STARTING_MS, `the successor took over after ${tookMs.toFixed(0)} ms`)
      },
    )
  }
})

/** What a process needs to come up on a slow machine: the promise is about the time behind that. */
const STARTING_MS = 5000

/** The pointer and every byte of what it names. */
function fingerprint(site: Site): Record<string, string> {
  const folder = `${site.dataDir}/sources/wares`
  const pointer = site.pointer()
  const names = readdirSync(folder).filter(
    (name) => name === 'active.json' || name.startsWith(pointer?.snapshot ?? '?'),
  )
  return Object.fromEntries(
    names.toSorted().map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(`${folder}/${name}`))
        .digest('hex'),
    ]),
  )
}
