import { fork, type ChildProcess } from 'node:child_process'
import { Failure } from '../errors.ts'
import type { Answer, QueryOptions } from '../query.ts'
import type { Settings } from '../settings.ts'
import { indexHint } from './query-hint.ts'
import type { ReaderJob, ReaderMessage, ReaderRequest } from './reader-job.ts'
import { FairQueue } from './reader-queue.ts'

const MAX_WAITING = 64
const IDLE_MS = 30_000
/** A process that has not started by then never will. */
const START_MS = 30_000

export type ReaderSettings = Pick<Settings, 'queryReaders' | 'queryDeadlineMs' | 'answerMaxBytes'>

/** Answers the queries that no index bounds, somewhere they can be ended. */
export interface QueryReaders {
  /** Throws `query_deadline`, `readers_busy`, `answer_too_large`, the signal's reason, or what the query itself throws. */
  run(job: ReaderJob, options: QueryOptions): Promise<Answer>
}

interface Job {
  readonly id: number
  readonly principal: string
  readonly job: ReaderJob
  reader: Reader | undefined
  resolve(answer: Answer): void
  reject(reason: Error): void
}

interface Reader {
  readonly child: ChildProcess
  job: Job | undefined
  /** It has started: what it is given before is kept until then, and can be taken back. */
  isReady: boolean
  /** Ends it, unless it starts or is asked something in time. */
  timer: NodeJS.Timeout | undefined
}

/**
 * Reader processes, started when there is something for them to do, and gone some time after there was. A query that
 * is over its deadline, or that nobody waits for any more, is ended together with the process that runs it; one that is
 * still starting is left to start, or no query would ever find one that has.
 */
export class ReaderPool implements QueryReaders, Disposable {
  readonly #settings: ReaderSettings
  readonly #entry: URL
  readonly #idleMs: number
  readonly #queue: FairQueue<Job>
  readonly #readers = new Set<Reader>()
  #lastId = 0
  #isDisposed = false

  /** `entry`: what runs in the processes. */
  constructor(settings: ReaderSettings, options: { entry?: URL; idleMs?: number; maxWaiting?: number } = {}) {
    this.#settings = settings
    this.#entry = options.entry ?? new URL('reader-process.ts', import.meta.url)
    this.#idleMs = options.idleMs ?? IDLE_MS
    this.#queue = new FairQueue(options.maxWaiting ?? MAX_WAITING)
  }

