import { createHash, randomBytes } from 'node:crypto'
import { closeSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs'
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { disk } from '../base/files.ts'
import { Failure, toFailure } from '../errors.ts'
import { csvHeader, rowToCsv } from '../row-csv.ts'
import { rowToJson } from '../row-json.ts'
import { ENVELOPE_END, envelopeStart } from '../snapshot.ts'
import { openSnapshot } from './database.ts'
import type { ExportRecord } from './export-names.ts'
import type { ExportNews, ExportTask } from './exports.ts'
import { selectAll } from './render.ts'
import { readSqlTables, type SqlTable } from './snapshot-schema.ts'

/** Lower than what serves; on Linux this is the priority of this thread alone. */
const NICE = 10
const CHUNK = 256 * 1024
/** Rows between two signs of progress. */
const BEAT_ROWS = 10_000

/** Makes one export, tells how it went, and ends. */
if (process.platform === 'linux') setPriority(0, NICE)
const task = workerData as ExportTask
try {
  const content = task.rows === null ? digestFile(task) : writeExport(task, task.rows)
  replace(task.recordPath, (part) => writeFileSync(part, JSON.stringify({ file: task.file, ...content })))
  tell({ kind: 'done' })
} catch (error) {
  const { code, message, facts, stack } = toFailure(error)
  tell({ kind: 'failed', code, message: code === 'internal' ? (stack ?? message) : message, facts })
}

function tell(news: ExportNews): void {
  parentPort?.postMessage(news)
}

type Content = Omit<ExportRecord, 'file'>

/** The file is there: only what it holds has to be known. */
function digestFile({ path, total, maxBytes }: ExportTask): Content {
  const digest = createHash('sha256')
  const chunk = Buffer.allocUnsafe(4 * CHUNK)
  const file = openSync(path, 'r')
  try {
    let bytes = 0
    for (let read = 0; (read = readSync(file, chunk, 0, chunk.length, null)) > 0;) {
      digest.update(chunk.subarray(0, read))
      bytes = within(bytes + read, maxBytes)
    }
    return { bytes, sha256: digest.digest('base64'), rows: total }
  } finally {
    closeSync(file)
  }
}

function writeExport(options: ExportTask, wanted: NonNullable<ExportTask['rows']>): Content {
  const db = openSnapshot(wanted.database)
  try {
    // SQLite keeps no lone surrogates.
    const table = readSqlTables(db).find(({ name }) => name === wanted.table.toWellFormed())
    if (table === undefined) throw new Failure('table_not_found', `There is no table ${wanted.table}.`)
    let content: Content | undefined
    replace(options.path, (part) => {
      const cells = selectAll(db, table).iterate()
      content = writePieces(part, textOf(cells, table, options, wanted), options)
    })
    return content as Content
  } finally {
    db.close()
  }
}

/** The export as text, a row at a time: a page of rows has no bound in bytes. */
function* textOf(
  rows: Iterable<unknown[]>,
  table: SqlTable,
  { total }: ExportTask,
  { format, source, snapshot, publishedAt }: NonNullable<ExportTask['rows']>,
): Generator<string, number> {
  if (format === 'json') yield envelopeStart({ source, snapshot, count: total, publishedAt })
  if (format === 'csv') yield csvHeader(table.columns)
  const write = format === 'csv' ? rowToCsv(table.columns) : rowToJson(table.columns)
  let done = 0
  for (const cells of rows) {
    if (done % BEAT_ROWS === 0) tell({ kind: 'progress', done })
    const text = write(cells)
    if (format === 'ndjson') yield `${text}\n`
    else yield format === 'json' && done > 0 ? `,${text}` : text
    done++
  }
  if (format === 'json') yield ENVELOPE_END
  return done
}

function writePieces(path: string, pieces: Generator<string, number>, { maxBytes }: ExportTask): Content {
  const digest = createHash('sha256')
  const file = openSync(path, 'wx')
  let bytes = 0
  const write = (text: string): void => {
    const chunk = Buffer.from(text)
    bytes = within(bytes + chunk.length, maxBytes)
    digest.update(chunk)
    for (let offset = 0; offset < chunk.length;) offset += writeSync(file, chunk, offset)
  }
  try {
    let text = ''
    for (let piece = pieces.next(); ; piece = pieces.next()) {
      if (piece.done) {
        write(text)
        return { bytes, sha256: digest.digest('base64'), rows: piece.value }
      }
      text += piece.value
      if (text.length < CHUNK) continue
      write(text)
      text = ''
    }
  } finally {
    closeSync(file)
  }
}

/** A file under its final name is complete. Until then it has a name of its own: another process may make the same. */
function replace(path: string, write: (part: string) => void): void {
  const part = `${path}.${randomBytes(4).toString('hex')}.part`
  try {
    write(part)
    disk.sync('export:sync', part)
    disk.rename('export:rename', part, path)
  } finally {
    disk.remove('export:remove', part)
  }
}

function within(bytes: number, maxBytes: number): number {
  if (bytes <= maxBytes) return bytes
  throw new Failure(
    'answer_too_large',
    `The export would be larger than ${maxBytes} bytes. Read the table in parts, or have EXPORT_FILE_BYTES raised.`,
    { facts: { max_bytes: maxBytes } },
  )
}
