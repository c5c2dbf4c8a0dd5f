import type { TableOrigin } from '../origin.ts'
import { keyText } from '../row-key.ts'
import { rowToJson } from '../row-json.ts'
import type { Settings } from '../settings.ts'
import type { Pointer, TableInfo } from '../snapshot.ts'
import { attachedTables } from './basis.ts'
import { digestChanges, type DigestedRows } from './digest-changes.ts'
import { every, literal, quote, type Database } from './database.ts'
import { dropIndexes } from './indexes.ts'
import { CHANGED_AT, CREATED_AT, deviates, POSITION, type SqlTable, VERSION, type RowBase } from './snapshot-schema.ts'

export type LogBounds = Settings['changeLog']

export interface Comparison {
  /** False when the staged tables are, in content, shape and layout, those of the active snapshot. */
  readonly isChanged: boolean
  readonly puts: number
  readonly deletes: number
  /** Tables whose readers have to fetch them again. */
  readonly resyncs: readonly string[]
  /** What is known of tables by what changed in them. */
  readonly digested: ReadonlyMap<string, DigestedRows>
}

const PAGE = 2000

/**
 * Compares what was pulled with the active snapshot, gives each row its version, and writes the differences as one
 * batch behind the log that the active snapshot carries. All in the staged file.
 */
export function compare(
  db: Database,
  tables: readonly SqlTable[],
  options: {
    active: { pointer: Pointer; path: string } | undefined
    /** Tables that readers have and that are not there any more, whether or not the active file can be read. */
    gone: readonly string[]
    /** What the upstream calls the tables. */
    origins: ReadonlyMap<string, TableOrigin>
    /** Whether tables are to be digested by what changed in them: they are not read as a whole afterwards. */
    digests: boolean
    /** What the tables will have beside their rows is not what those of the active snapshot have. */
    isLaidOutAnew: boolean
    /** What the staged rows have as their version. */
    bases: ReadonlyMap<string, RowBase>
    /** Number of the batch to write. */
    batch: number
    at: number
    bounds: LogBounds
  },
): Comparison {
  const { active, at, batch } = options
  if (active !== undefined) db.exec(`ATTACH ${literal(active.path)} AS old`)
  try {
    return db.transaction(() => {
      const log = new BatchWriter(db, batch, options.bounds.maxBatch)
      const digested = options.digests ? new Map<string, DigestedRows>() : undefined
      for (const table of tables)
        compareTable(db, table, { active: active?.pointer, bases: options.bases, batch, at, log, digested })
      const hasOtherNames = writeOrigins(db, options.origins, active !== undefined)
      for (const name of options.gone) log.resync(name)
      if (active !== undefined) carryLog(db, { pointer: active.pointer, at, bounds: options.bounds })
      const isChanged = active === undefined || log.hasEntries || options.isLaidOutAnew || hasOtherNames
      if (isChanged) log.finish(at)
      return {
        isChanged,
        puts: log.puts,
        deletes: log.deletes,
        resyncs: log.resyncs,
        digested: digested ?? new Map(),
      }
    })()
  } finally {
    if (active !== undefined) db.exec('DETACH old')
  }
}

interface TableContext {
  bases: ReadonlyMap<string, RowBase>
  active: Pointer | undefined
  batch: number
  at: number
  log: BatchWriter
  digested: Map<string, DigestedRows> | undefined
}

function compareTable(db: Database, table: SqlTable, context: TableContext): void {
  const { batch, at, log } = context
  const info = context.active?.tables.find((old) => old.name === table.name)
  const staged = context.bases.get(table.name)
  const own = staged?.version === batch ? staged : { version: batch, at, createdAt: at }
  if (info === undefined || !hasSameKey(info, table)) {
    setBase(db, table, { staged, base: own })
    log.resync(table.name)
    return
  }
  // Which SQL name a column has depends on the columns before it, and those may have changed places.
  const old = attachedTables(db, 'old', context.active as Pointer).find(({ name }) => name === table.name) as SqlTable
  const oldBase = readOldBase(db, table.name)
  if (!hasSameShape(info, table)) {
    setBase(db, table, { staged, base: { ...own, createdAt: oldBase.createdAt } })
    keepCreation(db, table, old, { base: oldBase, at })
    log.resync(table.name)
    return
  }
  setBase(db, table, { staged, base: oldBase })
  findChanges(db, table, old)
  log.table(table, old)
  const digest = context.digested && digestChanges(db, table, { table: old, info })
  if (digest !== undefined) context.digested?.set(table.name, digest)
  const name = quote(table.sqlName)
  // Rows that changed before and not now keep the version they got then.
  db.exec(
    `UPDATE ${name} AS t SET ${VERSION} = o.${VERSION}, ${CHANGED_AT} = o.${CHANGED_AT}, ${CREATED_AT} = o.${CREATED_AT}
       FROM old.${quote(old.sqlName)} o WHERE (${deviates(oldBase, 'o.')}) AND ${sameKey(table, old, 't')};
     UPDATE ${name} AS t SET ${VERSION} = ${batch}, ${CHANGED_AT} = ${at}, ${CREATED_AT} = iif(p.is_new, ${at}, t.${CREATED_AT})
       FROM temp._hf_puts p WHERE t.${POSITION} = p.position;
     DROP TABLE temp._hf_puts; DROP TABLE temp._hf_deletes;`,
  )
}

