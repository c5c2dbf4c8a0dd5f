import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { FileOffer } from '../../lib/files.ts'

const TWO_HOURS_MS = 7_200_000

/** Answers a request for a file; `bytes` are what the file has. */
export type Behaviour = (response: ServerResponse, bytes: Buffer, request: IncomingMessage) => void | Promise<void>

export const whole: Behaviour = (response, bytes) =>
  void response.writeHead(200, { 'Content-Length': bytes.length }).end(bytes)

export const answers =
  (status: number, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    void response.writeHead(status, headers).end('<Error/>')

/** An upstream's file host on a real socket, with URLs that are signed, so to speak: each offer has its own. */
export class FileHost {
  readonly #server: Server
  readonly #files = new Map<string, Buffer>()
  readonly #behaviours = new Map<string, Behaviour[]>()
  readonly #dead = new Set<string>()
  #number = 0
  /** Ids of files in the order in which they were asked for. */
  readonly requests: string[] = []
  readonly headers: IncomingMessage['headers'][] = []
  #active = 0
  /** As many as were under way at a time. */
  peak = 0

  constructor(server: Server) {
    this.#server = server
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response))
  }

  static async open(t: TestContext): Promise<FileHost> {
    const server = createServer()
    const host = new FileHost(server)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    t.after(async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    })
    return host
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** What the next requests for a file get, one each; the last one stays. Without any, the file. */
  put(id: string, bytes: Buffer | string, ...behaviours: Behaviour[]): void {
    this.#files.set(id, Buffer.from(bytes))
    this.#behaviours.set(id, behaviours)
  }

  remove(id: string): void {
    this.#files.delete(id)
  }

  /** Another URL each time. */
  offer(id: string, change: Partial<FileOffer> = {}): FileOffer {
    const url = `${this.origin}/file?id=${encodeURIComponent(id)}&signature=secret-${++this.#number}`
    return { id, url, expiresAt: Date.now() + TWO_HOURS_MS, bytes: this.#files.get(id)?.length ?? null, ...change }
  }

  has(id: string): boolean {
    return this.#files.has(id)
  }

  /** From now on all URLs that were offered before get 410. */
  expireAll(): void {
    for (let number = 1; number <= this.#number; number++) this.#dead.add(`secret-${number}`)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.origin)
    const id = url.searchParams.get('id') ?? url.pathname.slice(1)
    this.requests.push(id)
    this.headers.push(request.headers)
    this.peak = Math.max(this.peak, ++this.#active)
    let isActive = true
    for (const event of ['finish', 'close']) {
      response.once(event, () => {
        if (isActive) this.#active--
        isActive = false
      })
    }
    if (this.#dead.has(url.searchParams.get('signature') ?? '')) return answers(410)(response, Buffer.alloc(0), request)
    const bytes = this.#files.get(id)
    if (bytes === undefined) return answers(404)(response, Buffer.alloc(0), request)
    const behaviours = this.#behaviours.get(id) ?? []
    const behave = (behaviours.length > 1 ? behaviours.shift() : behaviours[0]) ?? whole
    await behave(response, bytes, request)
  }
}
