import { closeSync, createReadStream, createWriteStream, openSync, writeSync } from 'node:fs'
import { randomBytes } from 'node:crypto'
import { pipeline } from 'node:stream/promises'
import { constants, createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib'
import type { Transform } from 'node:stream'
import type { Files } from '../base/files.ts'
import { rowToJson } from '../row-json.ts'
import { RowDigest } from '../row-digest.ts'
import type { Layout } from '../layout.ts'
import { CODINGS, envelopeStart, ENVELOPE_END, type Coding, type TableInfo } from '../snapshot.ts'
import { quote, type Database } from './database.ts'
import type { SourceFolder } from './pointer.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

const CHUNK = 256 * 1024
const PAGE = 1000

/** Fast enough to be made at every publish; slower levels gain little on tables. */
const ENCODERS: Record<Exclude<Coding, 'identity'>, (bytes: number) => Transform> = {
  zstd: (bytes) =>
    createZstdCompress({
      chunkSize: CHUNK,
      pledgedSrcSize: bytes,
      // A reader must not need more than 8 MB of window (RFC 9659).
      params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: 21 },
    }),
  br: (bytes) =>
    createBrotliCompress({
      chunkSize: CHUNK,
      params: {
        [constants.BROTLI_PARAM_QUALITY]: 4,
        [constants.BROTLI_PARAM_LGWIN]: 18,
        [constants.BROTLI_PARAM_SIZE_HINT]: bytes,
      },
    }),
  gzip: () => createGzip({ chunkSize: CHUNK, level: 4 }),
}

export interface RenderOptions {
  readonly source: string
  readonly snapshot: string
  readonly publishedAt: number
  /** Answers beyond this are not kept: they are written from the rows each time. */
  readonly maxBytes: number
  /** Nothing is written: rows are counted and digested only, those of tables that it does not know. */
  readonly digestOnly?: (table: SqlTable) => RenderedTable | undefined
  /** Whether the answer of the n-th table is there in every coding: then it is passed over. */
  readonly isRendered?: (n: number) => boolean
  readonly signal: AbortSignal
  /** Called now and then, while it comes further. */
  onProgress(): void
}

/** What is known of a table by its rows. */
export type RenderedTable = Omit<TableInfo, keyof Layout>

/**
 * Writes the full answer of each table once, in every content coding, and digests the rows on the way. The files are
 * on disk when this resolves; nobody reads them before the pointer names the snapshot.
 */
export async function render(
  db: Database,
  tables: readonly SqlTable[],
  place: { folder: SourceFolder; files: Files },
  options: RenderOptions,
): Promise<RenderedTable[]> {
  const { folder, files } = place
  const infos: RenderedTable[] = []
  for (const [index, table] of tables.entries()) {
    if (options.isRendered?.(index)) continue
    const known = options.digestOnly?.(table)
    if (known !== undefined) {
      infos.push(known)
      continue
    }
    const path = (coding: Coding) => folder.file(folder.bodyName(options.snapshot, index, coding))
    // A file under its final name is complete: whoever serves may look for it at any time. Until then it has a name
    // of its own: after a rollback, another process may be rendering the same.
    const attempt = randomBytes(4).toString('hex')
    const part = (coding: Coding) => `${path(coding)}.${attempt}.part`
    try {
      const written = writeRows(db, table, part('identity'), options)
      const isKept = written.bytes <= options.maxBytes
      for (const coding of isKept && !options.digestOnly ? CODINGS : []) {
        if (coding !== 'identity') await encode(path('identity'), part(coding), coding, written.bytes, options)
        files.sync('render:sync-body', part(coding))
        files.rename('render:rename-body', part(coding), path(coding))
      }
      const { name, key, columns } = table
      infos.push({
        name,
        rows: written.rows,
        key,
        columns,
        digest: written.digest,
        bodyBytes: isKept ? written.bytes : 0,
        largestRow: written.largestRow,
      })
    } finally {
      // What is not kept, or was broken off.
      for (const coding of CODINGS) files.remove('render:remove', part(coding))
    }
  }
  return infos
}

async function encode(
  from: string,
  to: string,
  coding: Exclude<Coding, 'identity'>,
  bytes: number,
  options: RenderOptions,
): Promise<void> {
  const plain = createReadStream(from, { highWaterMark: CHUNK })
  await pipeline(plain, beating(options), ENCODERS[coding](bytes), createWriteStream(to), { signal: options.signal })
}

/** Passes chunks on and tells of it; what `onProgress` throws ends the pipeline. */
function beating(options: RenderOptions) {
  return async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      options.onProgress()
      yield chunk
    }
  }
}

function writeRows(
  db: Database,
  table: SqlTable,
  path: string,
  options: RenderOptions,
): { rows: number; bytes: number; digest: string; largestRow: number } {
  const rows =
    db
      .prepare<[], number>(`SELECT count(*) FROM ${quote(table.sqlName)}`)
      .pluck()
      .get() ?? 0
  const digest = new RowDigest()
  const toJson = rowToJson(table.columns)
  const all = selectAll(db, table)
  const file = options.digestOnly ? undefined : openSync(path, 'w')
  let bytes = 0
  let largestRow = 0
  try {
    let text = envelopeStart({
      source: options.source,
      snapshot: options.snapshot,
      count: rows,
      publishedAt: options.publishedAt,
    })
    let separator = ''
    let done = 0
    // One by one: a page of rows has no bound in bytes.
    for (const cells of all.iterate()) {
      if (done++ % PAGE === 0) {
        options.signal.throwIfAborted()
        options.onProgress()
      }
      const json = toJson(cells)
      digest.add(json)
      largestRow = Math.max(largestRow, Buffer.byteLength(json))
      text += separator + json
      separator = ','
      if (text.length >= CHUNK) {
        bytes += write(file, text, bytes, options.maxBytes)
        text = ''
      }
    }
    bytes += write(file, text + ENVELOPE_END, bytes, options.maxBytes)
  } finally {
    if (file !== undefined) closeSync(file)
  }
  return { rows, bytes, digest: digest.hex(), largestRow }
}

/** Beyond the bound the rows are still counted and digested, but no longer written. */
function write(file: number | undefined, text: string, before: number, maxBytes: number): number {
  if (file === undefined) return Buffer.byteLength(text)
  const chunk = Buffer.from(text)
  if (before + chunk.length <= maxBytes) {
    for (let offset = 0; offset < chunk.length;) offset += writeSync(file, chunk, offset)
  }
  return chunk.length
}

/** The cells of all rows, in order of their positions. */
export function selectAll(db: Database, table: SqlTable) {
  const columns = table.columns.map((column) => table.read(column)).join(', ') || 'NULL'
  return db.prepare<[], unknown[]>(`SELECT ${columns} FROM ${quote(table.sqlName)} ORDER BY ${POSITION}`).raw()
}