/** Rows of a table that got another shape are new ones to its readers, and still as old as they are. */
function keepCreation(db: Database, table: SqlTable, old: SqlTable, then: { base: RowBase; at: number }): void {
  const name = quote(table.sqlName)
  const before = `old.${quote(old.sqlName)}`
  const same = sameKey(table, old, 't')
  db.exec(
    `UPDATE ${name} AS t SET ${CREATED_AT} = o.${CREATED_AT}
       FROM ${before} o WHERE (${deviates(then.base, 'o.')}) AND ${same};
     UPDATE ${name} AS t SET ${CREATED_AT} = ${then.at} WHERE NOT EXISTS (SELECT 1 FROM ${before} o WHERE ${same})`,
  )
}

function setBase(
  db: Database,
  table: SqlTable,
  { staged, base }: { staged: RowBase | undefined; base: RowBase },
): void {
  if (!isSameBase(staged, base)) setVersions(db, table, base)
  describe(db, table, base)
}

/** Gives all rows one version. */
function setVersions(db: Database, table: SqlTable, base: RowBase): void {
  const name = quote(table.sqlName)
  db.exec(
    `DROP INDEX ${table.changedIndex};
     UPDATE ${name} SET ${VERSION} = ${base.version}, ${CHANGED_AT} = ${base.at}, ${CREATED_AT} = ${base.createdAt};
     CREATE INDEX ${table.changedIndex} ON ${name} (${VERSION}) WHERE ${deviates(base)}`,
  )
}

function isSameBase(a: RowBase | undefined, b: RowBase | undefined): boolean {
  return a?.version === b?.version && a?.at === b?.at && a?.createdAt === b?.createdAt
}

