import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { Worker } from 'node:worker_threads'
import { Failure, type FailureCode, type Facts } from '../errors.ts'
import type { ExportFile, ExportFormat, ExportRequest, Pointer } from '../snapshot.ts'
import { exportName, recordName, type ExportRecord } from './export-names.ts'
import type { SourceFolder } from './pointer.ts'

/** Exports that wait for their turn, and requests that wait for any: more are told to come back. */
const MAX_JOBS = 32
const MAX_WAITING = 100

/** What the thread is handed. */
export interface ExportTask {
  /** Name of the file, which is there already where `rows` is null. */
  readonly file: string
  readonly path: string
  readonly recordPath: string
  readonly total: number
  readonly maxBytes: number
  readonly rows: null | {
    readonly database: string
    readonly source: string
    readonly snapshot: string
    readonly publishedAt: number
    readonly table: string
    readonly format: Exclude<ExportFormat, 'sqlite'>
  }
}

/** What the thread tells. */
export type ExportNews =
  | { readonly kind: 'progress'; readonly done: number }
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly code: FailureCode; readonly message: string; readonly facts: Facts }

interface Job {
  readonly task: ExportTask
  /** Never rejects: nobody may be waiting. */
  readonly outcome: PromiseWithResolvers<Failure | undefined>
  done: number
}

type Published = Omit<Pointer, 'previous'>

/**
 * The exports of a process: files beside the snapshots, each made when it is first asked for, one at a time, by a
 * thread. Other processes may make the same at the same moment; the bytes are equal, and each file comes in one step.
 */
export class Exports implements Disposable {
  /** By the path of the record; the first one is being made. */
  readonly #jobs = new Map<string, Job>()
  /** Exports that are too large are not made twice to find out. */
  readonly #refused = new WeakMap<Published, Map<string, Failure>>()
  #worker: Worker | undefined
  #waiting = 0
  #isClosed = false

  /** @throws Failure `export_building`, `answer_too_large`, `snapshot_not_found`, `table_not_found`, `draining` */
  async file(folder: SourceFolder, pointer: Published, wanted: ExportRequest): Promise<ExportFile> {
    const task = taskOf(folder, pointer, wanted)
    const known = await readRecord(folder, task)
    if (known) return known
    const refused = this.#refused.get(pointer)?.get(task.recordPath)
    if (refused) throw refused
    const failure = await this.#make(task, wanted)
    const made = failure === undefined ? await readRecord(folder, task) : undefined
    if (made) return made
    if (!existsSync(folder.file(pointer.file))) throw snapshotGone(pointer)
    if (failure?.code === 'answer_too_large') this.#refuse(pointer, task, failure)
    throw failure ?? building(task, wanted, 0)
  }

