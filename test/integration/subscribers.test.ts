import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Site, until, type Server } from '../support/holdfast.ts'
import { seeded, testSeed } from '../support/random.ts'
import { servingPids } from '../support/serving-processes.ts'
import { Subscriber, type Told } from '../support/subscriber.ts'

/** `npm run test:soak` has 5000 of them for ten minutes. */
const SUBSCRIBERS = Number(process.env.HOLDFAST_SUBSCRIBERS ?? 150)
const SOAK_MS = Number(process.env.HOLDFAST_SOAK_SECONDS ?? 3) * 1000
/** In a soak, so long from one publish to the next. */
const BREAK_MS = SOAK_MS > 60_000 ? 2000 : 0
const LEAST_PUBLISHES = 8
/** After which the buffers of whoever does not read are full, the system's included. */
const MOST_PUBLISHES = 60
const STALLED = 6
/** From those that do not read, others are made after so many publishes. */
const STALLED_PUBLISHES = 20
/** So many of all are cut during each publish, and go on from where they were. */
const CUT_SHARE = 0.02
const OPENING = 100
const SAMPLES = 20
/**
 * What both processes may have more at the end than after a quarter of the time: their young generations may still
 * grow by as much. In a soak it is about 100 bytes for each batch that each subscriber had.
 */
const MAX_GROWTH_BYTES = 64e6
const FILES = SUBSCRIBERS + 300

/** A row of some kB that everybody follows, and two fat ones that fill the buffers of those who do not read. */
function wares(version: number): unknown[] {
  const text = `${version} `
  return [
    { sku: 'pulse', version, text: text.repeat(1200) },
    ...[1, 2].map((n) => ({ sku: `fat-${n}`, version, text: text.repeat(500_000 / text.length) })),
  ]
}

interface Place {
  /** How many it had. */
  next: number
  openedAt: number
  take(id: string, told: Told): void
}

/** Every batch in order, as the first subscriber had it that came so far; all others must have had the same. */
class Sequence {
  readonly ids: string[] = []
  readonly wrong: string[] = []
  /** For each batch, from its publish to its being read by the last one that was connected all the time. */
  readonly lastMs: number[] = []

  /** One subscriber's place in it. */
  follow(): Place {
    const { ids, wrong, lastMs } = this
    return {
      next: 0,
      openedAt: Infinity,
      take(id, { type, at = '', changes = [] }) {
        if (type === 'position') return
        if (Date.parse(at) > this.openedAt)
          lastMs[this.next] = Math.max(lastMs[this.next] ?? 0, Date.now() - Date.parse(at))
        const expected = ids[this.next]
        const version = changes.find(({ key }) => key === 'pulse')?.row?.version
        if (expected === undefined && id > (ids.at(-1) ?? '')) ids.push(id)
        else if (id !== expected) wrong.push(`batch ${this.next} is ${id}, not ${expected}`)
        this.next++
        if (type !== 'batch' || version !== this.next) wrong.push(`${type} ${this.next} has version ${String(version)}`)
      },
    }
  }
}

