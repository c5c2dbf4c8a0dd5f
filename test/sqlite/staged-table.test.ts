import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ExactNumber, type ColumnType, type Value } from '../../lib/column.ts'
import { Failure } from '../../lib/errors.ts'
import { disk } from '../../lib/base/files.ts'
import { openOwn } from '../../lib/sqlite/database.ts'
import { Staged } from '../../lib/sqlite/staged.ts'
import { cells, Staging } from './staging.ts'

const refusal = (code: string, reason?: string) => (error: unknown) => {
  assert.ok(error instanceof Failure, String(error))
  assert.equal(error.code, code)
  if (reason !== undefined) assert.equal(error.facts.reason, reason)
  return true
}

describe('a table of bare text (CSV)', () => {
  const columns = (...texts: (string | null)[]) => {
    using staging = new Staging({ name: 't', untyped: true })
    for (const text of texts) staging.write(cells('c', text))
    return { type: staging.types().c, values: staging.column('c') }
  }

  test('shows a column of whole numbers as integers, and one beyond 2^53 as its digits', () => {
    assert.deepEqual(columns('1', null, '-20', '0'), { type: 'integer', values: [1, null, -20, 0] })
    assert.deepEqual(columns('1', '9007199254740993'), { type: 'integer', values: [1, '9007199254740993'] })
    assert.deepEqual(columns('-9223372036854775808', '9223372036854775807').values, [
      '-9223372036854775808',
      '9223372036854775807',
    ])
  })

  test('keeps decimals digit for digit', () => {
    assert.deepEqual(columns('1', '10.50', '-0.10'), { type: 'decimal', values: ['1', '10.50', '-0.10'] })
    assert.deepEqual(columns('1', '9223372036854775808'), { type: 'decimal', values: ['1', '9223372036854775808'] })
    assert.deepEqual(columns('1', '-0'), { type: 'decimal', values: ['1', '-0'] })
  })

  test('leaves everything as text once one cell is: 00123 stays what it is', () => {
    assert.deepEqual(columns('1', '00123', '10.50'), { type: 'text', values: ['1', '00123', '10.50'] })
    for (const odd of ['', 'NULL', '+1', '1e5', ' 1', '1 ', '1,5', '١', '1\n', 'true']) {
      assert.deepEqual(columns('7', '7.0', odd), { type: 'text', values: ['7', '7.0', odd] })
    }
  })

  test('tells NULL and the empty text apart', () => {
    assert.deepEqual(columns(null, ''), { type: 'text', values: [null, ''] })
  })
})

describe('a declared type', () => {
  const SOME: Record<string, Value> = {
    null: null, one: 1, text: 'x', digits: '10.50', integerText: '12', exponent: '1e5', half: 0.5, wide: 2n ** 60n,
    beyond: 2n ** 64n, exact: new ExactNumber('0.1000000000000000055'), true: true, trueText: 'true', oneText: '1', object: { a: 1 },
  } // prettier-ignore
  /** What each type makes of each value; what is not named is refused. */
  const ACCEPTED: Record<ColumnType, Record<string, unknown>> = {
    integer: { null: null, one: 1, integerText: 12, wide: String(2n ** 60n), oneText: 1 },
    real: { null: null, one: 1, digits: 10.5, integerText: 12, exponent: 1e5, half: 0.5, wide: Number(2n ** 60n), oneText: 1 },
    decimal: { null: null, one: '1', digits: '10.50', integerText: '12', half: '0.5', wide: String(2n ** 60n), beyond: String(2n ** 64n), exact: '0.1000000000000000055', oneText: '1' },
    boolean: { null: null, one: true, true: true, trueText: true, oneText: true },
    text: {
      null: null, one: '1', text: 'x', digits: '10.50', integerText: '12', exponent: '1e5', half: '0.5', wide: String(2n ** 60n),
      beyond: String(2n ** 64n), exact: '0.1000000000000000055', true: 'true', trueText: 'true', oneText: '1',
    },
    json: {
      null: null, one: 1, text: 'x', digits: '10.50', integerText: '12', exponent: '1e5', half: 0.5, wide: String(2n ** 60n),
      beyond: String(2n ** 64n), exact: '0.1000000000000000055', true: true, trueText: 'true', oneText: '1', object: { a: 1 },
    },
  } // prettier-ignore

  for (const [type, accepted] of Object.entries(ACCEPTED) as [ColumnType, Record<string, unknown>][]) {
    test(`${type} takes what it can hold and refuses the rest`, () => {
      for (const [name, value] of Object.entries(SOME)) {
        using staging = new Staging({ name: 't', types: { c: type } })
        if (name in accepted) {
          staging.write(cells('c', value))
          assert.deepEqual(staging.column('c'), [accepted[name]], name)
          assert.equal(staging.types().c, type)
        } else {
          assert.throws(() => staging.write(cells('c', value)), refusal('upstream_malformed'), `${type} ${name}`)
        }
      }
    })
  }

  test('is not widened by a column of another kind beside it', () => {
    using staging = new Staging({ name: 't', types: { c: 'text' }, untyped: true })
    staging.write({ columns: ['c', 'd'], rows: [['1', '1']] })
    assert.deepEqual(staging.types(), { id: 'text', c: 'text', d: 'integer' })
  })

  test('is named in the refusal, with the column and what came', () => {
    using staging = new Staging({ name: 't', types: { price: 'decimal' } })
    assert.throws(
      () => staging.write(cells('price', 'a lot')),
      /Column "price" is declared decimal, but a row holds "a lot"/,
    )
  })

  test('a page that was refused leaves rows and cursor as they were', () => {
    using staging = new Staging({ name: 't', types: { c: 'integer' } })
    staging.write(cells('c', 1, 2))
    assert.throws(() => staging.write(cells('c', 3, 'x')), refusal('upstream_malformed'))
    assert.equal(staging.staged.cursor, '1')
    assert.equal(staging.staged.rows('t'), 2)
    assert.deepEqual(staging.column('c'), [1, 2])
  })
})

