import { once } from 'node:events'
import { join } from 'node:path'
import type { Jobs } from './load-jobs.ts'
import type { JobReply } from './load-process.ts'
import { Running } from './processes.ts'

type Options<Kind extends keyof Jobs> = Parameters<Jobs[Kind]>[0]
type Result<Kind extends keyof Jobs> = Awaited<ReturnType<Jobs[Kind]>>

export interface Job<Kind extends keyof Jobs> {
  readonly result: Promise<Result<Kind>>
  /** Ends an open-ended job; its result still comes. */
  stop(): void
}

/** The load generator, in a process of its own. */
export class Load {
  readonly #process: Running
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #lastId = 0

  private constructor(running: Running) {
    this.#process = running
    running.child.on('message', (reply: JobReply) => {
      const waiting = this.#waiting.get(reply.id)
      this.#waiting.delete(reply.id)
      if ('error' in reply) waiting?.reject(new Error(reply.error))
      else waiting?.resolve(reply.value)
    })
    running.child.once('exit', () => {
      for (const waiting of this.#waiting.values())
        waiting.reject(new Error(`the load generator ended: ${running.output}`))
      this.#waiting.clear()
    })
  }

  static async start(): Promise<Load> {
    const running = new Running('load generator', process.execPath, [join(import.meta.dirname, 'load-process.ts')], {
      ipc: true,
    })
    await once(running.child, 'message', { signal: AbortSignal.timeout(10_000) })
    return new Load(running)
  }

  start<Kind extends keyof Jobs>(kind: Kind, options: Options<Kind>): Job<Kind> {
    const id = ++this.#lastId
    const result = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#process.child.send({ id, kind, options })
    }) as Promise<Result<Kind>>
    // Whoever started it may look at it later, or never if something else failed first.
    result.catch(() => undefined)
    return { result, stop: () => this.#process.child.send({ id, kind: 'stop', options: null }) }
  }

  run<Kind extends keyof Jobs>(kind: Kind, options: Options<Kind>): Promise<Result<Kind>> {
    return this.start(kind, options).result
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop()
  }
}
