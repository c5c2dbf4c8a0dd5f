import { dateOf, offsetOf, type DateFields } from './formula-dates.ts'

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'] // prettier-ignore
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']

type Fields = { -readonly [Name in keyof DateFields]: number } & { half: number | undefined; at: number | undefined }

interface Token {
  write(date: Date): string
  /** What it is read from, where it stands and as far as it goes; without, it is only written. */
  readonly pattern?: RegExp
  read?(text: string, fields: Fields): void
}

const two = (value: number) => String(value).padStart(2, '0')
const numeral = (name: keyof DateFields, value: (date: Date) => number, width: 1 | 2): Token => ({
  write: (date) => (width === 2 ? two(value(date)) : String(value(date))),
  pattern: width === 2 ? /\d\d/y : /\d{1,2}/y,
  read: (text, fields) => (fields[name] = Number(text)),
})
const month = (date: Date) => date.getUTCMonth() + 1
const day = (date: Date) => date.getUTCDate()
const hour = (date: Date) => date.getUTCHours()
const hour12 = (date: Date) => date.getUTCHours() % 12 || 12
const minute = (date: Date) => date.getUTCMinutes()
const second = (date: Date) => date.getUTCSeconds()
const named = (length: number | undefined): Token => ({
  write: (date) => MONTHS[date.getUTCMonth()]!.slice(0, length),
  pattern: new RegExp(MONTHS.map((name) => name.slice(0, length)).join('|'), 'y'),
  read: (text, fields) => (fields.month = MONTHS.findIndex((name) => name.startsWith(text)) + 1),
})
const half = (write: (isMorning: boolean) => string): Token => ({
  write: (date) => write(date.getUTCHours() < 12),
  pattern: /[AaPp][Mm]/y,
  read: (text, fields) => (fields.half = /^a/i.test(text) ? 0 : 12),
})

/** What a format is made of, longest first. Everything that is not a letter stands for itself, as does `[what is in brackets]`. */
const TOKENS: Readonly<Record<string, Token>> = {
  YYYY: {
    write: (date) => String(date.getUTCFullYear()).padStart(4, '0'),
    pattern: /\d{4}/y,
    read: (text, fields) => (fields.year = Number(text)),
  },
  YY: {
    write: (date) => two(date.getUTCFullYear() % 100),
    pattern: /\d\d/y,
    read: (text, fields) => (fields.year = Number(text) + (Number(text) > 68 ? 1900 : 2000)),
  },
  MMMM: named(undefined),
  MMM: named(3),
  MM: numeral('month', month, 2),
  M: numeral('month', month, 1),
  dddd: { write: (date) => DAYS[date.getUTCDay()]! },
  ddd: { write: (date) => DAYS[date.getUTCDay()]!.slice(0, 3) },
  DD: numeral('day', day, 2),
  D: numeral('day', day, 1),
  HH: numeral('hour', hour, 2),
  H: numeral('hour', hour, 1),
  hh: numeral('hour', hour12, 2),
  h: numeral('hour', hour12, 1),
  mm: numeral('minute', minute, 2),
  m: numeral('minute', minute, 1),
  ss: numeral('second', second, 2),
  s: numeral('second', second, 1),
  SSS: {
    write: (date) => String(date.getUTCMilliseconds()).padStart(3, '0'),
    pattern: /\d{3}/y,
    read: (text, fields) => (fields.ms = Number(text)),
  },
  A: half((isMorning) => (isMorning ? 'AM' : 'PM')),
  a: half((isMorning) => (isMorning ? 'am' : 'pm')),
  Z: {
    write: () => '+00:00',
    pattern: /[+-]\d\d:?\d\d|Z/y,
    read: (text, fields) => (fields.offsetMinutes = offsetOf(text)),
  },
  X: {
    write: (date) => String(Math.floor(date.getTime() / 1000)),
    pattern: /-?\d{1,12}/y,
    read: (text, fields) => (fields.at = Number(text) * 1000),
  },
  x: {
    write: (date) => String(date.getTime()),
    pattern: /-?\d{1,15}/y,
    read: (text, fields) => (fields.at = Number(text)),
  },
}
const MAX_FORMAT = 100
const PARTS = new RegExp(`${Object.keys(TOKENS).toSorted((a, b) => b.length - a.length).join('|')}|\\[[^\\]]*\\]|[^]`, 'g') // prettier-ignore

type Part = { readonly token: Token } | { readonly literal: string }

/** Why a format cannot be used; undefined where it can. */
export function formatTrouble(format: string, use: 'write' | 'read'): string | undefined {
  if (format.length > MAX_FORMAT) return `a format has at most ${MAX_FORMAT} characters`
  for (const [text] of format.matchAll(PARTS)) {
    const known = Object.hasOwn(TOKENS, text) ? TOKENS[text] : undefined
    if (known === undefined && /^[A-Za-z]$/.test(text)) return `there is no ${JSON.stringify(text)} in formats`
    if (known?.pattern === undefined && known !== undefined && use === 'read') return `${text} can only be written`
  }
  return undefined
}

export function formatDate(at: number, format: string): string {
  const date = new Date(at)
  return partsOf(format)
    .map((part) => ('token' in part ? part.token.write(date) : part.literal))
    .join('')
}

/**
 * Reads from left to right and never back. What does not say when is the beginning: of the day, of the month, of 1970.
 * Null where the text is something else.
 */
export function parseDateAs(text: string, format: string): number | null {
  const fields: Fields = {
    year: 1970, month: 1, day: 1, hour: 0, minute: 0, second: 0, ms: 0, offsetMinutes: 0, half: undefined, at: undefined,
  } // prettier-ignore
  const given = text.trim()
  let place = 0
  for (const part of partsOf(format)) {
    const found = 'token' in part ? matchAt(part.token, given, place) : part.literal
    if (found === undefined || !given.startsWith(found, place)) return null
    place += found.length
    if ('token' in part) part.token.read?.(found, fields)
  }
  if (place < given.length) return null
  if (fields.at !== undefined) return fields.at
  if (fields.half !== undefined) {
    if (fields.hour < 1 || fields.hour > 12) return null
    fields.hour = (fields.hour % 12) + fields.half
  }
  return dateOf(fields)
}

function matchAt({ pattern }: Token, text: string, place: number): string | undefined {
  if (pattern === undefined) return undefined
  pattern.lastIndex = place
  return pattern.exec(text)?.[0]
}

const KEPT_FORMATS = 100
const kept = new Map<string, readonly Part[]>()

function partsOf(format: string): readonly Part[] {
  let parts = kept.get(format)
  if (parts === undefined) {
    parts = Array.from(format.matchAll(PARTS), ([text]): Part => {
      if (Object.hasOwn(TOKENS, text)) return { token: TOKENS[text]! }
      return { literal: text.length > 1 && text.startsWith('[') ? text.slice(1, -1) : text }
    })
    if (kept.size >= KEPT_FORMATS) kept.clear()
    kept.set(format, parts)
  }
  return parts
}
