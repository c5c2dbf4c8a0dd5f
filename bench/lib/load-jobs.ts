import { createHash } from 'node:crypto'
import { statSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, requestBytes, type Answer, type Target } from './connection.ts'
import { subscribe } from './subscribers.ts'
import { FirstFrame } from './first-frame.ts'
import { headerOf } from './response-parser.ts'
import { percentile } from './statistics.ts'

/** What every answer must be; anything else is a failure that is counted. */
export interface Expectation {
  readonly status: number
  /** Exact length of the body. */
  readonly bytes?: number
  /** Stands in the first bytes of the body. */
  readonly contains?: string
}

interface Download {
  readonly status: number
  readonly ms: number
  readonly firstByteMs: number
  readonly bytes: number
  readonly sha256: string | null
  readonly headers: string
}

export interface LoadResult {
  readonly answers: number
  readonly failures: number
  readonly firstFailure: string | null
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** For 99 % of the requests the generator came to it at most so long after their time: its own share of the latency. */
  readonly lateP99: number
}

const STRAGGLERS_MS = 15_000
const MAX_BACKLOG = 20_000
const WATCH_MS = 2

/**
 * Reads a whole answer on each of `readers` new connections at once. With `holdMs` nobody reads on from the first
 * bytes for so long: all answers are under way together.
 */
async function download(options: {
  target: Target
  readers?: number
  holdMs?: number
  hash?: boolean
  saveTo?: string
}): Promise<Download[]> {
  const request = requestBytes(options.target)
  const one = async (): Promise<Download> => {
    const hash = options.hash === true ? createHash('sha256') : undefined
    const kept: Buffer[] = []
    let firstByteMs = 0
    const from = performance.now()
    using connection = await Connection.open(options.target.port)
    const answer = await connection.send(request, (bytes) => {
      if (firstByteMs === 0) {
        firstByteMs = performance.now() - from
        if (options.holdMs !== undefined) {
          connection.pause()
          setTimeout(() => connection.resume(), options.holdMs)
        }
      }
      hash?.update(bytes)
      if (options.saveTo !== undefined) kept.push(Buffer.from(bytes))
    })
    const ms = performance.now() - from
    if (options.saveTo !== undefined) writeFileSync(options.saveTo, Buffer.concat(kept))
    const { status, text } = answer.head
    return { status, ms, firstByteMs, bytes: answer.bytes, sha256: hash?.digest('hex') ?? null, headers: text }
  }
  return Promise.all(Array.from({ length: options.readers ?? 1 }, one))
}

/**
 * As many requests as go through, one at a time on each connection; with `paths` they go to these in turn, each of
 * them as often as the others.
 */
async function closedLoop(options: {
  target: Target
  paths?: readonly string[]
  connections: number
  durationMs: number
  expect: Expectation
}): Promise<LoadResult> {
  const requests = (options.paths ?? [options.target.path]).map((path) => requestBytes({ ...options.target, path }))
  let number = 0
  const tally = new Tally(options.expect)
  const from = performance.now()
  const until = from + options.durationMs
  const client = async () => {
    while (performance.now() < until) {
      try {
        using connection = await Connection.open(options.target.port)
        while (connection.isOpen && performance.now() < until) {
          const sentAt = performance.now()
          const answer = await connection.send(requests[number++ % requests.length] as Buffer)
          tally.count(answer, performance.now() - sentAt)
        }
      } catch (error) {
        tally.fail((error as Error).message)
        await sleep(5)
      }
    }
  }
  await Promise.all(Array.from({ length: options.connections }, client))
  return tally.result(performance.now() - from)
}

/**
 * So many requests a second whatever becomes of them, for a duration or until `signal`. Latency counts from the time
 * a request was due, so a pause of the server costs every request that fell into it.
 */