  [Symbol.dispose](): void {
    this.#isClosed = true
    void this.#worker?.terminate()
    for (const { outcome } of this.#jobs.values()) outcome.resolve(draining())
    this.#jobs.clear()
  }

  /** Waits for an export to be made, whoever asked for it first. */
  async #make(task: ExportTask, wanted: ExportRequest): Promise<Failure | undefined> {
    if (this.#isClosed) return draining()
    const known = this.#jobs.get(task.recordPath)
    if (this.#waiting >= MAX_WAITING || (known === undefined && this.#jobs.size >= MAX_JOBS)) {
      return building(task, wanted, known?.done ?? 0)
    }
    const job = known ?? this.#enqueue(task)
    const { promise: isLate, resolve: giveUp } = Promise.withResolvers<'late'>()
    const timer = setTimeout(() => giveUp('late'), wanted.waitMs)
    this.#waiting++
    try {
      const outcome = await Promise.race([job.outcome.promise, isLate])
      return outcome === 'late' ? building(task, wanted, job.done) : outcome
    } finally {
      clearTimeout(timer)
      this.#waiting--
    }
  }

  #enqueue(task: ExportTask): Job {
    const job: Job = { task, outcome: Promise.withResolvers(), done: 0 }
    this.#jobs.set(task.recordPath, job)
    if (this.#jobs.size === 1) this.#start(job)
    return job
  }

  #start(job: Job): void {
    let failure: Failure | undefined = new Failure('internal', 'The thread of an export ended without a word.')
    const worker = new Worker(new URL('./export-thread.ts', import.meta.url), { workerData: job.task })
    // An export that nobody waits for any more does not keep the process.
    worker.unref()
    this.#worker = worker
    worker.on('message', (news: ExportNews) => {
      if (news.kind === 'progress') job.done = news.done
      else failure = news.kind === 'done' ? undefined : new Failure(news.code, news.message, { facts: news.facts })
    })
    worker.on('error', (cause) => {
      failure = new Failure('internal', 'The thread of an export crashed.', { cause })
    })
    worker.on('exit', () => {
      job.outcome.resolve(failure)
      this.#jobs.delete(job.task.recordPath)
      this.#worker = undefined
      const [next] = this.#jobs.values()
      if (next !== undefined && !this.#isClosed) this.#start(next)
    })
  }

  #refuse(pointer: Published, task: ExportTask, failure: Failure): void {
    const known = this.#refused.get(pointer) ?? new Map<string, Failure>()
    this.#refused.set(pointer, known.set(task.recordPath, failure))
  }
}

function taskOf(folder: SourceFolder, pointer: Published, { table, format, maxBytes }: ExportRequest): ExportTask {
  const { source, snapshot, publishedAt } = pointer
  const database = folder.file(pointer.file)
  const index = table === null ? null : pointer.tables.findIndex(({ name }) => name === table)
  const recordPath = folder.file(recordName(pointer, index, format))
  if (table === null || index === null || format === 'sqlite') {
    const total = pointer.tables.reduce((sum, { rows }) => sum + rows, 0)
    return { file: pointer.file, path: database, recordPath, total, maxBytes, rows: null }
  }
  const info = pointer.tables[index]
  if (info === undefined) throw new Failure('table_not_found', `There is no table ${table}.`)
  // The full answer of /fetch-data is there already, most of the time.
  const body = folder.bodyName(snapshot, index, 'identity')
  const isThere = format === 'json' && existsSync(folder.file(body))
  const file = isThere ? body : exportName(pointer, index, format)
  const rows = isThere ? null : { database, source, snapshot, publishedAt, table, format }
  return { file, path: folder.file(file), recordPath, total: info.rows, maxBytes, rows }
}

/** What is known of an export, if its file is there and whole. */
async function readRecord(folder: SourceFolder, task: ExportTask): Promise<ExportFile | undefined> {
  try {
    const { file, bytes, sha256, rows } = JSON.parse(await readFile(task.recordPath, 'utf8')) as ExportRecord
    const path = folder.file(file)
    return (await stat(path)).size === bytes ? { path, bytes, sha256, rows } : undefined
  } catch (error) {
    // Not there, or what a crash of the machine left of it: it is made anew.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined
    throw error
  }
}

function building({ total }: ExportTask, { table, format, waitMs }: ExportRequest, done: number): Failure {
  const what = table === null ? 'The snapshot' : `${table} as ${format}`
  return new Failure(
    'export_building',
    `${what} is still being made ready (${done} of ${total} rows). Ask again: it goes on meanwhile.`,
    { facts: { rows_done: done, rows: total, waited_ms: waitMs, retry_after_seconds: 5 } },
  )
}

function snapshotGone({ snapshot }: Published): Failure {
  return new Failure(
    'snapshot_not_found',
    `The files of the snapshot ${snapshot} have been removed: newer ones have taken its place. Export the table again.`,
    { facts: { snapshot } },
  )
}

function draining(): Failure {
  return new Failure('draining', 'This process is shutting down. Ask again: another one makes the export.')
}
