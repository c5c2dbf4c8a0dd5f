import { Failure } from '../../errors.ts'
import type { AirtableClient, CallOptions } from './client.ts'
import { recordsFormula } from './formula.ts'
import { shown } from './names.ts'
import { recordsIn, type AirtableRecord } from './rows.ts'

const PAGE_SIZE = 100
/** Airtable takes URLs of 16,000 characters; what is longer goes into a body. */
const LONGEST_FORMULA = 12_000

export interface RecordPage {
  readonly records: readonly AirtableRecord[]
  /** Null: it was the last one. */
  readonly offset: string | null
  /** When it was asked for, by this machine's clock. Epoch milliseconds. */
  readonly sentAt: number
}

export interface ListOptions extends Omit<CallOptions, 'doing'> {
  readonly offset?: string | null
  readonly formula?: string
}

/** Reads records of tables, by the ids of their fields: so a field that is renamed meanwhile makes no difference. */
export class RecordReader {
  readonly #client: AirtableClient
  readonly #baseId: string
  readonly #now: () => number

  constructor(client: AirtableClient, baseId: string, now: () => number) {
    this.#client = client
    this.#baseId = baseId
    this.#now = now
  }

  /** One page. One call. @throws as `AirtableClient.call`, Failure `upstream_malformed` */
  async page(table: { id: string; name: string }, { offset, formula, ...options }: ListOptions): Promise<RecordPage> {
    const path = `${encodeURIComponent(this.#baseId)}/${encodeURIComponent(table.id)}`
    const asked = {
      pageSize: PAGE_SIZE,
      returnFieldsByFieldId: true,
      ...(formula !== undefined && { filterByFormula: formula }),
      ...(offset != null && { offset }),
    }
    const isLong = formula !== undefined && encodeURIComponent(formula).length > LONGEST_FORMULA
    const sentAt = this.#now()
    const answer = await this.#client.call(
      isLong ? { method: 'POST', path: `${path}/listRecords`, body: asked } : { method: 'GET', path, query: asked },
      { ...options, doing: `list the records of table ${shown(table.name)}` },
    )
    const next = answer['offset']
    return {
      records: recordsIn(answer, table.name),
      offset: typeof next === 'string' && next !== '' ? next : null,
      sentAt,
    }
  }

  /**
   * Those of up to `IDS_OF_A_CALL` records that are still there.
   *
   * @throws as `page`; `upstream_malformed` too when Airtable answers with more than was asked for
   */
  async byId(
    table: { id: string; name: string },
    ids: readonly string[],
    options: Omit<CallOptions, 'doing'>,
  ): Promise<Omit<RecordPage, 'offset'>> {
    const wanted = new Set(ids)
    const { records, offset, sentAt } = await this.page(table, { ...options, formula: recordsFormula(ids) })
    // Who is not among them counts as deleted: that must not come of a filter that was not heeded.
    if (offset === null && records.every(({ id }) => wanted.has(id))) return { records, sentAt }
    const message = `Airtable was asked for ${ids.length} records of table ${shown(table.name)}, and answers with others.`
    throw new Failure('upstream_malformed', message)
  }
}
