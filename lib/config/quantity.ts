/** What a reader says about a text it cannot use: what was expected. */
export class Unreadable {
  readonly expected: string
  constructor(expected: string) {
    this.expected = expected
  }
}

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
export type TimeUnit = keyof typeof UNIT_MS

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
}

export interface Range {
  readonly min: number
  readonly max: number
}

/** `250ms`, `30s`, `5m`, `12h`, `7d`, or a bare number of `unit`, as milliseconds. */
export function readDuration(text: string, unit: TimeUnit, range: Range): number | Unreadable {
  const match = /^(\d{1,15}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)?$/.exec(text)
  const ms = match === null ? NaN : Math.round(Number(match[1]) * UNIT_MS[(match[2] as TimeUnit | undefined) ?? unit])
  if (isWithin(ms, range)) return ms
  const bounds = `${formatDuration(range.min)} to ${formatDuration(range.max)}`
  return new Unreadable(`a duration of ${bounds}, such as 500ms, 30s, 5m, 12h or 7d (a bare number is in ${unit})`)
}

/** `512`, `64MiB` (1,048,576 bytes each), `128MB` (1,000,000 bytes each), as bytes. */
export function readSize(text: string, range: Range): number | Unreadable {
  const match = /^(\d{1,15}(?:\.\d{1,9})?)\s*([kmg]?i?b)?$/i.exec(text)
  const factor = match === null ? undefined : UNIT_BYTES[(match[2] ?? '').toLowerCase()]
  const bytes = match === null || factor === undefined ? NaN : Math.round(Number(match[1]) * factor)
  if (isWithin(bytes, range)) return bytes
  return new Unreadable(`a size of ${range.min} to ${range.max} bytes, such as 1048576, 64MiB or 128MB`)
}

/** A whole number in plain digits. */
export function readCount(text: string, range: Range): number | Unreadable {
  const count = /^\d{1,15}$/.test(text) ? Number(text) : NaN
  if (isWithin(count, range)) return count
  return new Unreadable(`a whole number from ${range.min} to ${range.max}`)
}

/** `600/1m`: so many in so long. */
export function readRate(text: string): { limit: number; windowMs: number } | Unreadable {
  const [, count = '', window = ''] = /^(\d{1,9})\/(.+)$/.exec(text) ?? []
  const windowMs = readDuration(window, 's', { min: 1000, max: 86_400_000 })
  if (windowMs instanceof Unreadable || Number(count) < 1) return new Unreadable('a rate, such as 600/1m or 10/1s')
  return { limit: Number(count), windowMs }
}

/** A part of a whole: `0.25` or `25%`. */
export function readShare(text: string): number | Unreadable {
  const match = /^(\d{1,3}(?:\.\d{1,9})?)(%)?$/.exec(text)
  const share = match === null ? NaN : Number(match[1]) / (match[2] === undefined ? 1 : 100)
  return isWithin(share, { min: 0, max: 1 }) ? share : new Unreadable('a share from 0 to 1, such as 0.5 or 50%')
}

export function readFlag(text: string): boolean | Unreadable {
  const word = text.toLowerCase()
  if (['true', '1', 'yes', 'on'].includes(word)) return true
  if (['false', '0', 'no', 'off'].includes(word)) return false
  return new Unreadable('true or false')
}

/** The largest unit that shows it in whole numbers: `90000` is `90s`. */
function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms > 0 && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`
  }
  return `${ms}ms`
}

function isWithin(value: number, range: Range): boolean {
  return value >= range.min && value <= range.max
}