async function openLoop(
  options: { target: Target; perSecond: number; durationMs: number; connections: number; expect: Expectation },
  signal: AbortSignal,
): Promise<LoadResult> {
  const request = requestBytes(options.target)
  const tally = new Tally(options.expect)
  const backlog: number[] = []
  const underWay = new Set<Promise<void>>()

  const worker = async (connection: Connection | undefined, due: number): Promise<void> => {
    for (let next: number | undefined = due; next !== undefined; next = backlog.shift()) {
      try {
        if (connection?.isOpen !== true) connection = await Connection.open(options.target.port)
        let first: Buffer | undefined
        const answer = await connection.send(request, (bytes) => {
          first ??= Buffer.from(bytes.subarray(0, 300))
        })
        tally.count(answer, performance.now() - next, first)
      } catch (error) {
        tally.fail((error as Error).message)
        connection?.[Symbol.dispose]()
        connection = undefined
      }
    }
    idle.push(connection)
  }

  const idle: (Connection | undefined)[] = []
  for (let count = 0; count < options.connections; count++) idle.push(await Connection.open(options.target.port))
  const from = performance.now()
  const until = from + options.durationMs
  const interval = 1000 / options.perSecond
  for (let due = from; due < until && !signal.aborted; due += interval) {
    while (performance.now() < due) await sleep(Math.min(due - performance.now(), 50))
    tally.sent(performance.now() - due)
    if (idle.length > 0) {
      const work: Promise<void> = worker(idle.shift(), due).finally(() => underWay.delete(work))
      underWay.add(work)
    } else if (backlog.length < MAX_BACKLOG) backlog.push(due)
    else tally.fail('the backlog is full')
  }
  const elapsedMs = performance.now() - from
  const left = await Promise.race([Promise.all(underWay), sleep(STRAGGLERS_MS, 'late', { ref: false })])
  if (left === 'late') tally.fail(`${underWay.size} requests were never answered`)
  for (const connection of idle) connection?.[Symbol.dispose]()
  return tally.result(elapsedMs)
}

/** How long until the first data frame of an event stream is there, whole; the stream is left then. */
async function firstFrame(options: { target: Target }): Promise<{ firstByteMs: number; ms: number; bytes: number }> {
  const from = performance.now()
  using connection = await Connection.open(options.target.port)
  const frame = new FirstFrame()
  let firstByteMs = 0
  let bytes = 0
  return await new Promise((resolve, reject) => {
    connection
      .send(requestBytes(options.target), (chunk) => {
        if (firstByteMs === 0) firstByteMs = performance.now() - from
        bytes += chunk.length
        if (frame.push(chunk)) resolve({ firstByteMs, ms: performance.now() - from, bytes })
      })
      .then((answer) => reject(new Error(`the stream ended with status ${answer.head.status} before a frame`)), reject)
  })
}

/**
 * Looks at a pointer file and asks for its snapshot, both every few milliseconds, until the snapshot is a new one. Gives
 * the milliseconds between the last look that saw the old pointer and the answer with the new snapshot.
 */
async function watchPointer(
  options: { pointerFile: string; target: Target; timeoutMs: number },
  signal: AbortSignal,
): Promise<{ delayMs: number }> {
  using connection = await Connection.open(options.target.port)
  const request = requestBytes({ ...options.target, method: 'HEAD' })
  const served = async () => {
    const { head } = await connection.send(request)
    const snapshot = headerOf(head, 'snapshot-id')
    if (head.status !== 200 || snapshot === undefined)
      throw new Error(`status ${head.status}, snapshot ${snapshot} while watching`)
    return snapshot
  }
  const pointer = statSync(options.pointerFile).ino
  const snapshot = await served()
  const giveUpAt = performance.now() + options.timeoutMs
  for (let lastOld = performance.now(); performance.now() < giveUpAt && !signal.aborted; await sleep(WATCH_MS)) {
    const lookedAt = performance.now()
    if (statSync(options.pointerFile).ino === pointer) lastOld = lookedAt
    if ((await served()) !== snapshot) return { delayMs: performance.now() - lastOld }
  }
  throw new Error(`saw no publish in ${options.timeoutMs} ms`)
}

class Tally {
  readonly #expect: Expectation
  readonly #latencies: number[] = []
  readonly #late: number[] = []
  #failures = 0
  #firstFailure: string | null = null

  constructor(expect: Expectation) {
    this.#expect = expect
  }

  sent(lateMs: number): void {
    this.#late.push(lateMs)
  }

  count(answer: Answer, ms: number, first?: Buffer): void {
    this.#latencies.push(ms)
    const { status, bytes, contains } = this.#expect
    if (answer.head.status !== status) this.fail(`status ${answer.head.status} instead of ${status}`)
    else if (bytes !== undefined && answer.bytes !== bytes) this.fail(`${answer.bytes} bytes instead of ${bytes}`)
    else if (contains !== undefined && first?.includes(contains) !== true)
      this.fail(`no ${contains} in ${String(first)}`)
  }

  fail(reason: string): void {
    this.#failures++
    this.#firstFailure ??= reason
  }

  result(elapsedMs: number): LoadResult {
    return {
      answers: this.#latencies.length,
      failures: this.#failures,
      firstFailure: this.#firstFailure,
      perSecond: (this.#latencies.length / elapsedMs) * 1000,
      p50: percentile(this.#latencies, 0.5),
      p99: percentile(this.#latencies, 0.99),
      max: percentile(this.#latencies, 1),
      lateP99: percentile(this.#late, 0.99),
    }
  }
}

export const jobs = { download, closedLoop, openLoop, firstFrame, watchPointer, subscribe }
export type Jobs = typeof jobs
