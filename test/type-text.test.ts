import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Column } from '../lib/column.ts'
import { rowToJson } from '../lib/row-json.ts'
import { typeNames, typeText, type NamedTable } from '../lib/type-text.ts'
import { compile, schemasOf, workshop } from './support/workshop.ts'

const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'integer' },
  { name: 'price', type: 'decimal' },
  { name: 'share', type: 'real' },
  { name: 'on', type: 'boolean' },
  { name: 'name', type: 'text' },
  { name: 'more', type: 'json' },
]
const NASTY_COLUMNS = [
  'constructor', '__proto__', 'toString', 'class', 'a-b', 'a b', '', ' ', '0', '01', '1e3', '"', "'", '`${x}`', '\\', '*/',
  '\n', '\r\n', '\0', '\u2028', '\u2029', '\ufeff', '\u0085', '🙂', '日本', 'é', 'e\u0301', '\ud800', 'readonly x?', 'x: never; y',
] // prettier-ignore
const NASTY_TABLES = [
  'orders', 'Orders', 'ORDERS', 'o r d e r s', 'OrdersSchema', 'Orders 2', 'orders_2', 'tables', 'Tables', 'TableName', 'schemas',
  'z', 'class', 'string', 'Object', 'any', 'never', 'Record', 'Array', 'Promise', '2024 sales', '🙂', '🙂🙂', '', '-', '*/ evil()',
  '// x', '\n', '__proto__', 'constructor', 'städte', 'STÄDTE', '表', 'ß', 'ǆ', '𝒜bc', '𐐷', '\ud800', '\u2028', '`', '${z}', 'shop.orders',
] // prettier-ignore

const named = (name: string, columns: readonly Column[] = COLUMNS, key: readonly string[] = ['id']): NamedTable => ({
  name,
  source: 'shop',
  table: { name, key, columns },
})

describe('the text of the types', () => {
  test('compiles whatever tables and columns are called, and its schemas take their rows', async () => {
    const nasty = NASTY_COLUMNS.map((name): Column => ({ name, type: 'text' }))
    const text = typeText([
      named('plain'),
      named('nasty', nasty, NASTY_COLUMNS.slice(0, 3)),
      named('no columns', []),
      ...NASTY_TABLES.map((name) => named(name)),
    ])
    using folder = workshop(text)
    writeFileSync(
      folder.file('use.ts'),
      `import { schemas, type Plain, type TableName, type Tables } from './tables.ts'
       const plain: Plain = { id: 1, price: '1.50', share: null, on: true, name: null, more: { any: ['thing'] } }
       const huge: Tables['plain'] = { ...plain, id: '9007199254740993' }
       const table: TableName = 'shop.orders'
       // @ts-expect-error a key is never null
       const wrong: Plain = { ...plain, id: null }
       // @ts-expect-error there is no such table
       const unknown: TableName = 'nothing'
       const parsed: Tables['plain'] = schemas['plain'].parse(huge)
       console.log(plain, table, wrong, unknown, parsed)`,
    )
    assert.equal(await compile(folder), '')

    const schemas = await schemasOf(folder)
    assert.deepEqual(Object.keys(schemas).toSorted(), ['plain', 'nasty', 'no columns', ...NASTY_TABLES].toSorted())
    const plain = rowToJson(COLUMNS)
    for (const cells of [
      [1, '10.50', 0.1, 1, 'x', '{"a":[null]}'],
      ['-9007199254740993', '-0', -1e300, 0, '', '[]'],
      [0, null, null, null, null, null],
    ]) {
      const row = JSON.parse(plain(cells)) as unknown
      assert.deepEqual(schemas.plain?.parse(row), row)
    }
    for (const cells of [[null], [1.5], ['x'], [1, 10.5]]) {
      assert.equal(schemas.plain?.safeParse(JSON.parse(plain(cells))).success, false, JSON.stringify(cells))
    }
    const row = JSON.parse(rowToJson(nasty)(NASTY_COLUMNS.map((name) => `of ${name}`))) as unknown
    assert.equal(schemas.nasty?.safeParse(row).success, true)
    assert.equal(schemas.nasty?.safeParse({}).success, false)
  })

  test('of no table compiles too', async () => {
    using folder = workshop(typeText([]))
    assert.equal(await compile(folder), '')
  })
})

describe('type names', () => {
  test('are readable where the tables’ names are', () => {
    const names = [
      'orders',
      'order_items',
      'Order Items',
      'städte',
      '2024 sales',
      'tables',
      '🙂',
      '',
      'shop.orders',
      'z',
    ]
    assert.deepEqual(typeNames(names), [
      'Orders', 'OrderItems', 'OrderItems_2', 'Städte', 'Table2024Sales', 'Tables_2', 'Table', 'Table_2', 'ShopOrders', 'Z_2',
    ]) // prettier-ignore
  })

  test('are identifiers that differ in more than their case, also from the names of schemas', () => {
    const name = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...NASTY_TABLES))
    fc.assert(
      fc.property(fc.uniqueArray(name), (names) => {
        const types = typeNames(names)
        const all = types.flatMap((type) => [type, `${type}Schema`]).map((type) => type.toLowerCase())
        assert.equal(new Set(all).size, 2 * names.length)
        for (const type of types) assert.match(type, /^[\p{ID_Start}][\p{ID_Continue}]*$/u)
      }),
    )
  })
})
