import { MAX_OUTPUTS } from './grammar-bounds.ts'
import { GrammarText } from './grammar-text.ts'
import type { Cast, Operand, Output } from './query.ts'

/** PostgreSQL's names of types, to ours. */
const CASTS_BY_NAME: ReadonlyMap<string, Cast> = new Map(
  Object.entries({
    text: ['text', 'varchar', 'char', 'character', 'character varying', 'bpchar'],
    integer: ['integer', 'int', 'int2', 'int4', 'int8', 'bigint', 'smallint'],
    real: ['real', 'float', 'float4', 'float8', 'double precision'],
    decimal: ['decimal', 'numeric'],
    boolean: ['boolean', 'bool'],
    json: ['json', 'jsonb'],
  } satisfies Record<Cast, readonly string[]>).flatMap(([cast, names]) => names.map((name) => [name, cast as Cast])),
)

const NO_EMBEDDING =
  'Tables are not embedded in one another here, since they have no foreign keys: ask for each by itself.'
const NO_AGGREGATES = 'Aggregates are not computed here. Prefer: count=exact tells how many rows there are.'

/** `a,alias:b->c::text,*`. */
export function parseSelect(text: string, parameter = 'select'): readonly (Output | '*')[] {
  const reader = new GrammarText(parameter, text)
  const outputs: (Output | '*')[] = []
  do {
    if (outputs.length >= MAX_OUTPUTS) throw reader.exceeds(`at most ${MAX_OUTPUTS} columns`)
    reader.skipSpaces()
    outputs.push(readOutput(reader))
    reader.skipSpaces()
  } while (reader.take(','))
  reader.expectEnd('a comma or the end')
  return outputs
}

function readOutput(reader: GrammarText): Output | '*' {
  if (reader.sees('...')) throw reader.notSupported(NO_EMBEDDING)
  if (reader.take('*')) return '*'
  const first = reader.name('a column or *')
  const isAlias = reader.sees(':') && !reader.sees('::')
  if (isAlias) reader.take(':')
  const operand = isAlias ? reader.operand() : reader.operandOf(first)
  refuseCall(reader, operand)
  const cast = reader.take('::') ? readCast(reader) : null
  refuseCall(reader, operand)
  return { operand, name: isAlias ? first : outputName(operand), cast }
}

/** The name of the last member; positions in arrays have none. */
function outputName({ column, path }: Operand): string {
  return path.findLast((step) => typeof step === 'string') ?? column
}

function readCast(reader: GrammarText): Cast {
  const name = reader.match(/[A-Za-z0-9_ ]+/y).trim()
  if (name === '') throw reader.fail('the name of a type')
  const cast = CASTS_BY_NAME.get(name.toLowerCase().replace(/ +/g, ' '))
  if (cast !== undefined) return cast
  throw reader.notSupported(
    `There is no cast to ${name.slice(0, 50)}. There is: ${[...CASTS_BY_NAME.keys()].join(', ')}.`,
  )
}

/** Things with parentheses behind a name, which are known but not done. */
function refuseCall(reader: GrammarText, { column, path }: Operand): void {
  if (reader.sees('()') && column === 'count' && path.length === 0) throw reader.notSupported(NO_AGGREGATES)
  if (reader.sees('(') || reader.sees('!')) throw reader.notSupported(NO_EMBEDDING)
  if (!reader.sees('.')) return
  if (/\.[a-z]+\(\)/y.test(reader.text.slice(reader.at, reader.at + 20))) throw reader.notSupported(NO_AGGREGATES)
  throw reader.fail('a comma or the end; a name that has a dot itself is written in double quotes')
}
