import { hash } from 'node:crypto'
import type { Coding, Pointer } from '../snapshot.ts'

/** What of a table is shown, and how: everything but the content coding that makes bytes differ. */
export interface View {
  readonly table: string
  readonly from: number
  readonly to: number
  readonly fields: readonly string[] | undefined
  readonly format: string
  /** Of the principal, where the table has less for them. */
  readonly access?: string
}

export const VARY = 'Accept-Encoding, Authorization, X-API-Key, apikey'
const CACHE_CONTROL = 'private, no-cache'

/** A strong entity tag: one per snapshot, batch, view and coding. */
export function entityTag(pointer: Pointer, view: View, coding: Coding): string {
  const { table, from, to, fields, format, access } = view
  const key = JSON.stringify([pointer.batch, table, from, to, fields ?? null, format, ...(access ? [access] : [])])
  return `"${pointer.snapshot}-${hash('sha256', key, 'base64url').slice(0, 12)}-${coding}"`
}

/** The headers that say which data this is; 200 and 304 both carry them. */
export function validatorHeaders(pointer: Pointer, tag: string, isPart = false): string[] {
  return [
    'ETag', tag,
    'Cache-Control', CACHE_CONTROL,
    'Vary', VARY,
    ...snapshotHeaders(pointer, isPart),
  ] // prettier-ignore
}

/** A digest of everything would tell a key of what it does not see. */
export function snapshotHeaders(pointer: Pointer, isPart = false): string[] {
  return [
    'Last-Modified', new Date(pointer.publishedAt).toUTCString(),
    'Snapshot-Id', pointer.snapshot,
    ...(isPart ? [] : ['Snapshot-Digest', pointer.digest]),
  ] // prettier-ignore
}

/** `Content-Type` and, where there is one, `Content-Encoding`. */
export function contentHeaders(type: string, coding: Coding): string[] {
  return coding === 'identity' ? ['Content-Type', type] : ['Content-Type', type, 'Content-Encoding', coding]
}
