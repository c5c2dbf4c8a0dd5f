import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Page, Plan, Source } from '../../lib/source.ts'
import { planOptions } from '../support/plan-options.ts'

export interface ContractSubject {
  readonly source: Source
  /** Frees the upstream; a source that leaks makes it fail or hang. */
  dispose(): void | Promise<void>
  /** How many handles, connections or the like the source holds right now, where that can be told. */
  readonly heldResources?: () => number
}

/**
 * What every source promises (`lib/source.ts`). `build` makes a source over an upstream that does not change, with
 * several pages of rows; `buildWithoutRows`, where an upstream can be like that, one with tables but no rows.
 */
export function sourceContract(
  name: string,
  build: () => ContractSubject | Promise<ContractSubject>,
  buildWithoutRows?: () => ContractSubject | Promise<ContractSubject>,
): void {
  describe(`${name} keeps the contract of a source`, () => {
    test(
      'the plan of an unchanged upstream is the same each time',
      withSubject(build, async ({ source }) => {
        assert.deepEqual(await source.plan(planOptions(live())), await source.plan(planOptions(live())))
      }),
    )

    test(
      'every pull yields the same rows of planned tables',
      withSubject(build, async ({ source }) => {
        const plan = await source.plan(planOptions(live()))
        const pages = await pull(source, plan)
        assert.ok(pages.length > 2, 'the contract needs a subject with some pages')
        for (const page of pages) checkPage(page, plan)
        assert.deepEqual(rowsOf(await pull(source, plan)), rowsOf(pages))
      }),
    )

    test(
      'what is expected of a table is what it has',
      withSubject(build, async ({ source }) => {
        const plan = await source.plan(planOptions(live()))
        const rows = rowsOf(await pull(source, plan))
        for (const table of plan.tables) {
          if (table.expectedRows !== undefined) assert.equal(rows.get(table.name)?.length, table.expectedRows)
        }
      }),
    )

    test(
      'resuming from any cursor yields exactly the rest',
      withSubject(build, async ({ source }) => {
        const plan = await source.plan(planOptions(live()))
        const pages = await pull(source, plan)
        for (const [index, { next }] of pages.entries()) {
          const rest = await pull(source, plan, next)
          assert.deepEqual(rowsOf(rest), rowsOf(pages.slice(index + 1)), `after page ${index}`)
        }
      }),
    )

    test(
      'progress grows and stays within 0 and 1',
      withSubject(build, async ({ source }) => {
        const done = (await pull(source, await source.plan(planOptions(live())))).flatMap((page) => page.done ?? [])
        assert.deepEqual(
          done,
          done.toSorted((a, b) => a - b),
        )
        assert.ok(done.every((share) => share >= 0 && share <= 1))
      }),
    )

    test(
      'an aborted pull ends with the reason of the signal',
      withSubject(build, async ({ source, heldResources }) => {
        const plan = await source.plan(planOptions(live()))
        const abort = new AbortController()
        const reason = new Error('enough')
        const pages = source.pull({ plan, signal: abort.signal })[Symbol.asyncIterator]()
        await pages.next()
        abort.abort(reason)
        await assert.rejects(pages.next(), reason)
        assert.equal(heldResources?.() ?? 0, 0)
      }),
    )

    test(
      'nothing begins when the signal is aborted already',
      withSubject(build, async ({ source }) => {
        const reason = new Error('not now')
        const plan = await source.plan(planOptions(live()))
        await assert.rejects(source.plan(planOptions(AbortSignal.abort(reason))), reason)
        const pages = source.pull({ plan, signal: AbortSignal.abort(reason) })[Symbol.asyncIterator]()
        await assert.rejects(pages.next(), reason)
      }),
    )

    test(
      'returning the iterator early frees the upstream',
      withSubject(build, async ({ source, heldResources }) => {
        const plan = await source.plan(planOptions(live()))
        for await (const page of source.pull({ plan, signal: live() })) {
          checkPage(page, plan)
          break
        }
        assert.equal(heldResources?.() ?? 0, 0)
      }),
    )

    test(
      'another identity than the planned one is upstream_changed',
      withSubject(build, async ({ source }) => {
        const plan = { ...(await source.plan(planOptions(live()))), identity: 'another' }
        await assert.rejects(pull(source, plan), { name: 'Failure', code: 'upstream_changed' })
      }),
    )

    test(
      'a watch can be disposed of',
      withSubject(build, ({ source }) => {
        source.watch?.(() => {})[Symbol.dispose]()
      }),
    )

    if (buildWithoutRows === undefined) return
    test(
      'a table without rows is announced by one page',
      withSubject(buildWithoutRows, async ({ source }) => {
        const plan = await source.plan(planOptions(live()))
        const pages = await pull(source, plan)
        assert.deepEqual(
          pages.map(({ table, rows }) => [table, rows]),
          plan.tables.map(({ name: table }) => [table, []]),
        )
        for (const [index, { next }] of pages.entries()) {
          assert.equal((await pull(source, plan, next)).length, pages.length - index - 1)
        }
      }),
    )
  })
}

function withSubject(
  build: () => ContractSubject | Promise<ContractSubject>,
  claim: (subject: ContractSubject) => void | Promise<void>,
): () => Promise<void> {
  return async () => {
    const subject = await build()
    try {
      await claim(subject)
    } finally {
      await subject.dispose()
    }
  }
}

function live(): AbortSignal {
  return new AbortController().signal
}

async function pull(source: Source, plan: Plan, resumeFrom?: string): Promise<Page[]> {
  return Array.fromAsync(source.pull({ plan, ...(resumeFrom !== undefined && { resumeFrom }), signal: live() }))
}

function checkPage(page: Page, plan: Plan): void {
  assert.ok(
    plan.tables.some((table) => table.name === page.table),
    `${page.table} was not planned`,
  )
  assert.equal(new Set(page.columns).size, page.columns.length, 'a column is named twice')
  for (const row of page.rows) {
    assert.equal(row.length, page.columns.length)
    assert.ok(!row.includes(undefined as never), 'a cell without a value is null')
  }
  assert.doesNotThrow(() => JSON.parse(page.next), 'a cursor is JSON text')
}

/** Rows by table, each cell with its column: how they are cut into pages does not matter. */
function rowsOf(pages: readonly Page[]): Map<string, unknown[]> {
  const rows = new Map<string, unknown[]>()
  for (const { table, columns, rows: cells } of pages) {
    const known = rows.get(table) ?? []
    for (const row of cells) {
      const present = columns.flatMap((column, index) => (row[index] === null ? [] : [[column, row[index]] as const]))
      known.push(Object.fromEntries(present))
    }
    if (known.length > 0) rows.set(table, known)
  }
  return rows
}
