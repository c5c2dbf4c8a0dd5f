import { connect, type Socket } from 'node:net'
import { API_KEY, type Server } from './holdfast.ts'
import { processOf } from './serving-processes.ts'

/** What a subscriber reads is looked at before another one reads: one buffer serves thousands of them. */
const SHARED = Buffer.allocUnsafe(64 * 1024)

/** What a frame says beside its id. */
export interface Told {
  readonly type: string
  /** When it was published. */
  readonly at?: string
  readonly changes?: readonly { readonly key: string; readonly row: Record<string, unknown> | null }[]
}

export interface SubscriberParts {
  readonly server: Server
  readonly path: string
  /** Called with each frame that has an id. */
  readonly onFrame: (id: string, told: Told) => void
  /** Called when a connection ends that was not cut here. */
  readonly onEnd: (reason: string) => void
}

/** A client of an event stream on a bare socket, which is strict about how the stream is put on the wire. */
export class Subscriber {
  readonly #parts: SubscriberParts
  #socket: Socket | undefined
  /** The id of the last frame that came whole. */
  lastId: string | undefined
  /** Which process answers. */
  process: string | undefined

  constructor(parts: SubscriberParts) {
    this.#parts = parts
  }

  /** Subscribes, behind the last frame it had. Resolves with the first frame that has an id. */
  open(): Promise<void> {
    const { server, path, onFrame, onEnd } = this.#parts
    const resume = this.lastId === undefined ? '' : `Last-Event-ID: ${this.lastId}\r\n`
    return new Promise((resolve) => {
      const answer = new StreamAnswer({
        onHead: (head) => (this.process = processOf(/^x-request-id: (.*)$/im.exec(head)?.[1])),
        onFrame: (id, told) => {
          this.lastId = id
          onFrame(id, told)
          resolve()
        },
      })
      const callback = (length: number) => {
        if (this.#socket !== socket) return true
        try {
          answer.push(SHARED.toString('latin1', 0, length))
        } catch (error) {
          onEnd((error as Error).message)
          this.cut()
        }
        return true
      }
      const { port } = new URL(server.url)
      const socket = connect({ host: '127.0.0.1', port: Number(port), onread: { buffer: SHARED, callback } })
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nX-API-Key: ${API_KEY}\r\n${resume}\r\n`,
      )
      socket.on('error', () => {})
      socket.once('close', () => {
        if (this.#socket === socket) onEnd('the connection was closed')
        resolve()
      })
      this.#socket = socket
    })
  }

  /** Reads nothing any more. */
  stopReading(): void {
    this.#socket?.pause()
  }

  cut(): void {
    const socket = this.#socket
    this.#socket = undefined
    socket?.destroy()
  }
}

/** An answer as it comes over the wire: a head, chunks, and in them frames. */
class StreamAnswer {
  readonly #to: { onHead(head: string): void; onFrame(id: string, told: Told): void }
  #hasHead = false
  #raw = ''
  /** Bytes that are left of the chunk. */
  #left = 0
  #pieces: string[] = []

  constructor(to: { onHead(head: string): void; onFrame(id: string, told: Told): void }) {
    this.#to = to
  }

  push(text: string): void {
    this.#raw += text
    if (!this.#hasHead) {
      const end = this.#raw.indexOf('\r\n\r\n')
      if (end === -1) return
      const head = this.#raw.slice(0, end)
      this.#raw = this.#raw.slice(end + 4)
      if (!head.startsWith('HTTP/1.1 200 ') || !/^transfer-encoding: chunked$/im.test(head)) throw new Error(head)
      this.#hasHead = true
      this.#to.onHead(head)
    }
    for (;;) {
      if (this.#left === 0) {
        const end = this.#raw.indexOf('\r\n')
        if (end === -1) return
        const size = this.#raw.slice(0, end)
        if (!/^[1-9a-f][0-9a-f]*$/i.test(size)) throw new Error(`not the size of a chunk: ${size.slice(0, 100)}`)
        this.#left = parseInt(size, 16) + 2
        this.#raw = this.#raw.slice(end + 2)
      }
      const part = this.#raw.slice(0, this.#left)
      this.#raw = this.#raw.slice(part.length)
      this.#left -= part.length
      if (part !== '') this.#pieces.push(part)
      if (this.#left > 0) return
      const chunk = this.#pieces.join('')
      this.#pieces = []
      if (!chunk.endsWith('\r\n')) throw new Error(`a chunk that ends with ${JSON.stringify(chunk.slice(-10))}`)
      this.#readFrames(chunk.slice(0, -2))
    }
  }

  /** No chunk ends within a frame; of what is sent in pieces this would not hold. */
  #readFrames(chunk: string): void {
    const frames = chunk.split('\n\n')
    if (frames.pop() !== '') throw new Error(`half a frame: ${chunk.slice(-100)}`)
    for (const frame of frames) {
      if (frame.startsWith(':')) continue
      const match = /^id: (\S+)\ndata: (.*)$/.exec(frame)
      if (match === null) throw new Error(`an odd frame: ${frame.slice(0, 200)}`)
      this.#to.onFrame(match[1]!, JSON.parse(match[2]!) as Told)
    }
  }
}