describe('a column', () => {
  test('can widen after thousands of rows', () => {
    using staging = new Staging({ name: 't', key: ['k'] })
    const thousands = Array.from({ length: 5000 }, (_, index) => index)
    staging.write({ columns: ['k', 'v', 'w'], rows: thousands.map((index) => [index, index, index % 2 === 0]) })
    staging.write({ columns: ['k', 'v', 'w'], rows: [[5000, 0.5, null]] })
    assert.deepEqual(staging.types(), { k: 'integer', v: 'real', w: 'boolean' })
    staging.write({ columns: ['k', 'v', 'w'], rows: [[5001, 2n ** 60n, 'maybe']] })
    assert.deepEqual(staging.types(), { k: 'integer', v: 'decimal', w: 'json' })
    const rows = staging.rows()
    assert.deepEqual(rows[4999], { k: 4999, v: '4999', w: false })
    assert.deepEqual(rows[5000], { k: 5000, v: '0.5', w: null })
    assert.deepEqual(rows[5001], { k: 5001, v: String(2n ** 60n), w: 'maybe' })
  })

  test('that appears late is NULL in the rows before', () => {
    using staging = new Staging({ name: 't', key: ['k'] })
    staging.write(
      { columns: ['k'], rows: [[1]] },
      { columns: ['n', 'k'], rows: [[7, 2]] },
      { columns: ['k'], rows: [[3]] },
    )
    assert.deepEqual(staging.rows(), [
      { k: 1, n: null },
      { k: 2, n: 7 },
      { k: 3, n: null },
    ])
  })

  test('keeps its name, whatever SQLite thinks of it', () => {
    const names = ['a', 'A', 'rowid', 'ROWID', 'oid', '_rowid_', '_hf_row', '_HF_Version', '_hf_changed_at', 'sqlite_x', '', ' ', '"', '""', "'", 'a\0', 'a\0b', 'é', 'É', '😀', 'x_hf_row', 'A_2', 'a_2'] // prettier-ignore
    using staging = new Staging({ name: 'sqlite_t"\0' })
    staging.write({ columns: names, rows: [names.map((_, index) => index)] })
    staging.write({ columns: [...names, 'late"', 'LATE"', 'oid_'], rows: [[...names.map(() => 'x'), 1, 2, 3]] })
    staging.reopen()
    staging.staged.finishPull()
    const [first, second] = staging.rows()
    for (const [index, name] of names.entries())
      assert.deepEqual([first?.[name], second?.[name]], [index, 'x'], JSON.stringify(name))
    assert.deepEqual([second?.['late"'], second?.['LATE"'], second?.oid_], [1, 2, 3])
  })

  test('is one too many behind the 1,900th', () => {
    const columns = (count: number, from = 0) => ({
      columns: Array.from({ length: count }, (_, index) => `c${from + index}`),
      rows: [Array.from({ length: count }, () => 1)],
    })
    using staging = new Staging({ name: 't' })
    staging.write(columns(1000), columns(899, 1000))
    assert.equal(staging.table().columns.length, 1900)
    assert.throws(() => staging.write(columns(1, 5000)), refusal('upstream_malformed'))
    assert.equal(Object.keys(staging.rows()[0] ?? {}).length, 1900)
    using other = new Staging({ name: 't' })
    assert.throws(() => other.write(columns(1900)), refusal('upstream_malformed'), 'with its id it would be 1,901')
  })
})

