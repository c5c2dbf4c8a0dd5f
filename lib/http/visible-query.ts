import { ruleOf, type Principal } from '../access.ts'
import { Failure } from '../errors.ts'
import type { Answer, Query, ResolvedQuery } from '../query.ts'
import { resolveQuery } from '../resolve-query.ts'
import type { HttpLog } from './log.ts'
import type { Target } from './target.ts'

const MAX_TOLD = 1000

const ALL: Query = {
  outputs: ['*'], where: null, order: [], byKey: true, offset: 0, limit: 0, after: null, count: 'none',
} // prettier-ignore

/**
 * A query about what a principal sees of a table, for whom rows that it does not see are not there: they are in no
 * estimate, which is made from all rows, and nothing that goes wrong with the filter that hides them tells of it.
 *
 * @throws Failure whatever `resolveQuery` does; `forbidden` where the filter does not fit the table any more
 */
export function resolveVisible(query: Query, target: Target, principal: Principal): ResolvedQuery {
  const { source, table } = target
  const rule = ruleOf(principal, source, table.name)
  if (!rule?.filter) return resolveQuery(query, table, rule)
  try {
    resolveQuery({ ...ALL, where: rule.filter }, table, undefined)
  } catch (cause) {
    if (!(cause instanceof Failure)) throw cause
    throw new Misfit(`${source}.${table.name}`, cause)
  }
  const isEstimated = query.count === 'planned' || query.count === 'estimated'
  return resolveQuery(isEstimated ? { ...query, count: 'exact' } : query, table, rule)
}

/** A key's filter does not fit its table. The cause says more than the key may know. */
export class Misfit extends Failure {
  constructor(table: string, cause: Failure) {
    super(
      'forbidden',
      `What this key may see of ${table} cannot be made out: its filter does not fit the table (any more). Ask for another key.`,
      { facts: { reason: 'restricted_key' }, cause },
    )
  }
}

/** Tells operators of keys that open less than was meant, each once. */
export class Misfits {
  readonly #log: Pick<HttpLog, 'warn'>
  readonly #told = new Set<string>()

  constructor(log: Pick<HttpLog, 'warn'>) {
    this.#log = log
  }

  tell(key: string, { message, cause }: Misfit): void {
    if (this.#told.has(key) || this.#told.size >= MAX_TOLD) return
    this.#told.add(key)
    this.#log.warn({ key, reason: (cause as Failure).message }, message)
  }
}

/**
 * What a principal sees of the answer to a query.
 *
 * @throws Failure what `resolveVisible` and `MountedSnapshot.query` throw
 */
export async function askVisible(
  query: Query,
  target: Target,
  principal: Principal,
  signal: AbortSignal,
): Promise<Answer> {
  const resolved = resolveVisible(query, target, principal)
  try {
    return await target.mounted.query(resolved, { principal: principal.id, signal })
  } catch (error) {
    throw seesSomeRows(target, principal) ? withoutAdvice(error) : error
  }
}

/** Whether a principal sees only some rows of a table. */
export function seesSomeRows({ source, table }: Target, principal: Principal): boolean {
  return ruleOf(principal, source, table.name)?.filter != null
}

/** A failure without what only those who see all rows may read: advice on a slow query names what they are filtered by. */
export function withoutAdvice(error: unknown): unknown {
  if (!(error instanceof Failure) || error.code !== 'query_deadline') return error
  const { facts, cause } = error
  const { hint: _, ...shown } = facts
  return new Failure(
    'query_deadline',
    `The query of ${String(facts.table)} took longer than ${String(facts.deadline_ms)} ms, the time it waited included. Ask for fewer rows, or for no exact count.`,
    { facts: shown, cause },
  )
}
