import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

interface Connection {
  /** Answers that are not all handed over yet. */
  active: number
  /** What had been read when the last answer was: more means that a request has begun. */
  readBytes: number
}

/**
 * Knows which connections are idle, more exactly than Node does: its own `closeIdleConnections`, which `close` calls
 * too, takes an answer for finished once `end` was called, and cuts what is still on its way to a slow reader.
 */
export class Connections {
  readonly #open = new Map<Socket, Connection>()

  constructor(server: Server) {
    server.on('connection', (socket: Socket) => {
      this.#open.set(socket, { active: 0, readBytes: 0 })
      socket.once('close', () => this.#open.delete(socket))
    })
    server.closeIdleConnections = () => this.#closeIdle()
  }

  get size(): number {
    return this.#open.size
  }

  /** Counts a request in, until its answer is handed over or cut off. */
  track({ socket }: IncomingMessage, response: ServerResponse): void {
    const connection = this.#open.get(socket)
    if (!connection) return
    connection.active++
    response.on('close', () => {
      connection.active--
      connection.readBytes = socket.bytesRead
    })
  }

  #closeIdle(): void {
    for (const [socket, { active, readBytes }] of this.#open) {
      if (active === 0 && socket.bytesRead === readBytes && socket.writableLength === 0) socket.destroy()
    }
  }
}
