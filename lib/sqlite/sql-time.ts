const ISO = /^(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?) ?(?:([Zz])|([+-]\d\d)(?::?(\d\d))?)?)?$/
/** Seconds reach this in the year 5138, milliseconds had it in 1973. */
const SECONDS_END = 1e11

/**
 * An upstream's time as epoch milliseconds: ISO 8601 (UTC where it does not say), or seconds or milliseconds since
 * 1970. Null for what is neither.
 */
export function parseTime(cell: unknown): number | null {
  if (typeof cell === 'bigint') return null
  if (typeof cell === 'number') return epochOf(cell)
  if (typeof cell !== 'string' || cell.length > 40) return null
  if (/^-?\d{1,16}(?:\.\d+)?$/.test(cell)) return epochOf(Number(cell))
  const match = ISO.exec(cell.trim())
  if (match === null) return null
  const [, date, time = '00:00', , hours, minutes = '00'] = match
  const at = Date.parse(`${date}T${time}${hours === undefined ? 'Z' : `${hours}:${minutes}`}`)
  return Number.isNaN(at) ? null : at
}

function epochOf(number: number): number | null {
  const at = Math.trunc(Math.abs(number) < SECONDS_END ? number * 1000 : number)
  // What `Date` can hold.
  return Math.abs(at) <= 8.64e15 ? at : null
}
