import type { Column } from '../column.ts'
import type { RecordNames, ResolvedQuery } from '../query.ts'
import { isoTime, nameStarts } from '../record-json.ts'
import { membersOf } from '../row-json.ts'
import { CHANGED_AT, CREATED_AT, type RowBase, type SqlTable } from './snapshot-schema.ts'

/** Arguments of one call of a function: SQLite may be built to take 127. */
const MAX_ARGUMENTS = 100

/**
 * SQL that writes a row of the table, which goes by the alias `t`, as the JSON object that `recordToJson` makes of it,
 * byte for byte. Undefined where an output is not a column as it is, or the id is made of too many.
 */
export function rowJsonSql(
  table: SqlTable,
  { outputs, text, times }: Pick<ResolvedQuery, 'outputs' | 'text' | 'times'>,
  base: RowBase,
): string | undefined {
  if (text === undefined || outputs.some(({ operand, cast }) => cast !== null || operand.path.length > 0)) {
    return undefined
  }
  if (text.names !== null && table.key.length > MAX_ARGUMENTS) return undefined
  const columns = outputs.map(({ operand, name }) => ({ name, type: operand.type }))
  const pieces = new Pieces()
  for (const { index, start } of membersOf(columns)) {
    pieces.text(start)
    valuePieces(pieces, table, outputs[index]!.operand.column)
  }
  if (columns.length === 0) pieces.text('{')
  if (text.names !== null) namePieces(pieces, table, nameStarts(columns, text.names), times, base)
  pieces.text('}')
  return pieces.sql
}

/** Texts and values that make one text. */
class Pieces {
  readonly #sqls: string[] = []
  #literal = ''

  text(text: string): void {
    this.#literal += text
  }

  value(sql: string): void {
    this.#flush()
    this.#sqls.push(sql)
  }

  get sql(): string {
    this.#flush()
    return concat(this.#sqls)
  }

  #flush(): void {
    if (this.#literal !== '') this.#sqls.push(literal(this.#literal))
    this.#literal = ''
  }
}

function valuePieces(pieces: Pieces, table: SqlTable, column: Column): void {
  const sql = `t.${table.sql(column.name)}`
  switch (column.type) {
    case 'text':
    case 'decimal':
      return pieces.value(`json_quote(${sql})`)
    case 'json':
      return pieces.value(`ifnull(${sql}, 'null')`)
    case 'boolean':
      return pieces.value(`iif(${sql} IS NULL, 'null', iif(${sql} = 1, 'true', 'false'))`)
    case 'integer':
      // Beyond 2^53 it is read as text.
      return pieces.value(`json_quote(${table.read(column, 't.')})`)
    case 'real':
      // SQLite does not write the shortest digits.
      return pieces.value(`ifnull(hf_json(${sql}), 'null')`)
  }
}

function namePieces(
  pieces: Pieces,
  table: SqlTable,
  starts: RecordNames,
  times: ResolvedQuery['times'],
  base: RowBase,
): void {
  pieces.text(starts.id)
  pieces.value(idSql(table))
  pieces.text(`${starts.created}"`)
  pieces.value(timeSql(table, times.created, { name: CREATED_AT, base: base.createdAt }))
  pieces.text(`"${starts.modified}"`)
  pieces.value(timeSql(table, times.modified, { name: CHANGED_AT, base: base.at }))
  pieces.text('"')
}

function idSql(table: SqlTable): string {
  const columns = table.key.map((name) => table.columns.find((column) => column.name === name)!)
  const cells = columns.map((column) => table.read(column, 't.'))
  const [only] = columns
  if (columns.length > 1 || only?.type === 'real') return `json_quote(hf_f_key(${cells.join(', ')}))`
  return `json_quote(CAST(t.${table.sql(only!.name)} AS TEXT))`
}

function timeSql(table: SqlTable, upstream: string | null, own: { name: string; base: number }): string {
  const at = `t.${own.name}`
  if (upstream !== null) return `hf_iso(coalesce(hf_time(t.${table.sql(upstream)}), ${at}))`
  // Most rows have that of the table; what SQLite makes of others is what `isoTime` does, down to the millisecond.
  const written = `strftime('%Y-%m-%dT%H:%M:%fZ', ${at} / 1000.0, 'unixepoch')`
  return `iif(${at} = ${own.base}, ${literal(isoTime(own.base))}, ${written})`
}

function concat(sqls: readonly string[]): string {
  if (sqls.length <= MAX_ARGUMENTS) return `concat(${sqls.join(', ')})`
  const size = Math.ceil(sqls.length / Math.ceil(sqls.length / MAX_ARGUMENTS))
  const groups = Array.from({ length: Math.ceil(sqls.length / size) }, (_, at) =>
    concat(sqls.slice(at * size, (at + 1) * size)),
  )
  return concat(groups)
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
