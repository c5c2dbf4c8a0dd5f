import { bareId, occurrenceId } from '../row-id.ts'
import { fromCell, toCell, type Cell, type Kind } from '../typing.ts'
import { keyText } from '../row-key.ts'
import type { Database } from './database.ts'
import { decimalKey } from './sql-decimal.ts'

/** The SQL functions that staged tables need. */
export function addStagingFunctions(db: Database): void {
  db.function('hf_widen', { deterministic: true, safeIntegers: true }, (from: unknown, to: unknown, cell: unknown) =>
    toCell(to as Kind, fromCell(from as Kind, cell as Cell)),
  )
  db.function('hf_occurrence', { deterministic: true }, (id: unknown, n: unknown) =>
    occurrenceId(id as string, n as number),
  )
  db.function('hf_bare_id', { deterministic: true }, (id: unknown) => bareId(id as string))
  db.function('hf_decimal', { deterministic: true }, (cell: unknown) =>
    cell === null ? null : decimalKey(cell as string),
  )
  db.function('hf_key', { deterministic: true, varargs: true, safeIntegers: true }, (...cells: unknown[]) =>
    keyText(cells),
  )
}
