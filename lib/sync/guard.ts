import { Failure } from '../errors.ts'
import type { GuardSettings } from '../settings.ts'
import type { Pointer } from '../snapshot.ts'
import type { Plan } from '../source.ts'
import type { PulledTable } from '../store.ts'

/**
 * Refuses what is more likely an accident than the truth. Nothing is lost by it: the old snapshot goes on being
 * served, and an operator can publish what was refused.
 *
 * @throws Failure `snapshot_rejected`; `facts.reason` says which rule
 */
export function guard(
  pulled: readonly PulledTable[],
  options: { plan: Plan; active: Pointer | undefined; limits: GuardSettings },
): void {
  const { plan, active, limits } = options
  for (const table of pulled) {
    const expected = plan.tables.find((planned) => planned.name === table.name)?.expectedRows
    if (expected !== undefined && expected !== table.rows && !table.isKept) {
      refuse('count_differs', table.name, `${table.rows} rows were pulled, but the upstream says it has ${expected}`)
    }
  }
  // Where the upstream says what it has, what it does not name is gone: that is no accident.
  const tellsSchema = plan.tables.every(({ columns }) => columns !== undefined)
  for (const old of active?.tables ?? []) {
    const table = pulled.find((candidate) => candidate.name === old.name)
    if (table === undefined) {
      if (!limits.freezeColumns && tellsSchema) continue
      refuse('table_missing', old.name, `the upstream has it no more`)
    }
    if (old.rows > 0 && table.rows === 0) refuse('table_empty', old.name, `it had ${old.rows} rows and now has none`)
    if (table.rows < old.rows * (1 - limits.maxLostShare)) {
      const share = Math.round(limits.maxLostShare * 100)
      refuse(
        'rows_lost',
        old.name,
        `${table.rows} of ${old.rows} rows are left; losing more than ${share} % is refused`,
      )
    }
    const lost = old.columns.map((column) => column.name).filter((name) => !table.columns.includes(name))
    if (limits.freezeColumns && lost.length > 0) {
      refuse(
        'columns_lost',
        old.name,
        `the column${lost.length > 1 ? 's' : ''} ${lost.map((name) => JSON.stringify(name)).join(', ')} ${lost.length > 1 ? 'are' : 'is'} missing`,
      )
    }
  }
}

function refuse(reason: string, table: string, detail: string): never {
  throw new Failure('snapshot_rejected', `Table ${table}: ${detail}.`, { facts: { reason, table } })
}
