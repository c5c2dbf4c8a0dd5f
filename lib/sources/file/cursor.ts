import { Failure } from '../../errors.ts'
import type { Cursor } from '../../source.ts'
import type { FormatState } from './format.ts'

/** Where a pull of a file continues. */
export interface FileCursor {
  /** In bytes of the uncompressed file. */
  readonly offset: number
  readonly state: FormatState
}

export function encodeCursor(cursor: FileCursor): Cursor {
  return JSON.stringify(cursor)
}

export function decodeCursor(cursor: Cursor): FileCursor {
  try {
    const decoded = JSON.parse(cursor) as FileCursor
    if (Number.isSafeInteger(decoded.offset) && Number.isSafeInteger(decoded.state.record)) return decoded
  } catch {
    // Told below, like any other text that is no cursor.
  }
  const shown = JSON.stringify(cursor.slice(0, 60))
  throw new Failure('upstream_changed', `${shown} is not a cursor of this kind of source. Pull from the start again.`)
}