describe('a table without a key', () => {
  test('calls its id by a name that no column has', () => {
    for (const [columns, id] of [
      [['a'], 'id'],
      [['id'], '_id'],
      [['_id', 'id'], '__id'],
      [['ID'], 'id'],
    ] as const) {
      using staging = new Staging({ name: 't' })
      staging.write({ columns, rows: [columns.map(() => 'own')] })
      assert.deepEqual(staging.table().key, [id])
      const [row] = staging.rows()
      for (const name of columns) assert.equal(row?.[name], 'own')
      assert.match(String(row?.[id]), /^[0-9a-f]{20}$/)
    }
  })

  test('has the same id and the same columns when the upstream’s own `id` appears late', () => {
    const rows: Value[][] = [
      ['x', null, null],
      ['y', 7, null],
      ['z', 8, 'deep'],
    ]
    using whole = new Staging({ name: 't' })
    whole.write({ columns: ['a', 'id', '_id'], rows })
    using late = new Staging({ name: 't' })
    late.write(cells('a', 'x'), { columns: ['id', 'a'], rows: [[7, 'y']] })
    late.reopen()
    late.write({ columns: ['a', 'id', '_id'], rows: [['z', 8, 'deep']] })
    assert.deepEqual(late.table().key, ['__id'])
    assert.deepEqual(late.texts(), whole.texts())
    assert.deepEqual(late.types(), whole.types())
    late.staged.finishPull()
    assert.deepEqual(late.column('id'), [null, 7, 8])
  })

  test('names rows the same whatever the order of rows and columns and wherever pages begin', () => {
    const columns = ['a', 'b', 'c']
    const rows = fc.array(
      fc.tuple(...columns.map(() => fc.constantFrom<Value[]>(null, '', '1', 1, 1n, 'x', true, { j: 1 }))),
      { maxLength: 20 },
    )
    fc.assert(
      fc.property(
        rows,
        fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
        fc.infiniteStream(fc.nat()),
        (all, order, random) => {
          using straight = new Staging({ name: 't' })
          straight.write({ columns, rows: all })
          using mixed = new Staging({ name: 't' })
          const pick = () => random.next().value as number
          const shuffled = all.map((row) => ({ row, at: pick() })).toSorted((a, b) => a.at - b.at)
          mixed.write({ columns, rows: [] })
          for (let from = 0; from < all.length;) {
            const size = 1 + (pick() % 5)
            const page = shuffled.slice(from, from + size)
            mixed.write({
              columns: order.map((index) => columns[index] as string),
              rows: page.map(({ row }) => order.map((index) => row[index] ?? null)),
            })
            from += size
          }
          for (const staging of [straight, mixed]) staging.staged.finishPull()
          const named = (staging: Staging) =>
            staging
              .rows()
              .map(({ id, a, b, c }) => JSON.stringify([id, a, b, c]))
              .toSorted()
          assert.deepEqual(named(mixed), named(straight))
          assert.equal(new Set(straight.column('id')).size, all.length, 'no two rows share a name')
        },
      ),
      { numRuns: 60 },
    )
  })

  test('numbers equal rows, and an edit changes the edited row’s name alone', () => {
    const ids = (...values: Value[]) => {
      using staging = new Staging({ name: 't' })
      staging.write(cells('v', ...values))
      staging.staged.finishPull()
      return staging.column('id') as string[]
    }
    const [first, second, other, third] = ids('x', 'x', 'y', 'x')
    assert.deepEqual([second, third], [`${first}-2`, `${first}-3`])
    const edited = ids('x', 'x', 'z', 'x')
    assert.deepEqual([edited[0], edited[1], edited[3]], [first, second, third])
    assert.notEqual(edited[2], other)
    assert.equal(new Set(ids(null, '', 'NULL', '1', 1, true, 'true')).size, 7)
  })

  test('a new column that is NULL renames nothing', () => {
    using before = new Staging({ name: 't' })
    before.write(cells('v', 1, 2))
    using after = new Staging({ name: 't' })
    after.write({
      columns: ['v', 'new'],
      rows: [
        [1, null],
        [2, 'now'],
      ],
    })
    assert.equal(after.column('id')[0], before.column('id')[0])
    assert.notEqual(after.column('id')[1], before.column('id')[1])
  })
})

