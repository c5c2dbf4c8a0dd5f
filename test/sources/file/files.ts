import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Value } from '../../../lib/column.ts'
import type { FileSourceOptions } from '../../../lib/settings.ts'
import type { Page, Source } from '../../../lib/source.ts'
import type { FileLimits } from '../../../lib/sources/file/pages.ts'
import { fileSource } from '../../../lib/sources/file/source.ts'
import { planOptions } from '../../support/plan-options.ts'

/** A folder of its own, gone at the end of the scope. */
export function temporaryFolder(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-file-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

/** Chunks, windows and pages so small that everything is cut somewhere; a long text into some hundred parts. */
export function tinyLimits(chunkBytes: number, text = ''): FileLimits {
  const bytes = Math.max(chunkBytes, Math.ceil(text.length / 300))
  return { chunkBytes: bytes, windowBytes: bytes * 2, maxPageRows: 3, maxRecordBytes: 100_000 }
}

export interface Pulled {
  readonly columns: readonly string[]
  readonly records: readonly Record<string, Value>[]
  readonly pages: readonly Page[]
}

export async function pullAll(source: Source, resumeFrom?: string): Promise<Pulled> {
  const signal = new AbortController().signal
  const plan = await source.plan(planOptions(signal))
  const pages: Page[] = []
  for await (const page of source.pull({ plan, ...(resumeFrom !== undefined && { resumeFrom }), signal }))
    pages.push(page)
  return { pages, columns: [...new Set(pages.flatMap((page) => page.columns))], records: pages.flatMap(recordsOf) }
}

export function recordsOf(page: Page): Record<string, Value>[] {
  return page.rows.map((row) => Object.fromEntries(page.columns.map((column, index) => [column, row[index] as Value])))
}

/** Pulls a file with this content; the name tells the format, and `.gz` compresses it. */
export async function pullContent(
  name: string,
  content: string | Buffer,
  options: Partial<FileSourceOptions> = {},
  limits: Partial<FileLimits> = {},
): Promise<Pulled> {
  using folder = temporaryFolder()
  const path = join(folder.path, name)
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(content) : content)
  return await pullAll(fileSource('things', { path, ...options }, limits))
}
