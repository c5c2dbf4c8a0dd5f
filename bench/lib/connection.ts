import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { ResponseParser, type Head } from './response-parser.ts'

export interface Target {
  readonly port: number
  readonly path: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}

export interface Answer {
  readonly head: Head
  readonly bytes: number
}

const BUFFER_BYTES = 1 << 20
/** No other method that is used here begins with an H. */
const HEAD_INITIAL = 'H'.charCodeAt(0)

export function requestBytes(target: Target): Buffer {
  const headers = { host: `127.0.0.1:${target.port}`, ...target.headers }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`${target.method ?? 'GET'} ${target.path} HTTP/1.1\r\n${lines.join('')}\r\n`)
}

/** One keep-alive connection, one request at a time, read into one buffer that is used again and again. */
export class Connection {
  readonly #socket: Socket
  readonly #parser: ResponseParser
  #waiting:
    | { resolve(answer: Answer): void; reject(error: Error): void; onBody?: ((bytes: Buffer) => void) | undefined }
    | undefined
  #head: Head = { status: 0, text: '' }
  #bytes = 0

  private constructor(port: number) {
    this.#parser = new ResponseParser({
      head: (head) => (this.#head = head),
      body: (bytes) => {
        this.#bytes += bytes.length
        this.#waiting?.onBody?.(bytes)
      },
      end: () => {
        const waiting = this.#waiting
        this.#waiting = undefined
        waiting?.resolve({ head: this.#head, bytes: this.#bytes })
      },
    })
    const onread = {
      buffer: Buffer.allocUnsafe(BUFFER_BYTES),
      callback: (length: number, buffer: Uint8Array) => {
        try {
          this.#parser.push((buffer as Buffer).subarray(0, length))
        } catch (error) {
          this.#fail(error as Error)
        }
        return true
      },
    }
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread })
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => {
      this.#parser.close()
      this.#fail(new Error('the connection closed before the response was complete'))
    })
  }

  static async open(port: number): Promise<Connection> {
    const connection = new Connection(port)
    await once(connection.#socket, 'connect')
    return connection
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed
  }

  send(request: Buffer, onBody?: (bytes: Buffer) => void): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) return reject(new Error('the connection is closed'))
      this.#waiting = { resolve, reject, onBody }
      this.#bytes = 0
      if (request[0] === HEAD_INITIAL) this.#parser.expectNoBody()
      this.#socket.write(request)
    })
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #fail(error: Error): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#socket.destroy()
    waiting?.reject(error)
  }
}
