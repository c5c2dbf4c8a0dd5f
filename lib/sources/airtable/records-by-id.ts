import { Failure } from '../../errors.ts'
import { recordsFormula } from './formula.ts'
import { shown } from './names.ts'
import { RecordList } from './record-list.ts'
import type { RecordPage, RecordReader } from './records.ts'

/**
 * Those of up to `IDS_OF_A_CALL` records that are still there. One call.
 *
 * @throws as `RecordReader.page`; `upstream_malformed` too when Airtable answers with others than were asked for
 */
export async function recordsById(
  reader: RecordReader,
  table: { readonly id: string; readonly name: string },
  ids: readonly string[],
  signal: AbortSignal,
): Promise<Omit<RecordPage, 'offset'>> {
  const wanted = new Set(ids)
  const list = new RecordList(reader, table, { formula: recordsFormula(ids), offset: null, signal })
  const { records, offset, sentAt } = await list.next()
  // Who is not among them counts as deleted: that must not come of a filter that was not heeded.
  if (offset === null && records.every(({ id }) => wanted.has(id))) return { records, sentAt }
  const message = `Airtable was asked for ${ids.length} records of table ${shown(table.name)}, and answers with others.`
  throw new Failure('upstream_malformed', message)
}
