import type { ServerResponse } from 'node:http'

const CRLF = '\r\n'

/** Bytes of an answer that thousands of clients get: put together once for all of them. */
export class SharedPiece {
  readonly #chunk: Buffer
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    const head = Buffer.from(bytes.length.toString(16) + CRLF)
    this.#chunk = Buffer.concat([head, bytes, Buffer.from(CRLF)])
    this.#bytes = this.#chunk.subarray(head.length, -CRLF.length)
  }

  /**
   * Writes it to an answer of which something was written before, so that its head is out or ahead of this. As a whole
   * chunk it goes to the connection at once: the answer would hand over four pieces, for each client again.
   */
  writeTo(response: ServerResponse): void {
    const { socket, chunkedEncoding } = response
    // Without a connection the answer waits for others on it, and keeps what it is to send. HTTP/1.0 has no chunks.
    if (socket?.writable && chunkedEncoding) socket.write(this.#chunk)
    else response.write(this.#bytes)
  }
}
