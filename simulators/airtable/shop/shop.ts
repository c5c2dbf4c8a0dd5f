import type { Base } from '../base.ts'
import type { Json } from '../json.ts'
import type { Random } from '../random.ts'
import type { Cells } from '../table.ts'

const DAY_MS = 86_400_000
/** The shop has been open since then; nothing in it is younger than `CLOSED_AT`, half a year later than which tests begin. */
const OPENED_AT = Date.UTC(2022, 0, 3, 8)
const CLOSED_AT = Date.UTC(2026, 5, 1)

/** What every table of the shop is made with. */
export interface Shop {
  readonly base: Base
  readonly random: Random
}

/** Some moment while the shop was open. */
export function moment(random: Random): number {
  return OPENED_AT + Math.floor(random.next() * (CLOSED_AT - OPENED_AT))
}

export const isoDay = (time: number) => new Date(time).toISOString().slice(0, 10)

export const daysAfter = (time: number, days: number) => time + days * DAY_MS

/** The cell, or none: bases have gaps. */
export function perhaps(random: Random, share: number, cell: () => Json): Json {
  return random.isTrue(share) ? cell() : null
}

/** A few different ones. */
export function some<T>(random: Random, from: readonly T[], most: number): T[] {
  return [...new Set(Array.from({ length: random.whole(0, most) }, () => random.pick(from)))]
}

/** A choice list of a select field. */
export const choices = (names: readonly string[]) => ({ choices: names.map((name) => ({ name })) })

/** Records that came in one after the other, each at its time; some of them were edited later. */
export function fill(
  table: { create(cells: Cells, given: { createdTime: number }): unknown },
  count: number,
  random: Random,
  cells: (at: number, index: number) => Cells,
): void {
  const times = Array.from({ length: count }, () => moment(random)).toSorted((a, b) => a - b)
  for (const [index, at] of times.entries()) table.create(cells(at, index), { createdTime: at })
}
