import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'

/** Most that is handed to the system in one call: as one call, a large body arrives later (ADR 18). */
const CALL_BYTES = 1024 * 1024

/** Resolves when a piece was handed over and its memory is free again; false: the reader has gone. */
export function writePiece(target: Writable | ServerResponse, piece: Buffer | string): Promise<boolean> {
  if (target.destroyed || target.closed) return Promise.resolve(false)
  return new Promise((resolve) => {
    const onClose = () => resolve(false)
    target.once('close', onClose)
    target.write(piece, (error) => {
      target.off('close', onClose)
      resolve(!error)
    })
  })
}

/**
 * Ends an answer with bytes that stay as they are until it closes. Large ones are handed over by turns, no faster than
 * the reader takes them.
 */
export function endWith(response: ServerResponse, bytes: Buffer): void {
  const { socket } = response
  let rest = bytes
  const handRest = () => {
    if (!response.writableEnded) response.end(rest)
  }
  const handPiece = (error?: Error | null) => {
    if (error || response.writableEnded) return
    if (rest.length <= CALL_BYTES) return handRest()
    const piece = rest.subarray(0, CALL_BYTES)
    rest = rest.subarray(CALL_BYTES)
    response.write(piece, handPiece)
  }
  if (bytes.length > CALL_BYTES && socket) {
    // A client may end its side once it has asked. Node then ends ours behind what was handed over: so all of it is.
    socket.prependListener('end', handRest)
    response.once('close', () => socket.off('end', handRest))
  }
  handPiece()
}
