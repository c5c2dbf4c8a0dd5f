/** Dates of formulas: epoch milliseconds, their calendar that of UTC, weeks from Sunday on. */

const MS = { milliseconds: 1, seconds: 1000, minutes: 60_000, hours: 3_600_000, days: 86_400_000, weeks: 604_800_000 }
const MONTHS = { months: 1, quarters: 3, years: 12 }
export type DateUnit = keyof typeof MS | keyof typeof MONTHS

/** `M` is a month and `m` a minute; all else is read in any case. */
const SHORT: Readonly<Record<string, DateUnit>> = {
  ms: 'milliseconds', s: 'seconds', m: 'minutes', h: 'hours', d: 'days', w: 'weeks', M: 'months', Q: 'quarters', y: 'years',
} // prettier-ignore

export const DATE_PARTS = ['year', 'month', 'day', 'hour', 'minute', 'second', 'weekday'] as const
export type DatePart = (typeof DATE_PARTS)[number]

const ISO = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?: ?([Zz]|[+-]\d\d:?\d\d))?)?$/
/** What `Date` can hold. */
const LAST = 8.64e15

export function dateUnit(text: string): DateUnit | undefined {
  if (Object.hasOwn(SHORT, text)) return SHORT[text]
  const name = text.toLowerCase()
  return [...Object.keys(MS), ...Object.keys(MONTHS)].find((unit) => unit === name || unit === `${name}s`) as DateUnit
}

/** A date, or a time of a day, as ISO 8601 writes it; UTC where it does not say. Null for all else. */
export function parseDate(text: string): number | null {
  const match = ISO.exec(text.trim())
  if (match === null) return null
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match
  return dateOf({
    year: Number(year),
    month: Number(month),
    day: Number(day),
    hour: Number(hour),
    minute: Number(minute),
    second: Number(second),
    ms: Number(fraction.slice(0, 3).padEnd(3, '0')),
    offsetMinutes: offsetOf(zone),
  })
}

export interface DateFields {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly ms: number
  readonly offsetMinutes: number
}

/** Null where there is no such day or time. */
export function dateOf({ year, month, day, hour, minute, second, ms, offsetMinutes }: DateFields): number | null {
  if (hour > 23 || minute > 59 || second > 59) return null
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null
  date.setUTCHours(hour, minute, second, ms)
  return date.getTime() - offsetMinutes * MS.minutes
}

/** `Z`, `+02:00` or `+0200` as minutes. */
export function offsetOf(zone: string): number {
  const [, sign, hours = '0', minutes = '0'] = /^([+-])(\d\d):?(\d\d)$/.exec(zone) ?? []
  return (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
}

/** A month after the 31st is the last day of a shorter one. Null beyond what dates reach. */
export function dateAdd(at: number, count: number, unit: DateUnit): number | null {
  const then =
    unit in MS ? addMs(at, count, unit as keyof typeof MS) : addMonths(at, Math.round(count * monthsOf(unit)))
  return Math.abs(then) <= LAST ? then : null
}

/** How many whole units there are from `from` to `to`; negative where that is before. */
export function dateDiff(to: number, from: number, unit: DateUnit): number {
  if (unit in MS) return Math.trunc((to - from) / MS[unit as keyof typeof MS]) + 0
  const [a, b] = [new Date(to), new Date(from)]
  let months = (a.getUTCFullYear() - b.getUTCFullYear()) * 12 + a.getUTCMonth() - b.getUTCMonth()
  const reached = addMonths(from, months)
  if (months > 0 && reached > to) months--
  if (months < 0 && reached < to) months++
  return Math.trunc(months / monthsOf(unit)) + 0
}

/** Whether two times are in the same year, week, hour. */
export function isSameDate(a: number, b: number, unit: DateUnit): boolean {
  return startOf(a, unit) === startOf(b, unit)
}

/** Of `weekday`, `firstDay` is the day that is 0: Sunday is 0 itself, and Monday 1. */
export function datePart(at: number, part: DatePart, firstDay = 0): number {
  const date = new Date(at)
  switch (part) {
    case 'year':
      return date.getUTCFullYear()
    case 'month':
      return date.getUTCMonth() + 1
    case 'day':
      return date.getUTCDate()
    case 'hour':
      return date.getUTCHours()
    case 'minute':
      return date.getUTCMinutes()
    case 'second':
      return date.getUTCSeconds()
    case 'weekday':
      return (date.getUTCDay() + 7 - firstDay) % 7
  }
}

export function startOf(at: number, unit: DateUnit): number {
  if (unit === 'weeks') {
    const day = startOf(at, 'days')
    return day - datePart(day, 'weekday') * MS.days
  }
  if (unit in MS) return Math.floor(at / MS[unit as keyof typeof MS]) * MS[unit as keyof typeof MS]
  const date = new Date(at)
  const months = date.getUTCFullYear() * 12 + date.getUTCMonth()
  const start = new Date(0)
  start.setUTCFullYear(0, Math.floor(months / monthsOf(unit)) * monthsOf(unit), 1)
  return start.getTime()
}

function monthsOf(unit: DateUnit): number {
  return MONTHS[unit as keyof typeof MONTHS]
}

/** Days and weeks are whole ones; shorter units may be broken. */
function addMs(at: number, count: number, unit: keyof typeof MS): number {
  const isWhole = unit === 'days' || unit === 'weeks'
  return at + (isWhole ? Math.round((count * MS[unit]) / MS.days) * MS.days : Math.round(count * MS[unit]))
}

function addMonths(at: number, months: number): number {
  const date = new Date(at)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + months)
  const last = new Date(date)
  last.setUTCMonth(last.getUTCMonth() + 1, 0)
  date.setUTCDate(Math.min(day, last.getUTCDate()))
  return date.getTime()
}
