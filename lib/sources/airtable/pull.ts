import type { FailureCode } from '../../errors.ts'
import type { Page, Plan } from '../../source.ts'
import type { AttachmentOptions } from './attachments.ts'
import type { RecordPage } from './records.ts'
import { Refusal } from './refusal.ts'
import { TableRows, type AirtableRecord } from './rows.ts'
import { encodeState, type State } from './state.ts'

type Says = Partial<Pick<Page, 'rows' | 'files' | 'put' | 'deleted' | 'restarts' | 'keeps' | 'done'>>

/** One pull that is going on: its tables, how far it is, and the pages it says that with. */
export class Pull {
  /** In the order of the plan. */
  readonly tables: readonly TableRows[]
  readonly signal: AbortSignal
  #state: State
  #said: State | undefined

  constructor(plan: Plan, state: State, options: { signal: AbortSignal; attachments: AttachmentOptions }) {
    this.tables = plan.tables.map((table) => new TableRows(table, options.attachments))
    this.signal = options.signal
    this.#state = state
  }

  get state(): State {
    return this.#state
  }

  /** What the next page will say. */
  advance(change: Partial<State>): void {
    this.#state = { ...this.#state, ...change }
  }

  /** Whether there is something to be saved that no page has said. */
  get isUnsaid(): boolean {
    return this.#said !== this.#state
  }

  /** Tables that Airtable gives, as far as is known. */
  get given(): TableRows[] {
    return this.tables.filter(({ id }) => !this.#state.kept.includes(id))
  }

  /** A page of this table; what came before it in the pull is saved with it. */
  page(table: TableRows, says: Says = {}): Page {
    this.#said = this.#state
    return { table: table.name, columns: table.columns, rows: [], ...says, next: encodeState(this.#state) }
  }

  /** A page that says nothing; undefined where there is no table to say it of. */
  sign(): Page | undefined {
    const [table] = this.given
    return table && this.page(table)
  }

  /** The rows of records. @throws `Misfit` */
  rows(
    table: TableRows,
    { records, sentAt }: Pick<RecordPage, 'sentAt'> & { records: readonly AirtableRecord[] },
  ): Says {
    const { rows, files } = table.of(records, sentAt)
    return { rows, ...(files.length > 0 && { files }) }
  }

  /** Airtable does not give this table: it stays as it was. @throws what is no reason for that */
  keep(table: TableRows, error: unknown): Page {
    const keeps = reasonToKeep(error)
    if (keeps === undefined) throw error
    const { [table.id]: _reading, ...toRead } = this.#state.toRead
    this.advance({ kept: [...this.#state.kept, table.id], toRead })
    // Where nothing is given, that is the run's failure, not that of some table.
    if (this.given.length === 0) throw error
    return this.page(table, { keeps })
  }
}

function reasonToKeep(error: unknown): { code: FailureCode; message: string } | undefined {
  if (!(error instanceof Refusal) || !error.isOfOneThing) return undefined
  return { code: error.code, message: error.message }
}
