import { Failure } from '../../errors.ts'
import { shown } from './names.ts'
import type { RecordPage, RecordReader } from './records.ts'
import { Refusal } from './refusal.ts'

/** How often a list is begun again that cannot be continued. */
const MAX_RESTARTS = 3
/** How often in a row Airtable may answer with a page that leads back to itself. */
const MAX_REPEATS = 3
/** Far more than Airtable keeps in a table: a list without end is somebody's mistake. */
const MAX_PAGES = 50_000

export interface ListPage extends RecordPage {
  /** What the list gave before does not count: it began again. */
  readonly isRestart: boolean
}

/**
 * All records of a table, or those that a formula keeps, page after page; Airtable keeps their order for as long as
 * somebody goes on. A list that is gone meanwhile begins again, a few times.
 */
export class RecordList {
  readonly #reader: RecordReader
  readonly #table: { readonly id: string; readonly name: string }
  readonly #options: { readonly signal: AbortSignal; readonly formula?: string }
  #offset: string | null
  #pages = 0
  #repeats = 0
  #restarts = 0

  constructor(
    reader: RecordReader,
    table: { readonly id: string; readonly name: string },
    { offset, ...options }: { readonly signal: AbortSignal; readonly formula?: string; readonly offset: string | null },
  ) {
    this.#reader = reader
    this.#table = table
    this.#options = options
    this.#offset = offset
  }

  /** The page after the one before; not to be called after the last. @throws as `RecordReader.page` */
  async next(): Promise<ListPage> {
    for (let isRestart = false; ;) {
      const page = await this.#read()
      if (page !== undefined) return { ...page, isRestart }
      isRestart = true
      this.#offset = null
      this.#repeats = 0
    }
  }

  /** Undefined where the list has to begin again. */
  async #read(): Promise<RecordPage | undefined> {
    if ((this.#pages += 1) > MAX_PAGES) {
      throw new Failure('upstream_malformed', `The list of table ${shown(this.#table.name)} has no end.`)
    }
    const asked = this.#offset
    try {
      const page = await this.#reader.page(this.#table, { ...this.#options, offset: asked })
      // The page before once more; its records are there already, and so is what follows.
      this.#repeats = asked !== null && page.offset === asked ? this.#repeats + 1 : 0
      if (this.#repeats > MAX_REPEATS) throw goesInCircles(this.#table.name)
      this.#offset = page.offset
      return page
    } catch (error) {
      const isGone = error instanceof Refusal && error.isIteratorGone
      if (!isGone || (this.#restarts += 1) > MAX_RESTARTS) throw error
      return undefined
    }
  }
}

function goesInCircles(table: string): Refusal {
  const message = `Airtable lists the same records of table ${shown(table)} again and again.`
  return new Refusal('upstream_unavailable', message, { httpStatus: 422, type: 'LIST_RECORDS_ITERATOR_NOT_AVAILABLE' })
}
