const BIAS = 5_000_000_000
const COMPLEMENT: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from({ length: 10 }, (_, digit) => [String(digit), String(9 - digit)]),
)

/**
 * A number's digits as a text that sorts (by code point) as the number does, and is the same for equal numbers:
 * `10.50`, `10.5` and `1.05e1` are one. Exact at any length, with exponents up to nine digits. NaN is, as in
 * PostgreSQL, greater than all others; so is, further on, text that is no number at all.
 */
export function decimalKey(text: string): string {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null || text === '') return specialKey(text)
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  const all = whole + fraction
  let from = 0
  while (all.charCodeAt(from) === 48) from++
  let to = all.length
  while (to > from && all.charCodeAt(to - 1) === 48) to--
  if (from === to) return 'n'
  const magnitude = clip(Number(exponent) + whole.length - from) + BIAS
  const digits = all.slice(from, to)
  if (sign !== '-') return `p${pad(magnitude)}${digits}`
  // The other way round, and what ends earlier comes later.
  return `m${pad(2 * BIAS - magnitude)}${digits.replaceAll(/\d/g, (digit) => COMPLEMENT[digit]!)}~`
}

function clip(exponent: number): number {
  return Math.max(1 - BIAS, Math.min(BIAS - 1, exponent))
}

function pad(number: number): string {
  return String(number).padStart(10, '0')
}

function specialKey(text: string): string {
  if (text === '-Infinity') return 'a'
  if (text === 'Infinity') return 'y'
  return text === 'NaN' ? 'z' : `~${text}`
}