describe('a given key', () => {
  test('that repeats with equal content is one row, and positions have no gap', () => {
    using staging = new Staging({ name: 't', key: ['k', 'l'] })
    const row = (k: number, l = 'a', v: Value = null) => [k, l, v]
    staging.write({
      columns: ['k', 'l', 'v'],
      rows: [row(1), row(1), row(2), row(1, 'b', 5), row(2), row(3), row(1), row(1, 'b', 5), row(4)],
    })
    staging.staged.finishPull()
    assert.equal(staging.staged.rows('t'), 5)
    assert.deepEqual(
      staging.rows().map(({ k, l }) => `${String(k)}${String(l)}`),
      ['1a', '2a', '1b', '3a', '4a'],
    )
    const positions = staging.staged.db.prepare<[], number>('SELECT _hf_row FROM t ORDER BY _hf_row').pluck().all()
    assert.deepEqual(positions, [1, 2, 3, 4, 5])
  })

  test('that repeats very often costs no more than any other', () => {
    using staging = new Staging({ name: 't', key: ['k'] })
    staging.write({ columns: ['k', 'v'], rows: Array.from({ length: 40_000 }, () => [1, 'same']) })
    const from = performance.now()
    staging.staged.finishPull()
    assert.deepEqual(staging.rows(), [{ k: 1, v: 'same' }])
    assert.ok(performance.now() - from < 5000, `it took ${performance.now() - from} ms`)
  })

  test('that repeats with different content is refused', () => {
    for (const [one, two] of [
      ['x', 'y'],
      [null, ''],
      [1, null],
      [1, 1.5],
      [{ a: 1 }, { a: 2 }],
    ] as Value[][]) {
      using staging = new Staging({ name: 't', key: ['k'] })
      staging.write({
        columns: ['k', 'v'],
        rows: [
          ['same', one as Value],
          ['other', 1],
          ['same', two as Value],
        ],
      })
      assert.throws(() => staging.staged.finishPull(), refusal('snapshot_rejected', 'duplicate_key'))
      assert.equal(staging.staged.isPulled, false)
    }
  })

  test('has to be there: as a column, and with a value in every row', () => {
    using without = new Staging({ name: 't', key: ['k'] })
    assert.throws(() => without.write(cells('v', 1)), refusal('snapshot_rejected', 'missing_key'))
    using empty = new Staging({ name: 't', key: ['k', 'l'] })
    empty.write({ columns: ['k', 'l'], rows: [[1, 1]] })
    assert.throws(
      () =>
        empty.write({
          columns: ['k', 'l'],
          rows: [
            [2, 2],
            [3, null],
          ],
        }),
      /row 3 has no value in the column "l"/,
    )
    // Rows go in several at a time.
    for (const place of [0, 1, 14, 15, 16, 17, 31, 32, 39]) {
      using many = new Staging({ name: 't', key: ['k'] })
      many.write({ columns: ['k', 'v'], rows: [['first', 1]] })
      const rows = Array.from({ length: 40 }, (_, index) => [index === place ? null : `k${index}`, index])
      const row = new RegExp(`row ${place + 2} has no value in the column "k"`)
      assert.throws(() => many.write({ columns: ['k', 'v'], rows }), row)
    }
    using late = new Staging({ name: 't', key: ['k'] })
    late.write(cells('k', 1))
    assert.throws(() => late.write(cells('v', 1)), refusal('snapshot_rejected', 'missing_key'))
  })

  test('can be empty text, and of any type', () => {
    for (const [one, two] of [
      ['', 'x'],
      [0, 1],
      [0.5, 1.5],
      [true, false],
      ['1', '1.0'],
      [{ a: 1 }, [1]],
      ['a', 'A'],
      ['a', 'a\0'],
    ] as Value[][]) {
      using staging = new Staging({ name: 't', key: ['k'] })
      staging.write(cells('k', one as Value, two as Value, one as Value))
      staging.staged.finishPull()
      assert.deepEqual(staging.column('k'), [one, two])
    }
  })

  test('is all that a table has when neither column nor row was announced', () => {
    using staging = new Staging({ name: 't', key: ['k', 'l'] })
    staging.write({ columns: [], rows: [] })
    staging.staged.finishPull()
    assert.deepEqual(staging.types(), { k: 'text', l: 'text' })
    assert.deepEqual(staging.rows(), [])
  })
})

