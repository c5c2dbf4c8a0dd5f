/** Bytes `from` to `to`, both included. */
export interface ByteRange {
  readonly from: number
  readonly to: number
}

/**
 * What a `Range` header asks of `size` bytes (RFC 9110, 14.2). `whole`: there is nothing in it that is kept to here,
 * which is allowed: another unit, several ranges, or what is not well formed. `outside`: it lies behind the last byte.
 */
export function readRange(header: string | undefined, size: number): ByteRange | 'whole' | 'outside' {
  const set = header === undefined ? undefined : /^bytes=([^]*)$/i.exec(header)?.[1]
  // Members of a list may be empty, and mean nothing.
  const members = set?.split(',').flatMap((member) => member.trim() || []) ?? []
  const [, first, last] = (members.length === 1 && /^(\d*)-(\d*)$/.exec(members[0]!)) || []
  if (first === undefined || last === undefined || (first === '' && last === '')) return 'whole'
  if (first === '') {
    const length = Math.min(Number(last), size)
    if (length > 0) return { from: size - length, to: size - 1 }
    // The end of nothing is all of it.
    return Number(last) > 0 ? 'whole' : 'outside'
  }
  const from = Number(first)
  const to = last === '' ? Infinity : Number(last)
  // Also where both are too large to be told apart as numbers: then both are outside.
  if (to < from) return 'whole'
  return from < size ? { from, to: Math.min(to, size - 1) } : 'outside'
}

/**
 * Whether `If-Range` lets a range count (RFC 9110, 13.1.5): the same strong entity tag, or exactly the date that was
 * given as `Last-Modified`, if one was. Else the client has a part of something else and needs all of this.
 */
export function rangeCounts(header: string | undefined, tag: string, modifiedAt: number | null): boolean {
  if (header === undefined || header === tag) return true
  if (header.includes('"') || modifiedAt === null) return false
  return Date.parse(header) === Math.floor(modifiedAt / 1000) * 1000 && header.endsWith('GMT')
}
