import { Failure } from '../errors.ts'
import { every, quote, sqliteCode, type Database } from './database.ts'
import { POSITION, type SqlTable } from './snapshot-schema.ts'

/** What becomes of rows that have one key: see `TablePlan.repeats`; `numbered` is for keys made of the rows themselves. */
export type Repeats = 'refused' | 'latest' | 'numbered'

/**
 * Indexes the key of a staged table, once all rows are there: far cheaper than keeping it in order meanwhile. Returns how
 * many rows were dropped because their keys repeat.
 *
 * @throws Failure `snapshot_rejected` when a key repeats with different content and that is refused
 */
export function indexKey(db: Database, table: SqlTable, repeats: Repeats): number {
  const create = `CREATE UNIQUE INDEX ${table.keyIndex} ON ${quote(table.sqlName)} (${table.keySql()})`
  try {
    db.exec(create)
    return 0
  } catch (error) {
    if (!sqliteCode(error)?.startsWith('SQLITE_CONSTRAINT')) throw error
  }
  db.exec(`CREATE INDEX ${table.keyIndex} ON ${quote(table.sqlName)} (${table.keySql()})`)
  let dropped = 0
  if (repeats === 'numbered') numberEqualRows(db, table)
  else if (repeats === 'latest') dropped = dropRows(db, table, '>')
  else {
    refuseDifferent(db, table)
    dropped = dropRows(db, table, '<')
  }
  db.exec(`DROP INDEX ${table.keyIndex}; ${create}`)
  return dropped
}

/** Drops each row that has another of the same key behind it (`>`) or before it (`<`). */
function dropRows(db: Database, table: SqlTable, side: '<' | '>'): number {
  const name = quote(table.sqlName)
  const sameKey = table.key.map((column) => `a.${table.sql(column)} = b.${table.sql(column)}`).join(' AND ')
  const { changes } = db
    .prepare(
      `DELETE FROM ${name} AS b WHERE EXISTS (SELECT 1 FROM ${name} a WHERE ${sameKey} AND a.${POSITION} ${side} b.${POSITION})`,
    )
    .run()
  // Positions stay without gaps: a range of rows is a range of positions.
  db.exec(
    `CREATE TEMP TABLE _hf_order AS SELECT ${POSITION} AS old, row_number() OVER (ORDER BY ${POSITION}) AS new FROM ${name};
     DELETE FROM _hf_order WHERE old = new;
     UPDATE ${name} SET ${POSITION} = -o.new FROM _hf_order o WHERE ${POSITION} = o.old;
     UPDATE ${name} SET ${POSITION} = -${POSITION} WHERE ${POSITION} < 0;
     DROP TABLE _hf_order`,
  )
  return changes
}

function refuseDifferent(db: Database, table: SqlTable): void {
  const name = quote(table.sqlName)
  const same = every(table.columns.map(({ name: column }) => `a.${table.sql(column)} IS b.${table.sql(column)}`))
  const firstKey = table.key.map((column) => `f.${table.sql(column)} = b.${table.sql(column)}`).join(' AND ')
  // Each with the first of its key: each with each would take forever where one repeats often.
  const first = `(SELECT f.${POSITION} FROM ${name} f WHERE ${firstKey} ORDER BY f.${POSITION} LIMIT 1)`
  const clash = db
    .prepare<[], Record<string, unknown>>(
      `SELECT ${table.key.map((column) => `b.${table.sql(column)}`).join(', ')}, a.${POSITION} AS "_hf_a", b.${POSITION} AS "_hf_b"
         FROM ${name} b CROSS JOIN ${name} a ON a.${POSITION} = ${first} WHERE a.${POSITION} < b.${POSITION} AND NOT (${same}) LIMIT 1`,
    )
    .raw()
    .get() as unknown[] | undefined
  if (clash === undefined) return
  const [one, other] = clash.slice(-2).map(Number)
  throw repeatedKey(table.name, clash.slice(0, table.key.length), `rows ${one} and ${other}`)
}

export function repeatedKey(table: string, cells: readonly unknown[], where: string): Failure {
  const key = cells.map(String).join(', ').slice(0, 60)
  return new Failure(
    'snapshot_rejected',
    `Table ${table}: the key ${JSON.stringify(key)} repeats with different content (${where}).`,
    { facts: { reason: 'duplicate_key', table, key } },
  )
}

function numberEqualRows(db: Database, table: SqlTable): void {
  const id = table.keySql()
  const name = quote(table.sqlName)
  db.exec(
    `CREATE TEMP TABLE _hf_repeats AS
       SELECT ${POSITION} AS position, row_number() OVER (PARTITION BY ${id} ORDER BY ${POSITION}) AS n FROM ${name}
        WHERE ${id} IN (SELECT ${id} FROM ${name} GROUP BY ${id} HAVING count(*) > 1);
     UPDATE ${name} SET ${id} = hf_occurrence(${id}, r.n) FROM _hf_repeats r WHERE ${POSITION} = r.position AND r.n > 1;
     DROP TABLE _hf_repeats`,
  )
}

/** A name for the generated key. */
export function freeIdName(taken: ReadonlySet<string>): string {
  let name = 'id'
  while (taken.has(name)) name = `_${name}`
  return name
}

export function missingKey(table: string, columns: readonly string[], row?: number): Failure {
  const names = columns.map((name) => JSON.stringify(name)).join(', ')
  const where = row === undefined ? 'has no column' : `row ${row} has no value in the column`
  return new Failure('snapshot_rejected', `Table ${table}: ${where} ${names} of its key.`, {
    facts: { reason: 'missing_key', table, columns: [...columns] },
  })
}
