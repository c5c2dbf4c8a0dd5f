import { hiddenColumns, hidesKey, ruleOf, seesWhole, type Principal } from '../access.ts'
import type { JsonValue } from '../column.ts'
import { Failure } from '../errors.ts'
import { withoutChoices } from '../origin.ts'
import type { Snapshots } from '../snapshot.ts'
import { selectColumns, type Selection } from './fetch-data-query.ts'
import type { RowView } from './row-text.ts'
import { findTarget, type Target, type Wanted } from './target.ts'

/** A table as `/fetch-data` shows it to somebody. */
export interface ShownTarget extends Target {
  /** There are columns that they do not see: `table` is without them. */
  readonly isNarrowed: boolean
  /** There is something in its source that they do not see. */
  readonly isPart: boolean
}

/**
 * The table a request means, with the columns there are for its principal; undefined before the first snapshot.
 *
 * @throws Failure `table_not_found`; `forbidden` where only some of its rows may be seen
 */
export function shownTarget(
  wanted: Wanted,
  source: string,
  snapshots: Snapshots,
  principal: Principal,
): ShownTarget | undefined {
  const target = findTarget(wanted, source, snapshots, principal)
  if (!target) return undefined
  const { table } = target
  const rule = ruleOf(principal, source, table.name)
  const isPart = !seesWhole(principal, source)
  if (!rule) return { ...target, isNarrowed: false, isPart }
  if (rule.filter) {
    const path = `/api/tables/${encodeURIComponent(`${source}.${table.name}`)}`
    throw new Failure(
      'forbidden',
      `This key sees some rows of ${source}.${table.name} only. Fetch them from ${path}.`,
      {
        facts: { reason: 'restricted_key', href: path },
      },
    )
  }
  const hidden = hiddenColumns(rule, table)
  const columns = table.columns.filter(({ name }) => !hidden.includes(name))
  return { ...target, table: { ...table, columns }, isNarrowed: true, isPart }
}

/** A table without the columns that somebody does not see; undefined where they do not see what its rows are called. */
export function shownSchema<Shown extends Target>(target: Shown, principal: Principal): Shown | undefined {
  const { source, table } = target
  const rule = ruleOf(principal, source, table.name)
  const hidden = hiddenColumns(rule, table)
  if (hidden.length === 0) return target
  if (hidesKey(rule, table)) return undefined
  return { ...target, table: { ...table, columns: table.columns.filter(({ name }) => !hidden.includes(name)) } }
}

/** Fields as somebody sees them: choices tell of values in all rows, also of other tables by lookups. */
export function shownFields<Field extends { readonly options?: JsonValue }>(
  fields: readonly Field[],
  source: string,
  principal: Principal,
): readonly Field[] {
  return seesWhole(principal, source) ? fields : withoutChoices(fields)
}

/** A selection, cut to the rows there are. */
export function viewOf({ source, table, isNarrowed }: ShownTarget, selection: Selection): RowView {
  const { from, format } = selection
  const to = Math.max(from - 1, Math.min(selection.to, table.rows))
  const columns = selectColumns(table, selection.fields)
  return { source, table, columns, from, to, format, isWhole: selection.isWhole && !isNarrowed }
}
