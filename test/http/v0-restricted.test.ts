import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import type { Value } from '../../lib/column.ts'
import type { KeySpec } from '../../lib/keys.ts'
import { recordIdOf } from '../../lib/record-id.ts'
import { TestClock } from '../sqlite/site.ts'
import { ask, type Answer } from './raw.ts'
import { serveReal } from './real.ts'
import { storedKeys } from './stored-keys.ts'
import { BASE_ID, idOf, PEOPLE_ID, serveBase, TASKS_ID, type AirtableList } from './v0-site.ts'

const RULES: Partial<KeySpec> = {
  limits: ['wares.wares'],
  rules: { 'wares.wares': { filter: 'country=eq.DE', hidden: ['secret', 'country'] } },
}
const COLUMNS = ['sku', 'name', 'price', 'active', 'country', 'secret']

/** Wares that a key sees, and what only others see: rows, columns and tables with a word in them. */
async function served(t: TestContext, hidden: { readonly word: string; readonly rows: number }) {
  const clock = new TestClock(1_800_000_000_000)
  const keys = storedKeys(t, { clock })
  const tables = { wares: { indexes: ['country', 'secret', 'price'] } }
  const server = await serveReal(t, { ...keys.parts, site: { clock, tables } })
  const seen = Array.from({ length: 30 }, (_, index): Value[] => [
    `w-${String(index).padStart(3, '0')}`, `Ware ${index % 4}`, index % 5, index % 2 === 0, 'DE', `${hidden.word} ${index}`,
  ]) // prettier-ignore
  const others = Array.from({ length: hidden.rows }, (_, index): Value[] => [
    `w-${String(index).padStart(3, '0')}-${hidden.word}`, `Ware ${hidden.word}`, index, true, 'AT', hidden.word,
  ]) // prettier-ignore
  const rows = [...seen, ...others].toSorted(([a], [b]) => ((a as string) < (b as string) ? -1 : 1))
  const run = await server.site.sync({
    identity: 'one',
    tables: [
      { name: 'wares', key: ['sku'], columns: COLUMNS, rows, types: { active: 'boolean', price: 'integer' } },
      { name: `table${hidden.word}`, key: ['id'], columns: ['id'], rows: [[hidden.word]] },
    ],
  })
  assert.equal(run.status, 'completed', run.error?.message)
  server.mounts.look()
  const { headers } = await keys.make(RULES)
  const partner = (path: string) => ask(server.port, path, { headers })
  return { ...server, partner, headers, snapshot: server.site.pointer().snapshot }
}

const formulas = [
  'secret', '{secret} = "SECRET"', 'country = "AT"', 'NOT(country = "DE")', '{fldSECRET}', 'name', 'price > 3', 'AND(active, price > 1)', 'LEN(name) = 6',
  'FIND("SECRET", name)', 'FIND("SECRET", RECORD_ID())', `RECORD_ID() = "${recordIdOf('w-001-SECRET')}"`, `RECORD_ID() = "${recordIdOf('w-001')}"`,
  'OR(price = 1, price = 2)', '1 / price', 'ISERROR(1 / price)', 'TRUE()', 'REGEX_MATCH(name, "SECRET")', 'SECRET(1)', 'IS_AFTER(CREATED_TIME(), "2020-01-01")',
] // prettier-ignore
const PATHS = [
  '/v0/meta/bases', '/v0/meta/bases/wares/tables', '/v0/meta/bases/wares/tables?include[]=visibleFieldIds', '/v0/meta/bases/SECRET/tables', '/v0/wares/tableSECRET',
  '/v0/wares/wares.tableSECRET', '/v0/wares/nothing', '/v0/nowhere/wares', '/v0/wares/wares', '/v0/wares/wares?pageSize=4', '/v0/wares/wares?pageSize=29', '/v0/wares/wares?pageSize=30',
  '/v0/wares/wares?maxRecords=29', '/v0/wares/wares?fields[]=secret', '/v0/wares/wares?fields[]=country', '/v0/wares/wares?sort[0][field]=secret', '/v0/wares/wares?sort[0][field]=price',
  '/v0/wares/wares?sort[0][field]=price&sort[0][direction]=desc&pageSize=7', '/v0/wares/wares?view=SECRET', '/v0/wares/wares?returnFieldsByFieldId=true&pageSize=1',
  '/v0/wares/wares/w-001', `/v0/wares/wares/${recordIdOf('w-001')}`, `/v0/wares/wares/${recordIdOf('w-001-SECRET')}`, '/v0/wares/wares/w-001-SECRET', '/v0/wares/wares/w-999',
  ...formulas.map((formula) => `/v0/wares/wares?filterByFormula=${encodeURIComponent(formula)}`),
  ...formulas.map((formula) => `/v0/wares/wares?pageSize=3&sort[0][field]=price&filterByFormula=${encodeURIComponent(formula)}`),
] // prettier-ignore

