import type { Clock } from '../../../lib/base/clock.ts'
import type { Base } from '../base.ts'
import type { Json } from '../json.ts'
import type { Random } from '../random.ts'
import type { Cells, Table } from '../table.ts'

const DAY_MS = 86_400_000
/** The shop has been open since then; nothing in it is younger than `CLOSED_AT`, half a year later than which tests begin. */
const OPENED_AT = Date.UTC(2022, 0, 3, 8)
const CLOSED_AT = Date.UTC(2026, 5, 1)

/** What every table of the shop is made with. */
export interface Shop {
  readonly base: Base
  readonly random: Random
  readonly clock: ShopClock
}

/** The time that things happened at in the shop. */
export class ShopClock implements Clock {
  time = OPENED_AT

  now(): number {
    return this.time
  }

  monotonic(): number {
    return this.time
  }

  sleep(ms: number): Promise<void> {
    this.time += ms
    return Promise.resolve()
  }
}

/** Some moment while the shop was open. */
function moment(random: Random): number {
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

/** Records that came in one after the other, each at its time. */
export function fill({ random, clock }: Shop, count: number, create: (at: number, index: number) => void): void {
  const times = Array.from({ length: count }, () => moment(random)).toSorted((a, b) => a - b)
  for (const [index, at] of times.entries()) {
    clock.time = at
    create(at, index)
  }
}

/** Edits that share of the records, each at some time after it was created. */
export function edit({ random, clock }: Shop, table: Table, share: number, cells: () => Cells): void {
  for (const { id, createdAt } of table.records) {
    if (!random.isTrue(share)) continue
    clock.time = createdAt + Math.floor(random.next() * (CLOSED_AT - createdAt))
    table.update(id, cells())
  }
}
