import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib'
import { systemClock } from '../../lib/base/clock.ts'
import type { Column } from '../../lib/column.ts'
import type { Engine } from '../../lib/engine.ts'
import { Failure } from '../../lib/errors.ts'
import { createHttp, type HttpParts } from '../../lib/http/server.ts'
import { environmentKeys } from '../../lib/http/keys.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { SqliteKeyStore } from '../../lib/sqlite/key-store.ts'
import { SqliteMirroredFiles } from '../../lib/sqlite/mirrored-files.ts'
import { SqliteTicketStore } from '../../lib/sqlite/ticket-store.ts'
import { rowToJson } from '../../lib/row-json.ts'
import {
  ENVELOPE_END,
  envelopeStart,
  type Coding,
  type MountedSnapshot,
  type Pointer,
  type Snapshots,
  type TableInfo,
} from '../../lib/snapshot.ts'
import { isActive, NOTHING_TOLD, type Run, type SourceRecord, type Trigger } from '../../lib/sync-run.ts'
import { encodeWatermark } from '../../lib/watermark.ts'
import { FakeChangeLog } from './fake-change-log.ts'

export const KEY = 'a-key-for-tests-0123456789abcdef'
export const AUTH = { 'X-API-Key': KEY }

export interface FakeTable {
  readonly name: string
  readonly columns: readonly Column[]
  readonly rows: readonly unknown[][]
}

export const CITY_COLUMNS: readonly Column[] = [
  { name: 'id', type: 'integer' },
  { name: 'name', type: 'text' },
  { name: 'country', type: 'text' },
]

export function cities(count: number, suffix = ''): FakeTable {
  const rows = Array.from({ length: count }, (_, index) => [
    index + 1,
    `city ${index + 1}${suffix}`,
    index % 3 ? 'CH' : null,
  ])
  return { name: 'cities', columns: CITY_COLUMNS, rows }
}

/** Snapshots in memory, their bodies as real files. */
export class FakeSnapshots implements Snapshots {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-http-'))
  readonly #mounted = new Map<string, MountedSnapshot>()
  readonly #listeners = new Set<(source: string, pointer: Pointer) => void>()
  #number = 0
  pins = 0
  readonly reads: { from: number; to: number }[] = []

  active(source: string): MountedSnapshot | undefined {
    return this.#mounted.get(source)
  }

  find(source: string, snapshot: string): MountedSnapshot | undefined {
    const active = this.active(source)
    return active?.pointer.snapshot === snapshot ? active : undefined
  }

  onPublish(listener: (source: string, pointer: Pointer) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  tellReading(): void {}

  lastReading(): undefined {}

  get listeners(): number {
    return this.#listeners.size
  }

  publish(
    source: string,
    tables: readonly FakeTable[],
    options: { rendered?: readonly Coding[]; publishedAt?: number } = {},
  ): Pointer {
    const number = ++this.#number
    const snapshot = `s${number}`
    const publishedAt = options.publishedAt ?? Date.now()
    const bodies = new Map<string, string>()
    const infos = tables.map((table): TableInfo => {
      const body = renderBody(source, snapshot, publishedAt, table)
      for (const coding of options.rendered ?? ['identity', 'zstd', 'br', 'gzip']) {
        const file = join(this.folder, `${source}-${snapshot}-${table.name}.${coding}`)
        writeFileSync(file, ENCODE[coding](body))
        bodies.set(`${table.name}/${coding}`, file)
      }
      const digest = hash('sha256', body, 'hex')
      return {
        name: table.name,
        rows: table.rows.length,
        key: ['id'],
        columns: table.columns,
        digest,
        bodyBytes: body.length,
        indexes: [],
        search: [],
        times: { created: null, modified: null },
      }
    })
    const pointer: Pointer = {
      format: 1, source, snapshot, file: `${snapshot}.sqlite`, previous: null, watermark: encodeWatermark(number), batch: 1,
      logFrom: encodeWatermark(number), isRolledBack: false,
      digest: hash('sha256', infos.map(({ digest }) => digest).join(), 'hex'), identity: snapshot, shape: 'x', tables: infos,
      publishedAt, checkedAt: publishedAt, generation: 1, run: `run-${number}`,
    } // prettier-ignore
    this.#mounted.set(source, {
      pointer,
      table: (name) => infos.find((info) => info.name === name),
      reader: (tableName, columns) => {
        const table = tables.find((candidate) => candidate.name === tableName)!
        const places = columns.map((column) => table.columns.findIndex((candidate) => candidate.name === column.name))
        return {
          rows: (from, to) => {
            if (!(from >= 1 && to >= from && to - from < 10_000))
              throw new Error(`a read that is not bounded: ${from} to ${to}`)
            this.reads.push({ from, to })
            return table.rows.slice(from - 1, to).map((row) => places.map((place) => row[place]))
          },
        }
      },
      origin: () => undefined,
      fileReferences: () => [],
      record: () => {
        throw new Error('this fake holds no records: use a real snapshot')
      },
      query: () => Promise.reject(new Error('this fake answers no queries: use a real snapshot')),
      exportFile: () => Promise.reject(new Error('this fake makes no exports: use a real snapshot')),
      fileSizes: () => Promise.resolve({ snapshot: 4096, previous: 0, bodies: 0, exports: 0 }),
      bodyFile: (table, coding) => bodies.get(`${table}/${coding}`),
      pin: () => {
        this.pins++
        return { [Symbol.dispose]: () => void this.pins-- }
      },
    })
    for (const listener of this.#listeners) listener(source, pointer)
    return pointer
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export function renderBody(source: string, snapshot: string, publishedAt: number, table: FakeTable): Buffer {
  const start = envelopeStart({ source, snapshot, publishedAt, count: table.rows.length })
  return Buffer.from(start + table.rows.map(rowToJson(table.columns)).join(',') + ENVELOPE_END)
}

const ENCODE: Record<Coding, (body: Buffer) => Buffer> = {
  identity: (body) => body,
  zstd: (body) => zstdCompressSync(body),
  br: (body) => brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
  gzip: (body) => gzipSync(body, { level: 1 }),
}

/** An engine whose runs do what the test says. */
export class FakeEngine implements Engine {
  readonly #records = new Map<string, SourceRecord>()
  readonly #runs = new Map<string, Run>()
  readonly #listeners = new Set<() => void>()
  readonly requests: { source: string; trigger: Trigger }[] = []
  #number = 0
  watchers = 0
  sourceCalls = 0

  constructor(sources: readonly string[]) {
    for (const source of sources)
      this.#records.set(source, {
        source,
        state: { state: 'IDLE' },
        run: null,
        checkedAt: null,
        nextRunAt: null,
        told: NOTHING_TOLD,
      })
  }

