import type { FileOffer } from '../../files.ts'
import type { AirtableClient } from './client.ts'
import { IDS_OF_A_CALL } from './formula.ts'
import { layoutOf } from './layout.ts'
import { selectTables } from './plan-tables.ts'
import { recordsById } from './records-by-id.ts'
import type { RecordReader } from './records.ts'
import { Refusal } from './refusal.ts'
import { TableRows } from './rows.ts'
import { fetchTables } from './schema.ts'

/**
 * Reads the records again that these rows were made of, for the URLs of their files: one call for the schema, and one for
 * each hundred rows of a table. What Airtable does not give is left out.
 */
export async function offersOf(
  rows: readonly { readonly table: string; readonly key: string }[],
  parts: {
    readonly client: AirtableClient
    readonly reader: RecordReader
    readonly baseId: string
    readonly only: readonly string[] | undefined
  },
  signal: AbortSignal,
): Promise<FileOffer[]> {
  const { client, reader, baseId, only } = parts
  signal.throwIfAborted()
  if (rows.length === 0) return []
  const described = await fetchTables(client, baseId, { signal })
  const offers: FileOffer[] = []
  for (const { table, name } of selectTables(described, only)) {
    const keys = [...new Set(rows.filter((row) => row.table === name).map(({ key }) => key))]
    const layout = layoutOf(table, { baseId, name, mirrorsFiles: true, hasMisfits: true })
    const tableRows = new TableRows(layout, { publicUrl: null, mirrorsFiles: true })
    for (let from = 0; from < keys.length; from += IDS_OF_A_CALL) {
      try {
        const page = await recordsById(reader, table, keys.slice(from, from + IDS_OF_A_CALL), signal)
        offers.push(...tableRows.of(page.records, page.sentAt).files)
      } catch (error) {
        if (!(error instanceof Refusal) || !error.isOfOneThing) throw error
      }
    }
  }
  return offers
}