test(`${SUBSCRIBERS} subscribers have every batch once and in order, whoever is cut off or does not read`, async (t) => {
  const limit = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1])
  if (limit < FILES) return t.skip(`no more than ${limit} files may be open, and ${FILES} are needed: see ulimit -n`)
  const seed = testSeed()
  t.diagnostic(`HOLDFAST_SEED=${seed}`)
  const random = seeded(seed)

  await using site = new Site({ env: { WEB_CONCURRENCY: '2', CHANGE_LOG_MAX_BYTES: '16MiB' } })
  site.write(wares(0))
  assert.equal((await site.once('wares')).code, 0)
  const server = await site.server()
  assert.equal(await openStreams(server), 0)
  const sequence = new Sequence()
  const ends: string[] = []
  const onEnd = (reason: string) => ends.push(reason)

  // A few take everything; the others what changes of one row.
  const readers = Array.from({ length: SUBSCRIBERS }, (_, index) => {
    const place = sequence.follow()
    const path = index < 4 ? '/api/changes?source=wares' : '/api/changes?source=wares&key=pulse'
    const subscriber = new Subscriber({ server, path, onFrame: (id, told) => place.take(id, told), onEnd })
    const open = async () => {
      await subscriber.open()
      place.openedAt = Date.now()
    }
    return { place, subscriber, open }
  })
  for (let opened = 0; opened < readers.length; opened += OPENING)
    await Promise.all(readers.slice(opened, opened + OPENING).map(({ open }) => open()))
  assert.deepEqual(ends, [])
  assert.equal(new Set(readers.map(({ subscriber }) => subscriber.process)).size, 2, 'both processes have some')

  const stall = () =>
    Array.from({ length: STALLED }, () => {
      const subscriber = new Subscriber({
        server,
        path: '/api/changes?source=wares',
        onFrame: () => subscriber.stopReading(),
        onEnd: () => {},
      })
      void subscriber.open()
      return subscriber
    })
  let stalled = stall()
  const away = new Set<Place>()
  let cuts = 0
  const cutOff = async ({ place, subscriber, open }: (typeof readers)[number]) => {
    away.add(place)
    await sleep(random() * (BREAK_MS + 200))
    subscriber.cut()
    place.openedAt = Infinity
    cuts++
    if (random() < 0.5) await sleep(random() * 2 * (BREAK_MS + 200))
    await open()
    away.delete(place)
  }

  const published: string[] = []
  const memory: number[] = []
  const pids = await until(() => pidsOf(server), { what: 'two serving processes' })
  const startedAt = performance.now()
  for (;;) {
    const passed = (performance.now() - startedAt) / SOAK_MS
    if (passed >= 1 && published.length >= LEAST_PUBLISHES) break
    if (passed * SAMPLES >= memory.length) memory.push(ownBytes(pids))
    for (const reader of readers) if (random() < CUT_SHARE && !away.has(reader.place)) void cutOff(reader)
    published.push(await publish(site, server, published.length + 1))
    await sleep(BREAK_MS)
    if (published.length % STALLED_PUBLISHES > 0) continue
    for (const subscriber of stalled) subscriber.cut()
    stalled = stall()
  }
  await until(() => away.size === 0, {
    what: () => `${away.size} that were cut off to come back`,
    gaveUp: server.ended,
  })

  // Some of those who do not read have been let go by now, and the others will be.
  for (let more = 0; (await openStreams(server)) > SUBSCRIBERS; more++) {
    assert.ok(more < MOST_PUBLISHES, 'those who do not read are not let go')
    published.push(await publish(site, server, published.length + 1))
  }
  const hasFailed = () => sequence.wrong.length + ends.length > 0
  await until(() => readers.every(({ place }) => place.next >= published.length) || hasFailed(), {
    what: () => `all batches; ${readers.filter(({ place }) => place.next < published.length).length} lack some`,
    gaveUp: server.ended,
  })
  const slow = sequence.lastMs.toSorted((a, b) => a - b)
  t.diagnostic(`${published.length} publishes, ${cuts} cuts`)
  t.diagnostic(`with the last reader after ${slow[slow.length >> 1]} ms (median), ${slow.at(-1)} ms (slowest)`)
  t.diagnostic(`memory ${memory.map((bytes) => Math.round(bytes / 1e6)).join(', ')} MB`)
  assert.deepEqual(sequence.wrong.slice(0, 5), [])
  assert.deepEqual(ends, [], 'nobody who reads is let go')
  assert.deepEqual(
    sequence.ids.map((id) => id.split('-')[1]),
    published,
  )
  for (const { place } of readers) assert.equal(place.next, published.length)
  const [warm, end] = [memory[Math.floor(memory.length / 4)]!, ownBytes(pids)]
  assert.ok(end - warm < MAX_GROWTH_BYTES, `from ${warm} to ${end} bytes`)
})

/** Publishes a version; its watermark. */
async function publish(site: Site, server: Server, version: number): Promise<string> {
  const before = site.pointer()?.snapshot
  site.write(wares(version))
  return await until(
    async () => {
      // It may join the run before, which had read the file already and was about to end.
      const response = await server.post('/refresh')
      assert.equal(response.status, 202)
      const run = response.headers.get('location')!
      await until(async () => ((await (await server.get(run)).json()) as { finished_at: unknown }).finished_at, {
        what: `the end of ${run}`,
      })
      const pointer = site.pointer()
      return pointer?.snapshot === before ? undefined : pointer?.watermark
    },
    { what: () => `publish ${version}: ${server.output()}`, gaveUp: server.ended },
  )
}

/** Over both processes; each tells of its own. */
async function openStreams(server: Server): Promise<number> {
  const counts = new Map<string, number>()
  await until(
    async () => {
      const text = await (await server.get('/metrics', { Connection: 'close' })).text()
      const [, process, count] = /^holdfast_stream_clients\{process="(\d)"\} (\d+)$/m.exec(text)!
      counts.set(process!, Number(count))
      return counts.size === 2
    },
    { what: 'figures of both processes' },
  )
  return [...counts.values()].reduce((sum, count) => sum + count, 0)
}

function pidsOf(server: Server): number[] | undefined {
  try {
    const pids = servingPids(server)
    return pids.length === 2 ? pids : undefined
  } catch {
    // A thread ended while they were looked for.
    return undefined
  }
}

/** What these have in memory of their own; files that they map are not counted. */
function ownBytes(pids: readonly number[]): number {
  return pids
    .map((pid) => Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024)
    .reduce((sum, bytes) => sum + bytes, 0)
}