  async request(source: string, trigger: Trigger): Promise<{ run: Run; joined: boolean }> {
    this.requests.push({ source, trigger })
    const record = this.source(source)
    if (record.state.state === 'PAUSED' && trigger !== 'start') {
      throw new Failure('source_paused', `The source ${source} is paused (${record.state.reason}).`, {
        facts: { source },
      })
    }
    if (record.run && isActive(record.run)) return { run: record.run, joined: true }
    return { run: this.begin(source, trigger), joined: false }
  }

  async stop(source: string): Promise<SourceRecord> {
    const { run } = this.source(source)
    if (run && isActive(run))
      this.update(source, { status: 'paused' }, { state: { state: 'PAUSED', reason: 'stopped' } })
    return this.source(source)
  }

  async reset(source: string): Promise<SourceRecord> {
    const { run } = this.source(source)
    if (run && isActive(run)) throw new Failure('run_active', `The run ${run.id} is active; stop it first.`)
    this.set(source, { state: { state: 'IDLE' } })
    return this.source(source)
  }

  async rollback(source: string): Promise<{ snapshot: string }> {
    throw new Failure('no_previous_snapshot', `The source ${source} has published once only.`)
  }

  async publish(source: string, run?: string): Promise<{ run: Run }> {
    if (run === 'rejected-run') return { run: this.begin(source) }
    throw new Failure('nothing_to_publish', `The source ${source} has no rejected run.`)
  }

  source(id: string): SourceRecord {
    this.sourceCalls++
    return this.#records.get(id)!
  }

  run(id: string): Run | undefined {
    return this.#runs.get(id)
  }

