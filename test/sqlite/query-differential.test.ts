import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Answer, Query, TextShape } from '../../lib/query.ts'
import { recordToJson } from '../../lib/record-json.ts'
import { resolveQuery } from '../../lib/resolve-query.ts'
import type { TableOptions } from '../../lib/settings.ts'
import { openSnapshot } from '../../lib/sqlite/database.ts'
import { QueryEngine } from '../../lib/sqlite/query-engine.ts'
import { testSeed } from '../support/random.ts'
import { conditions, idOf, idsOf, KEY_ORDER, makeRows, orders, toPlain, TYPES } from './generated-query.ts'
import { compareRows, holds } from './plain-query.ts'
import { EVERYTHING, QuerySite } from './query-site.ts'

const SEED = testSeed()
const RUNS = Number(process.env.HOLDFAST_QUERY_RUNS ?? 250)

const RECORDS: TextShape = { separator: '\n', names: { id: '_id', created: '_created', modified: '_modified' } }

/** The rows of an answer as `RECORDS` asks for them. */
function recordsOf({ columns, rows, facts }: Answer): string {
  const write = recordToJson(columns, RECORDS.names!)
  return rows.map((row, index) => write(row, facts[index]!)).join('\n')
}

const seen = { bounded: 0, unbounded: 0, nonempty: 0 }

describe(`queries, next to plain JavaScript (seed ${SEED})`, () => {
  const tables: [string, TableOptions][] = [
    ['without an index', {}],
    ['with indexes', { indexes: ['n', ['t', 'n'], ['b', 'r', 't'], 'u', ['u', 'b'], 'd', ['b', 'd']] }],
  ]
  for (const [name, table] of tables) {
    test(`find, sort and page the same rows: ${name}`, async () => {
      const rows = makeRows(SEED)
      const plain = rows.map(toPlain)
      using site = await QuerySite.publish({ columns: TYPES, key: ['part', 'no'], rows, table })
      const db = openSnapshot(site.site.folder().file(site.site.pointer().file))
      const engine = new QueryEngine(db, site.site.pointer().tables)
      const ask = (query: Query, isBounded: boolean): Answer | undefined =>
        engine.answer(resolveQuery(query, site.table, undefined), { maxBytes: 2 ** 30, isBounded })
      try {
        fc.assert(
          fc.property(conditions(), orders(), fc.boolean(), fc.integer({ min: 1, max: 60 }), fc.nat(40), fc.boolean(),
            (where, order, byKey, limit, offset, isBounded) => {
              const tie = byKey ? [...order, ...KEY_ORDER] : order
              const expected = plain
                .filter((row) => where === null || holds(where, row, TYPES) === true)
                .toSorted(compareRows(tie, TYPES))
                .map(idOf)
              const base: Query = { ...EVERYTHING, where, order, byKey, limit, count: 'exact' }
              const page = ask({ ...base, offset }, isBounded)
              if (page === undefined) return
              seen[isBounded ? 'bounded' : 'unbounded']++
              if (expected.length > 0) seen.nonempty++
              assert.deepEqual(idsOf(page), expected.slice(offset, offset + limit), 'a page by offset')
              assert.equal(page.hasMore, expected.length > offset + limit, 'hasMore')
              assert.equal(page.total, expected.length, 'total')
              const text = ask({ ...base, offset, text: RECORDS }, isBounded)
              assert.equal(String(text?.text), recordsOf(page), 'the same page as text')
              assert.deepEqual(text, { ...page, text: text?.text, rows: [], facts: [] }, 'and all else of it')
              const walked: string[] = []
              for (let after: Query['after'] = null; ;) {
                const answer: Answer = ask({ ...base, after, count: 'none' }, isBounded) ?? ask({ ...base, after }, false)!
                walked.push(...idsOf(answer))
                if (!answer.hasMore) break
                const told = ask({ ...base, after, text: RECORDS }, isBounded)
                if (told !== undefined) assert.deepEqual(told.last, answer.last, 'where the text goes on')
                after = answer.last
                assert.ok(walked.length <= expected.length, 'pages go on and on')
              }
              assert.deepEqual(walked, expected, 'all pages, each behind the one before')
            }),
          { seed: SEED, numRuns: RUNS },
        ) // prettier-ignore
      } finally {
        db.close()
      }
    })
  }

  test('were asked in every way', () => {
    assert.ok(seen.bounded > 20 && seen.unbounded > 20 && seen.nonempty > 20, JSON.stringify(seen))
  })
})