function describe(db: Database, table: SqlTable, base: RowBase): void {
  const rows =
    db
      .prepare<[], number>(`SELECT count(*) FROM ${quote(table.sqlName)}`)
      .pluck()
      .get() ?? 0
  db.prepare(
    `INSERT INTO _hf_tables (position, name, key, columns, rows, base_version, base_at, base_created_at)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  ).run(
    table.position,
    table.name,
    JSON.stringify(table.key),
    JSON.stringify(table.columns),
    rows,
    base.version,
    base.at,
    base.createdAt,
  )
}

/** Whether the upstream calls anything otherwise than it did in the active snapshot. */
function writeOrigins(db: Database, origins: ReadonlyMap<string, TableOrigin>, hasOld: boolean): boolean {
  const write = db.prepare<[string, string]>('UPDATE main._hf_tables SET origin = ? WHERE name = ?')
  for (const [name, origin] of origins) write.run(JSON.stringify(origin), name)
  if (!hasOld) return false
  return (
    db
      .prepare(
        `SELECT 1 FROM main._hf_tables n JOIN old._hf_tables o ON o.name = n.name WHERE n.origin IS NOT o.origin LIMIT 1`,
      )
      .get() !== undefined
  )
}

/** Leaves the changed rows in `_hf_puts` (positions here, and whether the key is new) and `_hf_deletes` (positions there). */
function findChanges(db: Database, table: SqlTable, old: SqlTable): void {
  const name = quote(table.sqlName)
  const before = `old.${quote(old.sqlName)}`
  const isSameKey = sameKey(table, old, 'n')
  const rest = table.columns.filter((column) => !table.key.includes(column.name))
  const same = every(rest.map((column) => `n.${table.sql(column.name)} IS o.${old.sql(column.name)}`))
  // Most rows are where they were: two scans side by side settle those, and only the others are looked up by key.
  db.exec(
    `CREATE TEMP TABLE _hf_moved AS
       SELECT n.${POSITION} AS position FROM main.${name} n
        WHERE NOT EXISTS (SELECT 1 FROM ${before} o WHERE o.${POSITION} = n.${POSITION} AND ${isSameKey} AND ${same});
     CREATE TEMP TABLE _hf_puts AS
       SELECT n.${POSITION} AS position, NOT EXISTS (SELECT 1 FROM ${before} o WHERE ${isSameKey}) AS is_new
         FROM temp._hf_moved m CROSS JOIN main.${name} n ON n.${POSITION} = m.position
        WHERE NOT EXISTS (SELECT 1 FROM ${before} o WHERE ${isSameKey} AND ${same});
     DROP TABLE temp._hf_moved;`,
  )
  const count = db.prepare<[], number>(`SELECT count(*) FROM main.${name}`).pluck().get() ?? 0
  const oldCount = db.prepare<[], number>(`SELECT count(*) FROM ${before}`).pluck().get() ?? 0
  const kept = db.prepare<[], number>(`SELECT count(*) FROM temp._hf_puts WHERE NOT is_new`).pluck().get() as number
  const puts = db.prepare<[], number>(`SELECT count(*) FROM temp._hf_puts`).pluck().get() as number
  // Old rows that are still here: all new ones but those whose key is new. Without a loss there is nothing to look for.
  const stillHere = count - puts + kept
  db.exec(
    `CREATE TEMP TABLE _hf_deletes AS SELECT o.${POSITION} AS position FROM ${before} o
       WHERE ${stillHere < oldCount} AND NOT EXISTS (SELECT 1 FROM main.${name} n WHERE ${isSameKey})`,
  )
}

/** Writes one batch; a table with more changes than a batch may have becomes one `resync`. */
class BatchWriter {
  readonly #db: Database
  readonly #batch: number
  readonly #maxEntries: number
  readonly #insert
  #entries = 0
  #bytes = 0
  puts = 0
  deletes = 0
  readonly resyncs: string[] = []

  constructor(db: Database, batch: number, maxEntries: number) {
    this.#db = db
    this.#batch = batch
    this.#maxEntries = maxEntries
    this.#insert = db.prepare(`INSERT INTO _hf_log (batch, table_name, key, op, row) VALUES (${batch}, ?, ?, ?, ?)`)
  }

  get hasEntries(): boolean {
    return this.#entries > 0
  }

  resync(table: string): void {
    this.resyncs.push(table)
    this.#add(table, '', 'resync', null)
  }

  /** Adds what `findChanges` found. */
  table(table: SqlTable, old: SqlTable): void {
    const puts = this.#count('_hf_puts')
    const deletes = this.#count('_hf_deletes')
    this.puts += puts
    this.deletes += deletes
    if (this.#entries + puts + deletes > this.#maxEntries) {
      this.resync(table.name)
      return
    }
    for (const row of this.#pages('_hf_deletes', `old.${quote(old.sqlName)}`, old, old.key.length)) {
      this.#add(table.name, keyText(row), 'delete', null)
    }
    const toJson = rowToJson(table.columns)
    for (const row of this.#pages('_hf_puts', `main.${quote(table.sqlName)}`, table, Infinity)) {
      this.#add(table.name, keyText(row.slice(0, table.key.length)), 'put', toJson(row.slice(table.key.length)))
    }
  }

  /** Every snapshot has its batch; one that only lays its tables out anew has an empty one. */
  finish(at: number): void {
    this.#db
      .prepare('INSERT INTO _hf_batches (batch, watermark, at, entries, bytes) VALUES (?, NULL, ?, ?, ?)')
      .run(this.#batch, at, this.#entries, this.#bytes)
  }

  /** Rows at the positions in `changes`: the key's cells, then (if wanted) all columns' cells. */
  *#pages(changes: string, from: string, table: SqlTable, columns: number): Generator<unknown[]> {
    const key = table.key.map((name) => table.columns.find((column) => column.name === name))
    const read = [...key, ...(columns === Infinity ? table.columns : [])].map((column) => table.read(column!, 't.'))
    const page = this.#db
      .prepare<[number, number], unknown[]>(
        `SELECT ${read.join(', ')} FROM temp.${changes} c CROSS JOIN ${from} t ON t.${POSITION} = c.position
          WHERE c.rowid > ? AND c.rowid <= ? ORDER BY c.rowid`,
      )
      .raw()
    for (let after = 0, end = this.#count(changes); after < end; after += PAGE) yield* page.all(after, after + PAGE)
  }

  #count(changes: string): number {
    return this.#db.prepare<[], number>(`SELECT count(*) FROM temp.${changes}`).pluck().get() as number
  }

  #add(table: string, key: string, op: string, row: string | null): void {
    this.#insert.run(table, key, op, row)
    this.#entries++
    this.#bytes += key.length + (row?.length ?? 0)
  }
}

/** Copies the log that the active snapshot carries, within its bounds; the batch of its pointer gets its watermark. */
function carryLog(db: Database, options: { pointer: Pointer; at: number; bounds: LogBounds }): void {
  const { pointer, at, bounds } = options
  // After a rollback the log of the file tells of rows that are no longer so.
  if (pointer.isRolledBack) return
  const prune = db
    .prepare<[number, number, number], number>(
      `SELECT coalesce(max(batch), 0) FROM (
         SELECT batch, at,
           sum(entries) OVER (ORDER BY batch DESC) AS entries_since,
           sum(bytes) OVER (ORDER BY batch DESC) AS bytes_since
         FROM old._hf_batches)
       WHERE at < ? OR entries_since > ? OR bytes_since > ?`,
    )
    .pluck()
    .get(at - bounds.maxAgeMs, bounds.maxEntries, bounds.maxBytes)
  db.prepare('INSERT INTO _hf_log SELECT * FROM old._hf_log WHERE batch > ?').run(prune)
  // The newest pruned batch stays as an empty one: its watermark is where the log begins.
  db.prepare(
    `INSERT INTO _hf_batches
       SELECT batch, iif(batch = $newest, $watermark, watermark), at,
              iif(batch = $pruned, 0, entries), iif(batch = $pruned, 0, bytes)
         FROM old._hf_batches WHERE batch >= $pruned`,
  ).run({ newest: pointer.batch, watermark: pointer.watermark, pruned: prune })
}

/** Takes back what was done behind the pull by a run that was killed there. */
export function undoCompare(db: Database, tables: readonly SqlTable[], bases: ReadonlyMap<string, RowBase>): void {
  // Of a snapshot without tables there is a batch all the same.
  if (db.prepare('SELECT 1 FROM _hf_tables UNION ALL SELECT 1 FROM _hf_batches LIMIT 1').get() === undefined) return
  db.transaction(() => {
    dropIndexes(db, tables)
    for (const table of tables) setVersions(db, table, bases.get(table.name) as RowBase)
    db.exec('DELETE FROM _hf_tables; DELETE FROM _hf_log; DELETE FROM _hf_batches')
  })()
}

/** The watermark from which on the staged file's log is complete, given the one the new batch will get. */
export function logStart(db: Database, batch: number): string | null {
  const first = db
    .prepare<[], { batch: number; watermark: string | null }>(
      'SELECT batch, watermark FROM _hf_batches ORDER BY batch LIMIT 1',
    )
    .get()
  return first === undefined || first.batch === batch ? null : first.watermark
}

function hasSameKey(info: TableInfo, table: SqlTable): boolean {
  const facts = (of: Pick<TableInfo, 'key' | 'columns'>) =>
    JSON.stringify(of.key.map((name) => [name, of.columns.find((column) => column.name === name)?.type]))
  return facts(info) === facts(table)
}

function hasSameShape(info: TableInfo, table: SqlTable): boolean {
  const facts = (columns: TableInfo['columns']) =>
    JSON.stringify(columns.map(({ name, type }) => JSON.stringify([name, type])).toSorted())
  return facts(info.columns) === facts(table.columns)
}

function sameKey(table: SqlTable, old: SqlTable, alias: string): string {
  return table.key.map((column) => `${alias}.${table.sql(column)} = o.${old.sql(column)}`).join(' AND ')
}

function readOldBase(db: Database, name: string): RowBase {
  return db
    .prepare<[string], RowBase>(
      `SELECT base_version AS version, base_at AS at, base_created_at AS createdAt FROM old._hf_tables WHERE name = ?`,
    )
    .get(name) as RowBase
}
