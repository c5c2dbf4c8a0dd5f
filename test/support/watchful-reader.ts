import type { Server } from './holdfast.ts'
import { digestOf } from './rows.ts'

/** Reads the whole table again and again, and holds every answer against the versions there ever were. */
export class WatchfulReader implements AsyncDisposable {
  readonly #server: Server
  readonly #versions = new Map<string, number>()
  readonly #wrong: string[] = []
  readonly #loop: Promise<void>
  #ended = false
  answers = 0
  readonly seen = new Set<string>()

  constructor(server: Server) {
    this.#server = server
    this.#loop = this.#run()
  }

  /** Makes the rows known, before they can be published. */
  know(rows: readonly unknown[]): string {
    const digest = digestOf(rows)
    this.#versions.set(digest, rows.length)
    return digest
  }

  /** Ends the loop. Throws if any answer was an error or a mixture. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    await this.#loop
    if (this.#wrong.length > 0)
      throw new Error(`${this.#wrong.length} wrong answers: ${this.#wrong.slice(0, 5).join('; ')}`)
  }

  async #run(): Promise<void> {
    while (!this.#ended) {
      try {
        const response = await this.#server.get('/fetch-data')
        const body = (await response.json()) as { count: number; snapshot: string; data: unknown[] }
        if (response.status === 503 && this.answers === 0) continue
        this.answers++
        const digest = digestOf(body.data ?? [])
        this.seen.add(digest)
        const rows = this.#versions.get(digest)
        if (response.status !== 200) this.#wrong.push(`status ${response.status}`)
        else if (rows === undefined) this.#wrong.push(`${body.count} rows of no version in ${body.snapshot}`)
        else if (rows !== body.count) this.#wrong.push(`count ${body.count} for ${rows} rows`)
        else if (response.headers.get('snapshot-id') !== body.snapshot)
          this.#wrong.push('the header names another snapshot')
      } catch (error) {
        this.#wrong.push(String(error))
      }
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}
