import type { FileHandle } from 'node:fs/promises'
import { Failure } from '../errors.ts'
import type { ExportFile, ExportFormat, MountedSnapshot } from '../snapshot.ts'
import { disposition } from './disposition.ts'
import type { Exchange } from './exchange.ts'
import { sendFile } from './file-answer.ts'
import { openWhole } from './open-whole.ts'
import { snapshotHeaders } from './representation.ts'
import { FORMAT_TYPES } from './row-text.ts'

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

/** Sends an export, or the range of it that is asked for. */
export async function sendExport(exchange: Exchange, download: Download): Promise<void> {
  const { mounted, file, format, name, isPart } = download
  await sendFile(exchange, {
    what: 'The export',
    bytes: file.bytes,
    sha256: file.sha256,
    modifiedAt: mounted.pointer.publishedAt,
    validators: [
      'Cache-Control', 'private, max-age=31536000, immutable, no-transform',
      'Vary', 'Authorization, X-API-Key, apikey',
      ...snapshotHeaders(mounted.pointer, isPart),
    ],
    content: [
      'Content-Type', TYPES[format],
      'Content-Disposition', disposition('attachment', name),
      'Row-Count', String(file.rows),
    ],
    open: () => openExport(file, mounted),
  }) // prettier-ignore
}

async function openExport(file: ExportFile, { pointer }: MountedSnapshot): Promise<FileHandle> {
  const handle = await openWhole(file)
  if (handle !== undefined) return handle
  throw new Failure(
    'snapshot_not_found',
    `The files of the snapshot ${pointer.snapshot} have just been removed. Export the table again.`,
    { facts: { snapshot: pointer.snapshot } },
  )
}
