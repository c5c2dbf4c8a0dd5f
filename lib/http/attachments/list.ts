import { setImmediate as nextTurn } from 'node:timers/promises'
import { ruleOf, type Principal } from '../../access.ts'
import type { FileState } from '../../files.ts'
import type { Answer, Condition, Query } from '../../query.ts'
import { tooLarge } from '../answers.ts'
import type { Context } from '../context.ts'
import { badParameter, type ParameterRule, type Parameters } from '../query.ts'
import { readCursor, writeCursor } from '../tables/cursor.ts'
import { resolveTable, type Target } from '../target.ts'
import { askVisible, resolveVisible } from '../visible-query.ts'
import { isAnyRow } from './visible-file.ts'

const DEFAULT_RECORDS = 100
/** Files that are looked up before others have their turn. */
const FILES_A_TURN = 500

export const LIST_PARAMETERS = {
  table: { kind: 'text' },
  record: { kind: 'text' },
  field: { kind: 'text' },
  limit: { kind: 'integer', from: 1 },
  cursor: { kind: 'text' },
} as const satisfies Record<string, ParameterRule>

/** A file of a record, as lists tell of it. */
interface ListedFile {
  readonly id: string
  readonly record: string
  readonly field: string
  readonly name: string | null
  readonly type: string | null
  readonly bytes: number | null
  readonly state: FileState['kind']
  readonly url: string
}

interface FileList {
  readonly target: Target
  /** JSON: a `ListedFile` each. */
  readonly files: readonly string[]
  readonly limit: number
  readonly hasMore: boolean
  /** Goes on behind the last of these records, in key order, whatever is published meanwhile. */
  readonly cursor: string | null
}

type ListContext = Pick<Context, 'sources' | 'snapshots' | 'feed' | 'files' | 'settings'>

/**
 * The files of the records of a table that somebody sees, a page of records at a time, as the rows tell of them.
 *
 * @throws Failure what `resolveTable` and `resolveVisible` throw; `bad_parameter`, `answer_too_large`
 */
export async function listFiles(
  context: ListContext,
  principal: Principal,
  asked: Parameters<typeof LIST_PARAMETERS>,
  signal: AbortSignal,
): Promise<FileList> {
  const { table, record, field } = asked
  if (table === undefined) throw badParameter('table', 'as the table whose attachments are meant')
  const limit = asked.limit ?? Math.min(DEFAULT_RECORDS, context.settings.maxRows)
  if (limit > context.settings.maxRows) {
    throw badParameter('limit', `as a number up to ${context.settings.maxRows}; go on with the cursor`)
  }
  const target = resolveTable(context, principal, table)
  const identity = JSON.stringify(['attachments', target.source, target.table.name, record ?? null, field ?? null])
  const after = asked.cursor === undefined ? null : readCursor(asked.cursor, identity).after
  const columns = fileColumns(target, principal, field)
  const query: Query = {
    outputs: columns.map((column) => ({ operand: operandOf(column), name: column, cast: null })),
    where: { kind: 'and', of: [hasFiles(columns), ...(record === undefined ? [] : [isAnyRow([record], target)])] },
    order: [], byKey: true, offset: 0, limit, after, count: 'none',
  } // prettier-ignore
  if (columns.length === 0) {
    // Whether the table is seen is said all the same.
    resolveVisible({ ...query, where: null }, target, principal)
    return { target, files: [], limit, hasMore: false, cursor: null }
  }
  using _pin = target.mounted.pin()
  const answer = await askVisible(query, target, principal, signal)
  const { hasMore, last } = answer
  const cursor = hasMore && last !== null ? writeCursor({ snapshot: null, after: last, seen: 0 }, identity) : null
  return { target, files: await filesOf(answer, target.source, context), limit, hasMore, cursor }
}

/** Those that are seen, or the one that is asked for: whether that one is there is for the query to say. */
function fileColumns({ source, table }: Target, principal: Principal, field: string | undefined): string[] {
  const hidden = ruleOf(principal, source, table.name)?.hidden ?? []
  const all = (table.fileColumns ?? []).filter((column) => !hidden.includes(column))
  if (field === undefined) return all
  const isKnown = all.includes(field) || !table.columns.some(({ name }) => name === field) || hidden.includes(field)
  return isKnown ? [field] : []
}

function operandOf(column: string): Query['order'][number]['operand'] {
  return { column, path: [], asText: false }
}

function hasFiles(columns: readonly string[]): Condition {
  return {
    kind: 'or',
    of: columns.map((column) => ({ kind: 'test', operand: operandOf(column), test: { op: 'is', value: 'not_null' } })),
  }
}

async function filesOf(
  { columns, rows, facts }: Answer,
  source: string,
  { files, settings }: ListContext,
): Promise<string[]> {
  const base = `${settings.publicUrl ?? ''}/api/attachments/`
  const texts: string[] = []
  let length = 0
  for (const [index, row] of rows.entries()) {
    for (const [place, { name: field }] of columns.entries()) {
      for (const { id, filename, type, size } of entriesOf(row[place])) {
        const file: ListedFile = {
          id,
          record: facts[index]!.id,
          field,
          name: typeof filename === 'string' ? filename : null,
          type: typeof type === 'string' ? type : null,
          bytes: typeof size === 'number' ? size : null,
          state: files.find(source, id).kind,
          url: base + encodeURIComponent(id.toWellFormed()),
        }
        const text = JSON.stringify(file)
        length += text.length
        if (length > settings.answerMaxBytes) throw tooLarge(settings.answerMaxBytes)
        if (texts.push(text) % FILES_A_TURN === 0) await nextTurn()
      }
    }
  }
  return texts
}

interface Entry {
  readonly id: string
  readonly filename?: unknown
  readonly type?: unknown
  readonly size?: unknown
}

/** The files in a cell; what is none is passed over. */
function entriesOf(cell: unknown): Entry[] {
  const value: unknown = typeof cell === 'string' ? JSON.parse(cell) : null
  if (!Array.isArray(value)) return []
  return (value as unknown[]).filter((entry): entry is Entry => typeof (entry as Entry | null)?.id === 'string')
}