/** An answer without what differs between any two: names of snapshots and requests, and how old it is. */
function shape({ status, headers, body }: Answer, snapshot: string): unknown {
  const { date: _date, 'x-request-id': id, age: _age, etag: _etag, 'content-length': _length, ...kept } = headers
  const text = String(body).replaceAll(/"offset":"itr([\w-]+)\/rec([\w-]+)"/g, (_all, list: string, place: string) => open(list) + open(place)) // prettier-ignore
  return JSON.parse(JSON.stringify([status, kept, text]).replaceAll(snapshot, 'SNAPSHOT').replaceAll(String(id), 'ID'))
}

function open(text: string): string {
  return String(Buffer.from(text, 'base64url'))
}

describe('a key with a filter, hidden columns and limits', () => {
  test('gets the same answers on every route, whatever is in what it does not see', async (t) => {
    const one = await served(t, { word: 'abcdef', rows: 5 })
    const other = await served(t, { word: 'zyxwvu', rows: 400 })
    for (const path of PATHS) {
      const asked = path.replaceAll('SECRET', 'abcdef')
      const [a, b] = [await one.partner(asked), await other.partner(asked)]
      assert.deepEqual(shape(a, one.snapshot), shape(b, other.snapshot), path)
      assert.ok(a.status < 500, path)
      assert.equal(a.headers['snapshot-digest'], undefined, path)
      if (!path.includes('SECRET')) assert.doesNotMatch(String(a.body) + JSON.stringify(a.headers), /abcdef/, path)
    }
    assert.deepEqual([...one.errors, ...other.errors], [])
  })

  test('is told of a hidden field what is told of one that is not there', async (t) => {
    const { partner, snapshot } = await served(t, { word: 'abcdef', rows: 5 })
    for (const path of PATHS.filter((candidate) => /secret|country/.test(candidate))) {
      const [hidden, missing] = await Promise.all(
        ['secret', 'nowher'].map(async (name) => JSON.stringify(shape(await partner(path.replaceAll(/secret|country/g, name)), snapshot)).replaceAll(name, '…')),
      ) // prettier-ignore
      assert.equal(hidden, missing, path)
    }
  })

  test('cannot reach a hidden field by its id', async (t) => {
    const { partner, json } = await served(t, { word: 'abcdef', rows: 5 })
    const { tables } = await json<{ tables: { fields: { id: string; name: string }[] }[] }>('/v0/meta/bases/wares/tables')
    const { id } = tables[0]!.fields.find(({ name }) => name === 'secret')!
    for (const query of [`fields[]=${id}`, `sort[0][field]=${id}`, `filterByFormula=${encodeURIComponent(`{${id}}`)}`]) {
      assert.equal((await partner(`/v0/wares/wares?${query}`)).status, 422, query)
    }
    const schema = String((await partner('/v0/meta/bases/wares/tables')).body)
    assert.doesNotMatch(schema, new RegExp(`${id}|secret|country|tableabcdef`))
  }) // prettier-ignore

  test('gets every record it sees, once, by offsets that tell of no other', async (t) => {
    const { partner } = await served(t, { word: 'abcdef', rows: 40 })
    for (const query of ['pageSize=7', 'pageSize=7&sort[0][field]=price', 'pageSize=7&filterByFormula=LEN(name)']) {
      const found: string[] = []
      for (let next = ''; ;) {
        const { records, offset } = JSON.parse(String((await partner(`/v0/wares/wares?${query}${next}`)).body)) as AirtableList
        found.push(...records.map(({ id }) => id))
        if (offset === undefined) break
        assert.doesNotMatch(open(offset.split('/rec')[1]!), /abcdef/)
        next = `&offset=${encodeURIComponent(offset)}`
      } // prettier-ignore
      assert.equal(found.length, 30, query)
      assert.equal(new Set(found).size, 30, query)
    }
  })

  test('that sees nothing here is told of nothing', async (t) => {
    const clock = new TestClock()
    const keys = storedKeys(t, { clock })
    const server = await serveReal(t, { ...keys.parts, site: { clock, sources: ['wares', 'other'] } })
    await server.publish([{ sku: 'a' }])
    const { headers } = await keys.make({ limits: ['other'] })
    assert.deepEqual(
      (JSON.parse(String((await ask(server.port, '/v0/meta/bases', { headers })).body)) as { bases: { name: string }[] }).bases.map(({ name }) => name),
      ['other'],
    ) // prettier-ignore
    const { status, body } = await ask(server.port, '/v0/wares/wares', { headers })
    assert.equal(status, 403)
    assert.doesNotMatch(String(body), /sku|a table/)
    const writer = await keys.make({ scopes: ['sync'] })
    assert.equal((await ask(server.port, '/v0/wares/wares', { headers: writer.headers })).status, 403)
  })
})

