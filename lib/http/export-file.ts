import { open, type FileHandle } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Failure } from '../errors.ts'
import type { ExportFile, ExportFormat, MountedSnapshot } from '../snapshot.ts'
import type { Exchange } from './exchange.ts'
import type { HttpLog } from './log.ts'
import { matchesTag } from './negotiate.ts'
import { rangeCounts, readRange, type ByteRange } from './ranges.ts'
import { snapshotHeaders } from './representation.ts'
import { FORMAT_TYPES } from './row-text.ts'

const PIECE_BYTES = 256 * 1024
const TYPES: Readonly<Record<ExportFormat, string>> = { ...FORMAT_TYPES, sqlite: 'application/vnd.sqlite3' }

/** What is sent, and under which name it is saved. */
export interface Download {
  readonly mounted: MountedSnapshot
  readonly file: ExportFile
  readonly format: ExportFormat
  readonly name: string
  /** Of a source that has more than the client sees. */
  readonly isPart: boolean
}

/** Sends an export, or the range of it that is asked for: the same bytes for ever, so a download goes on anywhere. */
export async function sendExport(exchange: Exchange, log: HttpLog, download: Download): Promise<void> {
  const { mounted, file } = download
  const { publishedAt } = mounted.pointer
  const tag = `"${Buffer.from(file.sha256, 'base64').toString('base64url')}"`
  const validators = validatorHeaders(download, tag)
  if (matchesTag(exchange.header('if-none-match'), tag)) return exchange.empty(304, validators)

  const { bytes } = file
  const asks = !exchange.isHead && rangeCounts(exchange.header('if-range'), tag, publishedAt)
  const range = asks ? readRange(exchange.header('range'), bytes) : 'whole'
  if (range === 'outside') {
    const failure = new Failure(
      'range_not_satisfiable',
      `The export has ${bytes} bytes; the range begins behind them.`,
      {
        facts: { bytes },
      },
    )
    return exchange.fail(failure, ['Accept-Ranges', 'bytes', 'Content-Range', `bytes */${bytes}`])
  }
  const all = { from: 0, to: bytes - 1 }
  const { from, to } = range === 'whole' ? all : range
  // Open before anything is said: from then on it does not matter that its name may be removed.
  await using handle = exchange.isHead ? undefined : await openExport(file, mounted)
  exchange.begin(range === 'whole' ? 200 : 206, [
    ...validators,
    ...contentHeaders(download),
    'Content-Length', String(to - from + 1),
    ...(range === 'whole' ? [] : ['Content-Range', `bytes ${from}-${to}/${bytes}`]),
  ]) // prettier-ignore
  if (handle === undefined || from > to) return void exchange.response.end()
  await sendBytes(exchange, log, handle, { from, to })
}

function validatorHeaders({ mounted, isPart }: Download, tag: string): string[] {
  return [
    'ETag', tag,
    'Cache-Control', 'private, max-age=31536000, immutable, no-transform',
    'Vary', 'Authorization, X-API-Key, apikey',
    ...snapshotHeaders(mounted.pointer, isPart),
  ] // prettier-ignore
}

function contentHeaders({ file, format, name }: Download): string[] {
  return [
    'Content-Type', TYPES[format],
    'Content-Disposition', `attachment; filename="${plainName(name)}"; filename*=UTF-8''${extendedValue(name)}`,
    'Accept-Ranges', 'bytes',
    'Repr-Digest', `sha-256=:${file.sha256}:`,
    'Row-Count', String(file.rows),
  ] // prettier-ignore
}

/** For those who do not read `filename*`, as curl: what could end the text or mean a folder is left out (RFC 6266, D). */
function plainName(text: string): string {
  return text.replaceAll(/[^ -~]|["%*/:<>?\\|]/gu, '_').replace(/^\./, '_')
}

/** RFC 8187. */
function extendedValue(text: string): string {
  const escape = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  return encodeURIComponent(text.toWellFormed()).replaceAll(/['()*]/g, escape)
}

async function openExport({ path, bytes }: ExportFile, { pointer }: MountedSnapshot): Promise<FileHandle> {
  try {
    const handle = await open(path, 'r')
    if ((await handle.stat()).size === bytes) return handle
    await handle.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  throw new Failure(
    'snapshot_not_found',
    `The files of the snapshot ${pointer.snapshot} have just been removed. Export the table again.`,
    { facts: { snapshot: pointer.snapshot } },
  )
}

async function sendBytes(exchange: Exchange, log: HttpLog, handle: FileHandle, { from, to }: ByteRange): Promise<void> {
  const bytes = handle.createReadStream({ start: from, end: to, highWaterMark: PIECE_BYTES, autoClose: false })
  try {
    await pipeline(bytes, exchange.response)
  } catch (error) {
    // The connection is cut, which says that this is not all; a client that has left knows.
    const hasLeft = (error as NodeJS.ErrnoException).code === 'ERR_STREAM_PREMATURE_CLOSE'
    if (!hasLeft) log.error({ error, request: exchange.id }, 'an export broke off')
  }
}