describe('a staged file', () => {
  test('that ends without one of its tables is refused', () => {
    using staging = new Staging({ name: 't' }, { name: 'u' })
    staging.write(cells('a', 1))
    assert.throws(() => staging.staged.finishPull(), refusal('upstream_malformed'))
  })

  test('goes on behind its last page and knows when it is complete', () => {
    using staging = new Staging({ name: 't', untyped: true })
    staging.write(cells('a', '1'), cells('a', '2'))
    staging.reopen()
    assert.deepEqual([staging.staged.cursor, staging.staged.isPulled, staging.staged.rows('t')], ['2', false, 2])
    staging.write(cells('a', '3'))
    staging.staged.finishPull()
    staging.reopen()
    assert.deepEqual([staging.staged.cursor, staging.staged.isPulled, staging.staged.rows('t')], ['3', true, 3])
    assert.deepEqual(staging.types().a, 'integer')
    staging.staged.finishPull()
    assert.deepEqual(staging.column('a'), [1, 2, 3])
  })

  test('of another identity, table, configuration or boot is never mixed with', () => {
    const plan = { identity: 'i', tables: [{ name: 't', key: ['k'], estimatedRows: 5 }] }
    const others = [
      { plan: { ...plan, identity: 'j' }, shape: 's' },
      { plan: { ...plan, tables: [{ name: 't' }] }, shape: 's' },
      { plan: { ...plan, tables: [{ name: 't', key: ['k'], untyped: true }] }, shape: 's' },
      { plan: { ...plan, tables: [...plan.tables, { name: 'u' }] }, shape: 's' },
      { plan, shape: 'another' },
    ]
    using staging = new Staging()
    const { folder } = staging
    const open = (
      generation: number,
      options: { plan: typeof plan | (typeof others)[number]['plan']; shape: string },
      leftovers: string[],
    ) => Staged.open(folder, disk, { generation, leftovers, ...options })
    {
      using first = open(10, { plan, shape: 's' }, [])
      first.write({ table: 't', next: '1', ...cells('k', 1) })
    }
    for (const [index, other] of others.entries()) {
      using second = open(11 + index, other, ['staged-10.sqlite'])
      assert.equal(second.cursor, undefined, JSON.stringify(other))
      assert.equal(second.rows('t'), 0)
    }
    {
      // Only an estimate is not part of what is pulled.
      using again = open(20, { plan: { ...plan, tables: [{ name: 't', key: ['k'], estimatedRows: 6 }] }, shape: 's' }, [
        'staged-10.sqlite',
      ])
      assert.equal(again.cursor, '1')
    }
    const db = openOwn(folder.file('staged-10.sqlite'))
    db.exec(`UPDATE _hf_checkpoint SET boot = 'before the power failed'`)
    db.close()
    using fresh = open(21, { plan, shape: 's' }, ['staged-10.sqlite'])
    assert.equal(fresh.cursor, undefined)
  })

  test('that cannot be read is left alone: the pull starts afresh', () => {
    using staging = new Staging({ name: 't' })
    for (const text of ['', 'SQLite format 3\0', 'not a database at all, whatever its name says'.repeat(100)]) {
      writeFileSync(staging.folder.file('staged-5.sqlite'), text)
      const plan = { identity: 'the same', tables: [{ name: 't' }] }
      using fresh = Staged.open(staging.folder, disk, {
        generation: 6,
        plan,
        shape: 'shape',
        leftovers: ['staged-5.sqlite', 'staged-4.sqlite'],
      })
      assert.equal(fresh.cursor, undefined)
    }
  })
})