  runs({ source, limit, before }: { source?: string; limit: number; before?: string }): Run[] {
    const all = [...this.#runs.values()].toReversed().filter((run) => source === undefined || run.source === source)
    const from = before === undefined ? 0 : all.findIndex((run) => run.id === before) + 1
    return all.slice(from, from + limit)
  }

  async *watch(source: string, signal: AbortSignal): AsyncGenerator<SourceRecord, void> {
    this.watchers++
    try {
      let sent: SourceRecord | undefined
      while (!signal.aborted) {
        const record = this.#records.get(source)!
        if (record !== sent) {
          yield (sent = record)
          continue
        }
        await new Promise<void>((resolve) => {
          const done = () => {
            this.#listeners.delete(done)
            signal.removeEventListener('abort', done)
            resolve()
          }
          this.#listeners.add(done)
          signal.addEventListener('abort', done)
        })
      }
    } finally {
      this.watchers--
    }
  }

  begin(source: string, trigger: Trigger = 'refresh'): Run {
    const run: Run = {
      id: `r${++this.#number}`, source, trigger, status: 'running', result: null, snapshot: null, requestedAt: Date.now(),
      startedAt: Date.now(), finishedAt: null, resumes: 0, republish: null, error: null, progress: null, timings: null,
    } // prettier-ignore
    this.#runs.set(run.id, run)
    this.set(source, { run, state: { state: 'PROCESSING' } })
    return run
  }

  progress(source: string, completed: number, total: number): void {
    const tables = [{ table: 'cities', total, completed, failed: 0 }]
    this.update(source, {
      progress: { phase: 'pulling', tables, done: completed / total, rate: 100, etaMs: 1000, at: Date.now() },
    })
  }

  finish(source: string, change: Partial<Run> = { status: 'completed', result: 'unchanged' }): void {
    const state = change.status === 'completed' ? 'COMPLETED' : 'ERROR'
    this.update(
      source,
      { finishedAt: Date.now(), ...change },
      { state: { state }, ...(state === 'COMPLETED' && { checkedAt: Date.now() }) },
    )
  }

  fail(source: string, status: 'failed' | 'rejected' = 'failed'): void {
    this.finish(source, {
      status,
      error: { code: 'upstream_unavailable', message: 'The upstream is down.', facts: {} },
    })
  }

  update(source: string, change: Partial<Run>, record: Partial<SourceRecord> = {}): void {
    const run = { ...this.#records.get(source)!.run!, ...change }
    this.#runs.set(run.id, run)
    this.set(source, { run, ...record })
  }

  set(source: string, change: Partial<SourceRecord>): void {
    this.#records.set(source, { ...this.#records.get(source)!, ...change })
    for (const listener of this.#listeners) listener()
  }
}

export const quiet = { debug() {}, info() {}, warn() {}, error() {} }

export interface Harness {
  readonly url: string
  readonly port: number
  readonly http: ReturnType<typeof createHttp>
  readonly snapshots: FakeSnapshots
  readonly engine: FakeEngine
  /** What was logged as an error: empty in a test that does not mean to break anything. */
  readonly errors: unknown[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string, options?: RequestInit): Promise<Response>
}

/** What a server needs beside snapshots and sources, quiet and without chance. */
export function httpParts({
  engine,
  errors,
  settings,
}: {
  engine: FakeEngine
  errors: unknown[]
  settings?: Partial<HttpParts['settings']>
}): Omit<HttpParts, 'snapshots' | 'sources'> {
  const control = new ControlDatabase(':memory:', systemClock)
  return {
    engine,
    changes: new FakeChangeLog(),
    files: new SqliteMirroredFiles(new Map(), null),
    keys: environmentKeys([KEY]),
    keyStore: new SqliteKeyStore(control),
    tickets: new SqliteTicketStore(control),
    log: { ...quiet, error: (facts: object) => void errors.push(facts) },
    clock: systemClock,
    version: '0.0.0-test',
    random: () => 0,
    settings: {
      bodyCacheBytes: 64e6,
      sseMaxBytes: 32e6,
      maxStreams: 200,
      readyMaxAgeMs: null,
      maxRows: 1000,
      answerMaxBytes: 4e6,
      answerCacheBytes: 8e6,
      exportFileBytes: 1e9,
      rateLimit: null,
      corsOrigins: [],
      webConcurrency: 1,
      publicUrl: null,
      ...settings,
    },
  }
}

/** A listening server over fakes, closed after the test. */
export async function serve(
  t: TestContext,
  options: Omit<Partial<HttpParts>, 'settings' | 'engine' | 'snapshots'> & {
    settings?: Partial<HttpParts['settings']>
    publish?: boolean
  } = {},
): Promise<Harness> {
  const { settings, publish = true, ...parts } = options
  const sources = parts.sources ?? ['cities']
  const snapshots = new FakeSnapshots()
  const engine = new FakeEngine(sources)
  if (publish) snapshots.publish('cities', [cities(25)])
  const errors: unknown[] = []
  const http = createHttp({
    ...httpParts({ engine, errors, ...(settings && { settings }) }),
    ...parts,
    snapshots,
    sources,
  })
  await new Promise<void>((resolve) => http.server.listen(0, '127.0.0.1', resolve))
  const { port } = http.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  t.after(async () => {
    http.server.closeAllConnections()
    if (http.server.listening) await new Promise((resolve) => http.server.close(resolve))
    snapshots.remove()
  })
  return {
    url, port, http, snapshots, engine, errors,
    get: (path, headers = {}) => fetch(url + path, { headers: { ...AUTH, ...headers }, redirect: 'manual' }),
    post: (path, init = {}) => fetch(url + path, { method: 'POST', ...init, headers: { ...AUTH, ...(init.headers as object) } }),
  } // prettier-ignore
}

/** Waits for something that has to become true; the runner's time limit is the only one. */
export async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isTrue())) await new Promise((resolve) => setTimeout(resolve, 5))
}
