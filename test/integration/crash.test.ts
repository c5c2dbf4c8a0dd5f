import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { Site, until, type Process } from '../support/holdfast.ts'
import { seeded, testSeed } from '../support/random.ts'
import { changedRows, digestOf, sampleRows } from '../support/rows.ts'
import { WatchfulReader } from '../support/watchful-reader.ts'

/** `npm run test:crash` kills 200 times. */
const KILLS = Number(process.env.HOLDFAST_KILLS ?? 8)
const LEASE_TTL_MS = 1000
/** From the start of a process to well behind the publish, on a machine that is not slow. */
const KILL_WITHIN_MS = 1300

test(`kill -9 of worker and server at ${KILLS} random moments: always a whole snapshot, and the run is resumed`, async (t) => {
  const seed = testSeed()
  t.diagnostic(`HOLDFAST_SEED=${seed}`)
  const random = seeded(seed)
  await using site = new Site({ env: { LEASE_TTL: String(LEASE_TTL_MS) } })
  let rows = sampleRows(12_000, seed)
  site.write(rows)
  assert.equal((await site.once('wares')).code, 0)
  const observer = await site.server({ SYNC_IN_SERVER: 'false' })
  await using reader = new WatchfulReader(observer)
  reader.know(rows)
  const resumed = new Set<string>()

  for (let round = 1; round <= KILLS; round++) {
    rows = changedRows(rows, 0.05, seed + round)
    const wanted = reader.know(rows)
    site.write(rows)
    const victim = round % 2 === 0 ? 'worker' : 'server'
    // The file was replaced while nobody watched: the process notices as it starts.
    const killed =
      victim === 'worker' ? site.worker() : site.start(new URL('../../server.ts', import.meta.url).pathname)
    const afterMs = random() * KILL_WITHIN_MS
    await new Promise((resolve) => setTimeout(resolve, afterMs))
    killed.kill('SIGKILL')
    await killed.ended

    const answer = (await (await observer.get('/fetch-data')).json()) as { data: unknown[] }
    assert.ok(answer.data.length > 0, `round ${round}, seed ${seed}`)

    const successor: Process = victim === 'worker' ? site.worker() : await site.server()
    if (victim === 'worker')
      await until(() => /follows its sources/.test(successor.output()), { what: 'the worker to be up' })
    await until(() => site.pointer()?.tables[0]?.digest === wanted, {
      what: () =>
        `round ${round} (seed ${seed}, ${victim} killed after ${afterMs.toFixed(0)} ms) to end as an uninterrupted run does: ${successor.output().slice(-3000)}`,
    })
    const { runs } = (await (await observer.get('/api/runs?limit=5')).json()) as {
      runs: { id: string; resumes: number }[]
    }
    for (const run of runs) if (run.resumes > 0) resumed.add(run.id)
    successor.kill('SIGTERM')
    assert.equal(await successor.ended, 0, successor.output())
  }

  t.diagnostic(`${resumed.size} of ${KILLS} kills hit a run, which was then resumed; ${reader.answers} answers checked`)
  assert.equal(site.pointer()?.tables[0]?.digest, digestOf(rows))
  await leavesNothing(site)
})

/** The lease is free, and only what the pointer names is left once the grace time is over. */
async function leavesNothing(site: Site): Promise<void> {
  const folder = `${site.dataDir}/sources/wares`
  const pointer = site.pointer()
  const named = new Set([pointer?.snapshot, pointer?.previous?.snapshot])
  await new Promise((resolve) => setTimeout(resolve, 10_500))
  const { code, output } = await site.once('wares')
  assert.equal(code, 0)
  assert.match(output, /unchanged/)
  const left = readdirSync(folder).filter((name) => name !== 'active.json' && !named.has(name.split('.')[0]))
  assert.deepEqual(left, [])
}