describe('a key that sees a part of a mirrored base', () => {
  test('finds nothing of the rest in the schema, the records or what failed', async (t) => {
    const clock = new TestClock()
    const keys = storedKeys(t, { clock })
    const server = await serveBase(t, { ...keys.parts, site: { clock } })
    const { headers } = await keys.make({
      limits: ['crm.Tasks'],
      rules: { 'crm.Tasks': { filter: null, hidden: ['Hours', 'Owner'] } },
    })
    const get = async (path: string) => String((await ask(server.port, path, { headers })).body)
    const schema = await get(`/v0/meta/bases/${BASE_ID}/tables`)
    assert.doesNotMatch(schema, new RegExp([idOf('Hours'), 'Hours', 'Owner', PEOPLE_ID, 'People/'].join('|')))
    const { tables } = JSON.parse(schema) as { tables: { id: string; fields: { name: string; options?: object }[] }[] }
    assert.deepEqual(
      tables.map(({ id }) => id),
      [TASKS_ID],
    )
    const rate = tables[0]?.fields.find(({ name }) => name === 'Rate')
    assert.deepEqual(rate?.options, { referencedFieldIds: [], result: { type: 'number' } })
    const list = JSON.parse(await get(`/v0/${BASE_ID}/Tasks`)) as AirtableList
    assert.deepEqual(Object.keys(list.records[0]!.fields), ['Name', 'Status', 'Tags', 'Due', 'Done', 'People', 'Files', 'Rate', 'Seen'])
    // Where columns are hidden, so is why cells of others failed.
    assert.deepEqual(Object.keys(list.records[1]!.fields), ['Name', 'Seen'])
    for (const formula of ['Hours', `{${idOf('Hours')}}`, 'Owner']) {
      assert.match(await get(`/v0/${BASE_ID}/Tasks?filterByFormula=${encodeURIComponent(formula)}`), /INVALID_FILTER_BY_FORMULA/)
    }
    assert.match(await get(`/v0/${BASE_ID}/${PEOPLE_ID}`), /INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND/)
    assert.match(await get(`/v0/${BASE_ID}/Tasks/recAnn00000000001`), /NOT_FOUND/)
  }) // prettier-ignore

  test('is told of no choice, for it may stand in rows that others see only', async (t) => {
    const clock = new TestClock()
    const keys = storedKeys(t, { clock })
    const server = await serveBase(t, { ...keys.parts, site: { clock } })
    const rules: Partial<KeySpec>[] = [
      { rules: { 'crm.Tasks': { filter: 'Done=is.true', hidden: [] } } },
      { rules: { 'crm.Tasks': { filter: null, hidden: ['Hours'] } } },
      { limits: ['crm.Tasks'] },
    ]
    for (const rule of rules) {
      const { headers } = await keys.make(rule)
      const get = async (path: string) => String((await ask(server.port, path, { headers })).body)
      const { tables } = JSON.parse(await get(`/v0/meta/bases/${BASE_ID}/tables`)) as { tables: { fields: { name: string; options?: object }[] }[] }
      const optionsOf = (name: string) => tables[0]?.fields.find((field) => field.name === name)?.options
      assert.deepEqual(optionsOf('Status'), { choices: [] })
      assert.deepEqual(optionsOf('Stages'), { isValid: true, result: { type: 'singleSelect', options: { choices: [] } } })
      for (const path of ['/api/types', '/api/types?format=json', '/api/mappings', '/openapi.json']) {
        const text = await get(path)
        assert.match(text, /Status/, path)
        assert.doesNotMatch(text, /Todo|Later/, path)
      }
    }
    const whole = await keys.make({ limits: ['crm'] })
    for (const path of [`/v0/meta/bases/${BASE_ID}/tables`, '/api/types']) {
      assert.match(String((await ask(server.port, path, { headers: whole.headers })).body), /Todo[^]*Later/, path)
    }
  }) // prettier-ignore

  test('whose primary field is hidden has another, and none where its key is', async (t) => {
    const clock = new TestClock()
    const keys = storedKeys(t, { clock })
    const server = await serveBase(t, { ...keys.parts, site: { clock } })
    const named = await keys.make({ rules: { 'crm.Tasks': { filter: null, hidden: ['Name'] } } })
    const schema = JSON.parse(String((await ask(server.port, `/v0/meta/bases/${BASE_ID}/tables`, { headers: named.headers })).body)) as { tables: { primaryFieldId: string; fields: { id: string }[] }[] }
    assert.equal(schema.tables[0]?.primaryFieldId, schema.tables[0]?.fields[0]?.id)
    const blind = await keys.make({ rules: { 'crm.Tasks': { filter: null, hidden: ['id'] } } })
    const of = async (path: string) => (await ask(server.port, path, { headers: blind.headers })).status
    assert.deepEqual([await of(`/v0/${BASE_ID}/Tasks`), await of(`/v0/${BASE_ID}/Tasks/recTask0000000001`), await of(`/v0/${BASE_ID}/${PEOPLE_ID}`)], [403, 403, 200])
  }) // prettier-ignore
})
