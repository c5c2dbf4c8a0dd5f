import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { Failure } from '../errors.ts'
import { PROBLEM_TYPE, problemOf } from './problem.ts'

/** Why Node's parser gave up on a connection; undefined where there is nobody left to tell. */
export function failureOfParser(error: NodeJS.ErrnoException, maxUrlBytes: number): Failure | undefined {
  const { code, rawPacket } = error as NodeJS.ErrnoException & { rawPacket?: Buffer }
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined
    case 'HPE_HEADER_OVERFLOW': {
      const lineEnd = rawPacket?.indexOf('\n') ?? 0
      if (lineEnd === -1 || lineEnd > maxUrlBytes)
        return new Failure('uri_too_long', `The request target is longer than ${maxUrlBytes} bytes.`)
      return new Failure(
        'headers_too_large',
        'The request headers are larger than is read here. Send fewer or shorter ones.',
      )
    }
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Failure('payload_too_large', 'The request body has chunk extensions that are too large.')
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Failure('request_timeout', 'The request did not arrive in time.')
    case 'HPE_INVALID_URL':
      return new Failure(
        'bad_request',
        'The request target has characters that no URL has. Percent-encode everything that is not ASCII: ü is %C3%BC.',
      )
    default:
      return new Failure('bad_request', 'This is not HTTP/1.1 as RFC 9112 defines it.')
  }
}

/** Answers where there is a socket but no response to answer with, and closes it. */
export function answerRawSocket(
  socket: Duplex,
  failure: Failure | undefined,
  requestId: string,
  headers: readonly string[],
): void {
  const answering = (socket as { _httpMessage?: { headersSent?: boolean } })._httpMessage
  if (!failure || !socket.writable || answering?.headersSent) return void socket.destroy()
  const { status, body } = problemOf(failure, requestId)
  const all = [
    ...headers,
    'Content-Type',
    PROBLEM_TYPE,
    'Cache-Control',
    'no-store',
    'Content-Length',
    String(Buffer.byteLength(body)),
  ]
  all.push('X-Request-Id', requestId, 'Connection', 'close')
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
  for (let index = 0; index < all.length; index += 2) head += `${all[index]}: ${all[index + 1]}\r\n`
  socket.end(`${head}\r\n${body}`)
}
