import type { AirtableClient, CallOptions } from './client.ts'
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
}
