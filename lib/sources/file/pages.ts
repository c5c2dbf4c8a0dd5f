import { Failure } from '../../errors.ts'
import type { Page } from '../../source.ts'
import { encodeCursor } from './cursor.ts'
import { Malformed, type Format } from './format.ts'
import type { TextWindow } from './text-window.ts'

/** How much is read, held and handed over at once. Tests make them small. */
export interface FileLimits {
  readonly chunkBytes: number
  readonly windowBytes: number
  readonly maxPageRows: number
  readonly maxRecordBytes: number
}

export const FILE_LIMITS: FileLimits = {
  chunkBytes: 512 * 1024,
  windowBytes: 1024 * 1024,
  maxPageRows: 5000,
  maxRecordBytes: 16 * 1024 * 1024,
}

const EXCERPT_LENGTH = 60

interface PageOptions {
  readonly source: string
  readonly path: string
  readonly table: string
  readonly limits: FileLimits
  readonly isResumed: boolean
  /** How much of the file was read, 0 to 1. */
  readonly done: () => number
  readonly signal: AbortSignal
}

/** Reads a file to its end, page by page. */
export async function* readPages(window: TextWindow, format: Format, options: PageOptions): AsyncGenerator<Page, void> {
  const { table, limits, signal } = options
  const page = (columns: readonly string[], rows: Page['rows']): Page => ({
    table,
    columns,
    rows,
    next: encodeCursor({ offset: window.offset, state: format.state }),
    done: options.done(),
  })
  let isAnnounced = options.isResumed
  try {
    await window.fill(limits.windowBytes, signal)
    while (!(window.isEmpty && window.isLast)) {
      signal.throwIfAborted()
      const { columns, rows, end } = format.read(window.text, window.at, {
        isLast: window.isLast,
        maxRows: limits.maxPageRows,
      })
      const isStuck = end === window.at
      window.take(end)
      if (rows.length > 0) {
        isAnnounced = true
        yield page(columns, rows)
      }
      if (isStuck) await readOn(window, format, limits, signal)
    }
    const columns = format.finish()
    if (!isAnnounced) yield page(columns, [])
  } catch (error) {
    throw error instanceof Malformed ? malformed(error, window, format, options) : error
  }
}

/** A record is cut off by the end of the window: twice as much of it is held, so that long ones cost linear time. */
async function readOn(window: TextWindow, format: Format, limits: FileLimits, signal: AbortSignal): Promise<void> {
  const held = window.heldBytes
  if (held > limits.maxRecordBytes) {
    const found = `record ${format.state.record + 1} longer than ${limits.maxRecordBytes} bytes`
    throw new Malformed(found, 'shorter records', { index: window.at })
  }
  await window.fill(Math.max(limits.windowBytes, held * 2), signal)
}

function malformed(problem: Malformed, window: TextWindow, format: Format, options: PageOptions): Failure {
  const { found, expected, place } = problem
  const facts = { source: options.source, record: format.state.record + 1 }
  const byte = place === null ? null : 'byte' in place ? place.byte : window.offsetOf(place.index)
  const excerpt = place !== null && 'index' in place ? window.text.slice(place.index, place.index + EXCERPT_LENGTH) : ''
  const where = byte === null ? '' : ` at byte ${byte}`
  const shown = excerpt === '' ? '' : `: ${JSON.stringify(excerpt)}`
  const message = `${options.path} holds ${found}${where}${shown}. Expected ${expected}.`
  return new Failure('upstream_malformed', message, {
    facts: byte === null ? facts : { ...facts, byte },
    cause: problem,
  })
}