  /** The processes there are, and how many queries wait for one. */
  get state(): { readonly pids: readonly number[]; readonly running: number; readonly waiting: number } {
    const readers = [...this.#readers]
    return {
      pids: readers.flatMap(({ child }) => child.pid ?? []),
      running: readers.filter(({ job }) => job !== undefined).length,
      waiting: this.#queue.size,
    }
  }

  run(job: ReaderJob, { principal, signal }: QueryOptions): Promise<Answer> {
    return new Promise<Answer>((resolve, reject) => {
      signal.throwIfAborted()
      if (this.#isDisposed) throw new Failure('draining', 'This process is shutting down: ask another, or ask again.')
      const end = () => {
        clearTimeout(deadline)
        signal.removeEventListener('abort', onAbort)
      }
      const waiting: Job = {
        id: ++this.#lastId,
        principal,
        job,
        reader: undefined,
        resolve: (answer) => (end(), resolve(answer)),
        reject: (reason) => (end(), reject(reason)),
      }
      const onAbort = () => this.#giveUp(waiting, signal.reason as Error)
      const deadline = setTimeout(
        () => this.#giveUp(waiting, overdue(job, this.#settings.queryDeadlineMs)),
        this.#settings.queryDeadlineMs,
      )
      signal.addEventListener('abort', onAbort, { once: true })
      this.#queue.add(waiting)?.reject(busy())
      this.#dispatch()
    })
  }

  /** Ends all processes; whoever still waits is told. */
  [Symbol.dispose](): void {
    this.#isDisposed = true
    const draining = new Failure('draining', 'This process is shutting down: ask another, or ask again.')
    for (let job = this.#queue.next(); job !== undefined; job = this.#queue.next()) job.reject(draining)
    for (const reader of this.#readers) {
      reader.job?.reject(draining)
      this.#end(reader)
    }
  }

  #dispatch(): void {
    while (!this.#isDisposed && this.#queue.size > 0) {
      const free = [...this.#readers].filter(({ job }) => job === undefined)
      const idle = free.find(({ isReady }) => isReady) ?? free[0]
      if (idle === undefined && this.#readers.size >= this.#settings.queryReaders) return
      const job = this.#queue.next()
      if (job === undefined) return
      this.#give(idle ?? this.#start(), job)
    }
  }

  #give(reader: Reader, job: Job): void {
    reader.job = job
    job.reader = reader
    reader.child.ref()
    if (!reader.isReady) return
    clearTimeout(reader.timer)
    this.#send(reader, job)
  }

  #send(reader: Reader, job: Job): void {
    const request: ReaderRequest = { id: job.id, job: job.job, maxBytes: this.#settings.answerMaxBytes }
    // What cannot be sent shows in the end of the process, which is reported there.
    reader.child.send(request, () => {})
  }

  #start(): Reader {
    const child = fork(this.#entry, [String(process.pid)], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MS).unref()
    const reader: Reader = { child, job: undefined, isReady: false, timer }
    this.#readers.add(reader)
    child.on('message', (message: ReaderMessage) => this.#hear(reader, message))
    child.once('exit', (code, signal) => this.#gone(reader, `it ended with ${signal ?? `code ${code}`}`))
    child.once('error', (error) => this.#gone(reader, error.message, error))
    child.channel?.unref()
    return reader
  }

  #hear(reader: Reader, reply: ReaderMessage): void {
    const { job } = reader
    if ('isReady' in reply) {
      reader.isReady = true
      clearTimeout(reader.timer)
      if (job === undefined) this.#rest(reader)
      else this.#send(reader, job)
      return
    }
    if (job === undefined || job.id !== reply.id) return
    this.#release(reader)
    if ('answer' in reply) job.resolve(reply.answer)
    else {
      const { code, message, facts, stack } = reply.failure
      const cause = new Error(message)
      if (stack !== undefined) cause.stack = stack
      job.reject(new Failure(code, message, { facts, cause }))
    }
    this.#rest(reader)
    this.#dispatch()
  }

  #rest(reader: Reader): void {
    reader.child.unref()
    if (reader.isReady) reader.timer = setTimeout(() => this.#end(reader), this.#idleMs).unref()
  }

  #gone(reader: Reader, why: string, cause?: Error): void {
    this.#readers.delete(reader)
    clearTimeout(reader.timer)
    const { job } = reader
    if (job !== undefined) {
      this.#release(reader)
      job.reject(
        new Failure('internal', `The process that was answering the query is gone: ${why}.`, {
          facts: { table: job.job.table.name },
          cause,
        }),
      )
    }
    this.#dispatch()
  }

  /** Nobody waits for it any more. */
  #giveUp(job: Job, reason: Error): void {
    job.reject(reason)
    if (this.#queue.remove(job) || job.reader === undefined) return
    const { reader } = job
    this.#release(reader)
    if (reader.isReady) this.#end(reader)
    else this.#rest(reader)
    this.#dispatch()
  }

  #release(reader: Reader): void {
    if (reader.job === undefined) return
    this.#queue.ended(reader.job)
    reader.job.reader = undefined
    reader.job = undefined
  }

  /** In the midst of a statement a process hears of nothing but this. */
  #end(reader: Reader): void {
    this.#readers.delete(reader)
    clearTimeout(reader.timer)
    reader.child.kill('SIGKILL')
  }
}

function overdue({ table, query }: ReaderJob, deadlineMs: number): Failure {
  const hint = indexHint(table, query)
  return new Failure(
    'query_deadline',
    `The query of ${table.name} took longer than ${deadlineMs} ms, the time it waited included. ${hint}`,
    { facts: { table: table.name, deadline_ms: deadlineMs, hint } },
  )
}

function busy(): Failure {
  return new Failure(
    'readers_busy',
    'Too many queries wait that no index answers. Ask again later, or configure indexes for them.',
  )
}
