import type { Clock } from '../../lib/base/clock.ts'
import { ApiError, iteratorGone } from './api-error.ts'
import type { Random } from './random.ts'
import type { StoredRecord } from './record.ts'
import type { Table } from './table.ts'

const OFFSET = /^(itr[A-Za-z0-9]{14})\/(rec[A-Za-z0-9]{14})$/

interface Iterator {
  readonly table: Table
  /** As they were ordered when the first page was read. */
  readonly order: readonly StoredRecord[]
  /** Where the next page is expected to begin; only a hint. */
  position: number
  usedAt: number
}

export interface RecordPage {
  readonly records: readonly StoredRecord[]
  /** Undefined on the last page. */
  readonly offset: string | undefined
}

/** Lists that somebody is in the middle of. The order is that of the first page; the cells are those of each page's time. */
export class Iterators {
  readonly #clock: Clock
  readonly #random: Random
  readonly #ttlMs: number
  readonly #open = new Map<string, Iterator>()

  constructor(options: { clock: Clock; random: Random; ttlMs: number }) {
    this.#clock = options.clock
    this.#random = options.random
    this.#ttlMs = options.ttlMs
  }

  first(table: Table, order: readonly StoredRecord[], pageSize: number): RecordPage {
    const iterator = { table, order, position: 0, usedAt: this.#clock.monotonic() }
    const page = this.#page(iterator, undefined, 0, pageSize)
    if (page.next === undefined) return { records: page.records, offset: undefined }
    const id = this.#random.id('itr')
    this.#prune()
    this.#open.set(id, iterator)
    return { records: page.records, offset: `${id}/${page.next.id}` }
  }

  /** Throws 422 when there is nothing to go on with. */
  next(table: Table, offset: string, pageSize: number): RecordPage {
    const [, id = '', recordId = ''] = OFFSET.exec(offset) ?? []
    if (id === '') throw new ApiError(422, 'INVALID_OFFSET_VALUE', 'The offset is not one that a list gave')
    this.#prune()
    const iterator = this.#open.get(id)
    if (iterator === undefined || iterator.table !== table) throw iteratorGone()
    iterator.usedAt = this.#clock.monotonic()
    const at = this.#find(iterator, recordId)
    if (at < 0) throw iteratorGone()
    const page = this.#page(iterator, id, at, pageSize)
    return { records: page.records, offset: page.next === undefined ? undefined : `${id}/${page.next.id}` }
  }

  /** As a restart of the server would. */
  dropAll(): void {
    this.#open.clear()
  }

  #find(iterator: Iterator, recordId: string): number {
    if (iterator.order[iterator.position]?.id === recordId) return iterator.position
    return iterator.order.findIndex(({ id }) => id === recordId)
  }

  #page(iterator: Iterator, id: string | undefined, from: number, pageSize: number) {
    const records: StoredRecord[] = []
    let at = from
    for (; at < iterator.order.length && records.length < pageSize; at += 1) {
      const record = iterator.order[at]
      // Who was deleted meanwhile is passed over.
      if (record !== undefined && iterator.table.find(record.id) !== undefined) records.push(record)
    }
    if (id !== undefined || at < iterator.order.length) iterator.position = at
    return { records, next: iterator.order[at] }
  }

  #prune(): void {
    const now = this.#clock.monotonic()
    for (const [id, { usedAt }] of this.#open) if (now - usedAt > this.#ttlMs) this.#open.delete(id)
  }
}
