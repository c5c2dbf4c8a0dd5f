import type { ServerResponse } from 'node:http'
import type { Writable } from 'node:stream'

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
