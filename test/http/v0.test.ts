import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test, type TestContext } from 'node:test'
import { FORMULA_FUNCTIONS } from '../../lib/formula-functions.ts'
import { LIST_PARAMETERS } from '../../lib/http/v0/list-query.ts'
import { AIRTABLE_TYPES } from '../../lib/http/v0/problem.ts'
import { recordIdOf } from '../../lib/record-id.ts'
import { AUTH, FakeEngine, KEY } from './fakes.ts'
import { ask } from './raw.ts'
import { serveReal } from './real.ts'
import { BASE_ID, idOf, PEOPLE_ID, RECORDS, serveBase, TASKS_ID, withLists, type AirtableRecord } from './v0-site.ts'

interface AirtableError {
  readonly error: { readonly type: string; readonly message: string }
}
interface Schema {
  readonly tables: readonly {
    readonly id: string
    readonly name: string
    readonly primaryFieldId: string
    readonly fields: readonly {
      readonly id: string
      readonly name: string
      readonly type?: string
      readonly options?: object
    }[]
    readonly views: readonly { readonly id: string; readonly name: string; readonly visibleFieldIds?: string[] }[]
  }[]
}

const WARES = Array.from({ length: 250 }, (_, index) => ({
  sku: `w-${String(index).padStart(3, '0')}`,
  name: index % 5 === 0 ? '' : `Ware ${index % 7}`,
  no: index,
  big: 2n ** 60n + BigInt(index),
  price: index % 2 === 0 ? '10.50' : '0.1000000000000000055',
  ok: index % 3 === 0,
  tags: index % 4 === 0 ? ['x', 'y'] : [],
}))

async function serveWares(t: TestContext) {
  const server = await serveReal(t)
  await server.publish(WARES, { types: { price: 'decimal' } })
  return withLists(server)
}

const idsOf = (records: readonly AirtableRecord[]) => records.map(({ id }) => id)

describe('records of any source', () => {
  test('have an id, a time of creation, and the cells that are not empty', async (t) => {
    const { list, json } = await serveWares(t)
    const { records } = await list('/v0/wares/wares?pageSize=2')
    assert.deepEqual(
      records.map(({ id, fields }) => ({ id, fields })),
      [
        { id: 'recYYYYYYYwZ2d000', fields: { sku: 'w-000', no: 0, big: '1152921504606846976', price: 10.5, ok: true, tags: ['x', 'y'] } },
        { id: 'recYYYYYYYwZ2d001', fields: { sku: 'w-001', name: 'Ware 1', no: 1, big: '1152921504606846977', price: '0.1000000000000000055' } },
      ],
    ) // prettier-ignore
    assert.match(records[0]!.createdTime, /^\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z$/)
    for (const name of [records[1]!.id, 'w-001']) {
      assert.deepEqual(await json(`/v0/wares/wares/${name}`), records[1], name)
    }
  })

  test('are found under each name of the source and the table', async (t) => {
    const { json, list } = await serveWares(t)
    const { bases } = await json<{ bases: { id: string; name: string; permissionLevel: string }[] }>('/v0/meta/bases')
    assert.deepEqual(bases, [{ id: bases[0]!.id, name: 'wares', permissionLevel: 'read' }])
    assert.match(bases[0]!.id, /^app[A-Za-z0-9]{14}$/)
    const { tables } = await json<Schema>(`/v0/meta/bases/${bases[0]!.id}/tables`)
    assert.match(tables[0]!.id, /^tbl[A-Za-z0-9]{14}$/)
    for (const base of ['wares', bases[0]!.id]) {
      for (const table of ['wares', tables[0]!.id, 'wares.wares']) {
        assert.equal((await list(`/v0/${base}/${table}`)).records.length, 100, `${base} ${table}`)
      }
    }
  })

  test('are described with fields and views, whose ids stay what they are', async (t) => {
    const { json, publish } = await serveWares(t)
    const before = await json<Schema>('/v0/meta/bases/wares/tables')
    const [table] = before.tables
    assert.deepEqual(
      table?.fields.map(({ name, type }) => [name, type]),
      [
        ['sku', 'singleLineText'],
        ['name', 'multilineText'],
        ['no', 'number'],
        ['big', 'number'],
        ['price', 'number'],
        ['ok', 'checkbox'],
        ['tags', 'json'],
      ],
    )
    assert.equal(table.primaryFieldId, table.fields[0]?.id)
    assert.deepEqual(table.views, [{ id: table.views[0]?.id, name: 'Grid view', type: 'grid' }])
    const shown = await json<Schema>('/v0/meta/bases/wares/tables?include[]=visibleFieldIds')
    assert.deepEqual(
      shown.tables[0]?.views[0]?.visibleFieldIds,
      table.fields.map(({ id }) => id),
    )
    await publish(WARES.slice(1), { types: { price: 'decimal' } })
    assert.deepEqual(await json('/v0/meta/bases/wares/tables'), before)
  })

  test('say who asks', async (t) => {
    const { json } = await serveWares(t)
    const me = await json<{ id: string; scopes: string[] }>('/v0/meta/whoami')
    assert.match(me.id, /^usr[A-Za-z0-9]{14}$/)
    assert.deepEqual(me.scopes, ['data.records:read', 'schema.bases:read'])
  })
})

describe('a list', () => {
  test('comes page by page, each record once, in the order of the upstream', async (t) => {
    const { list } = await serveWares(t)
    for (const pageSize of [7, 100]) {
      const found: string[] = []
      let offset: string | undefined
      do {
        const next = offset === undefined ? '' : `&offset=${encodeURIComponent(offset)}`
        const page = await list(`/v0/wares/wares?pageSize=${pageSize}${next}`)
        assert.ok(page.records.length <= pageSize)
        assert.match(page.offset ?? 'itr/rec', /^itr.*\/rec/)
        found.push(...idsOf(page.records))
        offset = page.offset
      } while (offset !== undefined)
      assert.deepEqual(
        found,
        WARES.map(({ sku }) => recordIdOf(sku)),
      )
    }
  })

  test('stays in the snapshot that it began in, whatever is published meanwhile', async (t) => {
    const { list, publish, get } = await serveWares(t)
    const types = { types: { price: 'decimal' } } as const
    const first = await list('/v0/wares/wares?sort[0][field]=no&sort[0][direction]=desc')
    for (let turn = 1; turn <= 5; turn++) {
      await publish(WARES.map((ware) => ({ ...ware, no: ware.no + turn, name: `turn ${turn}` })).slice(turn), types)
    }
    const found = [...first.records]
    for (let { offset } = first; offset !== undefined;) {
      const page = await list(`/v0/wares/wares?sort[0][field]=no&sort[0][direction]=desc&offset=${encodeURIComponent(offset)}`)
      found.push(...page.records)
      offset = page.offset!
    } // prettier-ignore
    assert.deepEqual(
      found.map(({ fields }) => fields.no),
      WARES.map(({ no }) => no).toReversed(),
    )
    assert.ok(found.every(({ fields }) => !((fields.name ?? '') as string).startsWith('turn')))
    const fresh = await list('/v0/wares/wares?pageSize=1')
    assert.equal(fresh.records[0]?.fields.name, 'turn 5')
    assert.equal((await get('/v0/wares/wares?pageSize=1')).headers.get('cache-status')?.startsWith('holdfast'), true)
  })

  test('is told when its snapshot is gone, or when its offset is that of another', async (t) => {
    const { list, get } = await serveWares(t)
    const { offset = '' } = await list('/v0/wares/wares?pageSize=1')
    const wrong = async (query: string) => {
      const answer = await get(`/v0/wares/wares?${query}`)
      return [answer.status, ((await answer.json()) as AirtableError).error.type]
    }
    const encoded = encodeURIComponent(offset)
    assert.deepEqual(await wrong(`offset=${encoded}&view=Grid+view`), [422, 'INVALID_OFFSET_VALUE'])
    assert.deepEqual(await wrong(`offset=${encoded}&sort[0][field]=no`), [422, 'INVALID_OFFSET_VALUE'])
    assert.deepEqual(await wrong(`offset=${encoded}&filterByFormula=1`), [422, 'INVALID_OFFSET_VALUE'])
    for (const bad of ['x', 'itr/rec', 'itrW10/recW10', `${encoded}x`, 'itrWzEsMl0/recWzEsMl0', '5']) {
      assert.deepEqual(await wrong(`offset=${bad}`), [422, 'INVALID_OFFSET_VALUE'], bad)
    }
    const [list_, cursor = ''] = offset.split('/rec')
    const cells = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as unknown[]
    for (const after of [['x'], [1, 2], [null], [1.5], [{ n: 'x' }], 'x', [[1]]]) {
      const forged = Buffer.from(JSON.stringify(cells.with(3, after))).toString('base64url')
      assert.deepEqual(await wrong(`offset=${encodeURIComponent(`${list_}/rec${forged}`)}`), [
        422,
        'INVALID_OFFSET_VALUE',
      ])
    }
    const other = Buffer.from(JSON.stringify(['elsewhere', 5])).toString('base64url')
    const foreign = offset.replace(/^itr[^/]+/, `itr${other}`)
    assert.deepEqual(await wrong(`offset=${encodeURIComponent(foreign)}`), [422, 'LIST_RECORDS_ITERATOR_NOT_AVAILABLE'])
    const unknown = offset.split('/rec')
    const place = JSON.parse(Buffer.from(unknown[1]!, 'base64url').toString()) as unknown[]
    const moved = Buffer.from(JSON.stringify(place.with(2, 's0gone'))).toString('base64url')
    assert.deepEqual(await wrong(`offset=${encodeURIComponent(`${unknown[0]}/rec${moved}`)}`), [
      422,
      'LIST_RECORDS_ITERATOR_NOT_AVAILABLE',
    ])
  })

  test('takes as many as it is asked for, over all pages', async (t) => {
    const { list } = await serveWares(t)
    const first = await list('/v0/wares/wares?pageSize=60&maxRecords=100')
    const second = await list(`/v0/wares/wares?pageSize=60&maxRecords=100&offset=${encodeURIComponent(first.offset!)}`)
    assert.deepEqual([first.records.length, second.records.length, second.offset], [60, 40, undefined])
    const all = await list('/v0/wares/wares?maxRecords=100')
    assert.deepEqual([all.records.length, all.offset], [100, undefined])
    const few = await list('/v0/wares/wares?maxRecords=3')
    assert.deepEqual([few.records.length, few.offset], [3, undefined])
  })

  test('has the fields it is asked for, by name or id, under names or ids', async (t) => {
    const { json, list } = await serveWares(t)
    const { tables } = await json<Schema>('/v0/meta/bases/wares/tables')
    const [sku, , no] = tables[0]!.fields
    const query = `fields[]=no&fields[]=${sku!.id}&fields[]=no&pageSize=2`
    assert.deepEqual((await list(`/v0/wares/wares?${query}`)).records[1]?.fields, { no: 1, sku: 'w-001' })
    assert.deepEqual((await list(`/v0/wares/wares?${query}&returnFieldsByFieldId=true`)).records[1]?.fields, {
      [no!.id]: 1,
      [sku!.id]: 'w-001',
    })
    const record = await json<AirtableRecord>('/v0/wares/wares/w-001?returnFieldsByFieldId=true')
    assert.equal(record.fields[sku!.id], 'w-001')
    assert.deepEqual((await list('/v0/wares/wares?fields[]=name&pageSize=1')).records[0]?.fields, {})
  })

  test('is sorted by several fields, what is empty first and last', async (t) => {
    const { list } = await serveWares(t)
    const sorted = async (query: string) => (await list(`/v0/wares/wares?pageSize=3&${query}`)).records
    const by = (field: string, direction = 'asc', at = 0) => `sort[${at}][field]=${field}&sort[${at}][direction]=${direction}` // prettier-ignore
    assert.deepEqual(
      (await sorted(`${by('name', 'desc')}&${by('no', 'desc', 1)}`)).map(({ fields }) => fields.no),
      [244, 237, 223],
    )
    assert.deepEqual(
      (await sorted(`${by('name')}&sort[1][field]=no`)).map(({ fields }) => fields.no),
      [0, 5, 10],
    )
    assert.deepEqual(
      (await sorted(by('price'))).map(({ fields }) => fields.price),
      ['0.1000000000000000055', '0.1000000000000000055', '0.1000000000000000055'],
    )
  })

  test('is filtered by a formula, also where NOW() is in it, and page by page', async (t) => {
    const { list, get } = await serveWares(t)
    const formula = encodeURIComponent("AND(no >= 100, OR(ok, LEN(name) = 0), IS_BEFORE(CREATED_TIME(), DATEADD(NOW(), 1, 'day')))") // prettier-ignore
    const expected = WARES.filter(({ no, ok, name }) => no >= 100 && (ok || name === '')).map(({ no }) => no)
    const found: unknown[] = []
    for (let next = ''; ;) {
      const { records, offset } = await list(`/v0/wares/wares?pageSize=20&filterByFormula=${formula}${next}`)
      found.push(...records.map(({ fields }) => fields.no))
      if (offset === undefined) break
      next = `&offset=${encodeURIComponent(offset)}`
    }
    assert.deepEqual(found, expected)
    const momentary = await get(`/v0/wares/wares?filterByFormula=${formula}`)
    assert.equal(momentary.headers.get('etag'), null)
    const { records } = await list(
      `/v0/wares/wares?filterByFormula=${encodeURIComponent("RECORD_ID() = 'recYYYYYYYwZ2d042'")}`,
    )
    assert.deepEqual(
      records.map(({ fields }) => fields.no),
      [42],
    ) // prettier-ignore
    assert.equal((await list('/v0/wares/wares?filterByFormula=')).records.length, 100)
  })

  test('is filtered in a process of its own where no index bounds the formula, page by page', async (t) => {
    const server = withLists(await serveReal(t))
    await server.publish(Array.from({ length: 9000 }, (_, index) => ({ sku: `${index}`, no: index, name: `n${index % 3}` })))
    const formula = encodeURIComponent("AND(MOD(no, 60) = 7, SUBSTITUTE(name, 'n', '') = '1')")
    const first = await server.list(`/v0/wares/wares?filterByFormula=${formula}`)
    const second = await server.list(`/v0/wares/wares?filterByFormula=${formula}&offset=${encodeURIComponent(first.offset!)}`)
    assert.equal(second.offset, undefined)
    assert.deepEqual(
      [...first.records, ...second.records].map(({ fields }) => fields.no),
      Array.from({ length: 150 }, (_, index) => 7 + index * 60),
    )
  }) // prettier-ignore

  test('can be asked for in a body, with the same answers', async (t) => {
    const { list, post } = await serveWares(t)
    const body = {
      fields: ['no'],
      sort: [{ field: 'no', direction: 'desc' }],
      filterByFormula: 'no > 10',
      pageSize: 30,
      maxRecords: 50,
      view: 'Grid view',
      cellFormat: 'json',
      returnFieldsByFieldId: false,
      recordMetadata: ['commentCount'],
      method: 'post',
    }
    const query =
      'fields[]=no&sort[0][field]=no&sort[0][direction]=desc&filterByFormula=no+%3E+10&pageSize=30&maxRecords=50&view=Grid+view&recordMetadata[]=commentCount'
    const answer = await post('/v0/wares/wares/listRecords', body)
    assert.equal(answer.headers.get('etag'), null)
    const posted = (await answer.json()) as Awaited<ReturnType<typeof list>>
    const asked = await list(`/v0/wares/wares?${query}`)
    assert.deepEqual(posted.records, asked.records)
    assert.equal((posted.records[0] as unknown as { commentCount: number }).commentCount, 0)
    const next = await post('/v0/wares/wares/listRecords', { ...body, offset: posted.offset })
    const last = (await next.json()) as typeof posted
    assert.deepEqual([last.records.length, last.offset, last.records[0]?.fields.no], [20, undefined, 219])
    const empty = await post('/v0/wares/wares/listRecords', { offset: null, view: null, fields: [] })
    assert.equal(((await empty.json()) as typeof posted).records.length, 100)
  })

  test('has an entity tag until something else is published, and comes compressed', async (t) => {
    const { get, publish } = await serveWares(t)
    for (const path of ['/v0/wares/wares?pageSize=5', '/v0/wares/wares/w-001', '/v0/wares/wares/w-001?returnFieldsByFieldId=true']) {
      const tag = (await get(path)).headers.get('etag')!
      assert.equal((await get(path, { 'If-None-Match': tag })).status, 304, path)
      assert.equal((await get(path)).headers.get('etag'), tag, path)
    } // prettier-ignore
    const coded = await get('/v0/wares/wares', { 'Accept-Encoding': 'br' })
    assert.equal(coded.headers.get('content-encoding'), 'br')
    assert.equal(((await coded.json()) as { records: unknown[] }).records.length, 100)
    const before = (await get('/v0/wares/wares/w-001')).headers.get('etag')!
    await publish(WARES.slice(1), { types: { price: 'decimal' } })
    assert.equal((await get('/v0/wares/wares/w-001', { 'If-None-Match': before })).status, 200)
  })
})

describe('a mirrored base', () => {
  test('shows its records as Airtable does, failed cells included', async (t) => {
    const { list, json } = await serveBase(t)
    const expected = RECORDS.map(({ fields, ...record }) => ({ ...record, fields }))
    for (const table of [TASKS_ID, 'Tasks']) {
      assert.deepEqual((await list(`/v0/${BASE_ID}/${table}`)).records, expected)
    }
    const byId = (await list(`/v0/${BASE_ID}/Tasks?returnFieldsByFieldId=true`)).records
    assert.deepEqual(byId[1]?.fields, {
      [idOf('Name')]: 'Rest',
      [idOf('Hours')]: 0,
      [idOf('Rate')]: { error: '#ERROR!' },
      [idOf('Seen')]: '2024-03-02T00:00:00.000Z',
    })
    assert.deepEqual(await json(`/v0/crm/Tasks/${RECORDS[0]!.id}`), RECORDS[0])
    assert.deepEqual((await list(`/v0/crm/${encodeURIComponent('People/№ 1')}`)).records[0]?.fields, {
      id: 'Ann',
      Tasks: ['recTask0000000001'],
    })
  })

  test('finds a record of the base under any of its tables, and no other', async (t) => {
    const { get, json } = await serveBase(t)
    const ann = await json<AirtableRecord>(`/v0/${BASE_ID}/Tasks/recAnn00000000001`)
    assert.equal(ann.fields.id, 'Ann')
    assert.equal((await get(`/v0/${BASE_ID}/Tasks/recNobody00000001`)).status, 404)
  })

  test('is described by the ids, names, types and options of its own', async (t) => {
    const { json } = await serveBase(t)
    assert.deepEqual(await json('/v0/meta/bases'), { bases: [{ id: BASE_ID, name: 'crm', permissionLevel: 'read' }] })
    const { tables } = await json<Schema>(`/v0/meta/bases/${BASE_ID}/tables`)
    assert.deepEqual(
      tables.map(({ id, name }) => [id, name]),
      [
        [TASKS_ID, 'Tasks'],
        [PEOPLE_ID, 'People/№ 1'],
      ],
    )
    const [tasks] = tables
    assert.equal(tasks?.primaryFieldId, idOf('Name'))
    assert.deepEqual(
      tasks.fields.map(({ name }) => name),
      ['Name', 'Status', 'Tags', 'Due', 'Done', 'Hours', 'Owner', 'People', 'Files', 'Rate', 'Stages', 'Seen'],
    )
    assert.deepEqual(tasks.fields[9]?.options, {
      formula: `1 / {${idOf('Hours')}}`,
      referencedFieldIds: [idOf('Hours')],
      result: { type: 'number' },
    })
    assert.deepEqual(tasks.views[1], { id: 'viwOpen0000000000', name: 'Open', type: 'kanban' })
  })

  test('answers formulas over cells of all types', async (t) => {
    const { list } = await serveBase(t)
    const cases: readonly (readonly [string, string])[] = [
      ["Status = 'Todo'", '1'],
      [`{${idOf('Status')}} = 'Todo'`, '1'],
      ["FIND('b', {Tags})", '1'],
      ["FIND('b', ARRAYJOIN(Tags))", '1'],
      ["IS_BEFORE(Due, '2024-03-01')", '1'],
      ['YEAR(Due) = 2024', '1'],
      ['Done', '1'],
      ['NOT(Done)', '2 3'],
      ['Hours = 0', '2 3'],
      ["Hours & '' = '0'", '2'],
      ['ISERROR(Rate)', '2'],
      ['Rate', '1'],
      ['NOT(Rate)', '3'],
      ["Owner = 'Ann'", '1'],
      ['People', '1'],
      ['COUNTA(People) = 1', '1'],
      ["FIND('.pdf', Files)", '1'],
      ['RECORD_ID() = "recTask0000000002"', '2'],
      ['OR(RECORD_ID() = "recTask0000000002", RECORD_ID() = "recTask0000000003")', '2 3'],
      ["IS_AFTER(CREATED_TIME(), '2024-01-01')", '2 3'],
      ["IS_AFTER(LAST_MODIFIED_TIME(), DATETIME_PARSE('2024-03-01'))", '2'],
      ['LAST_MODIFIED_TIME() = BLANK()', '3'],
      ["IS_AFTER(Seen, '2024-03-01')", '2'],
    ]
    for (const [formula, ids] of cases) {
      const { records } = await list(`/v0/${BASE_ID}/Tasks?filterByFormula=${encodeURIComponent(formula)}`)
      assert.equal(records.map(({ id }) => id.slice(-1)).join(' '), ids, formula)
    }
  })

  test('knows its views by name and id, and says that it does not apply them', async (t) => {
    const { get } = await serveBase(t)
    for (const view of ['Open', 'viwOpen0000000000']) {
      const answer = await get(`/v0/${BASE_ID}/Tasks?view=${view}`)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('view-applied'), 'false')
      assert.equal(((await answer.json()) as { records: unknown[] }).records.length, 3)
    }
    assert.equal((await get(`/v0/${BASE_ID}/Tasks`)).headers.get('view-applied'), null)
    const types = await Promise.all(
      ['Closed', 'viwNobody00000000'].map(async (view) => {
        const answer = await get(`/v0/${BASE_ID}/Tasks?view=${view}`)
        return [answer.status, ((await answer.json()) as AirtableError).error.type]
      }),
    )
    assert.deepEqual(types, [
      [422, 'VIEW_NAME_NOT_FOUND'],
      [422, 'VIEW_ID_NOT_FOUND'],
    ])
  })

  test('that two sources mirror is one base of all their tables', async (t) => {
    const server = withLists(await serveReal(t, { site: { sources: ['one', 'two'] } }))
    const { airtableBase } = await import('./v0-site.ts')
    const { tables } = airtableBase()
    await server.site.sync({ identity: '1', tables: [tables[0]!] }, { source: 'one' })
    await server.site.sync({ identity: '2', tables }, { source: 'two' })
    server.mounts.look()
    const { bases } = await server.json<{ bases: { id: string; name: string }[] }>('/v0/meta/bases')
    assert.deepEqual([bases[0]?.id, bases.map(({ name }) => name)], [BASE_ID, ['one', 'two']])
    assert.notEqual(bases[1]?.id, BASE_ID)
    assert.equal((await server.json<Schema>(`/v0/meta/bases/${BASE_ID}/tables`)).tables.length, 2)
    assert.equal((await server.list(`/v0/${BASE_ID}/${PEOPLE_ID}`)).records.length, 1)
    assert.equal((await server.get(`/v0/one/${PEOPLE_ID}`)).status, 403)
    assert.equal((await server.list(`/v0/${bases[1]!.id}/Tasks`)).records.length, 3)
  })
})

describe('a request that cannot be answered', () => {
  const refusals: readonly (readonly [path: string, status: number, type: string, says: RegExp])[] = [
    ['/v0/nowhere/wares', 403, 'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND', /no base "nowhere".*There is: wares \(app/],
    ['/v0/wares/nothing', 403, 'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND', /no table "nothing".*There is: wares \(tbl/],
    ['/v0/meta/bases/nowhere/tables', 403, 'INVALID_PERMISSIONS_OR_MODEL_NOT_FOUND', /no base/],
    ['/v0/wares/wares/nobody', 404, 'NOT_FOUND', /no record "nobody"/],
    ['/v0/wares', 404, 'NOT_FOUND', /no route/],
    ['/v0/wares/wares/w-001/comments', 404, 'NOT_FOUND', /no route/],
    ['/v0/wares/wares/', 404, 'NOT_FOUND', /no route/],
    ['/v0/wares/wares?fields[]=nope', 422, 'UNKNOWN_FIELD_NAME', /^Unknown field name: "nope"/],
    ['/v0/wares/wares?fields[]=skus', 422, 'UNKNOWN_FIELD_NAME', /"skus"\. Perhaps "sku" is meant/],
    ['/v0/wares/wares?sort[0][field]=nope', 422, 'UNKNOWN_FIELD_NAME', /"nope"/],
    ['/v0/wares/wares?filterByFormula=FOO(1)', 422, 'INVALID_FILTER_BY_FORMULA', /no function FOO\(\)/],
    ['/v0/wares/wares?filterByFormula={nope}', 422, 'INVALID_FILTER_BY_FORMULA', /no field "nope"/],
    ['/v0/wares/wares?filterByFormula=1%2B', 422, 'INVALID_FILTER_BY_FORMULA', /expected a value/],
    ['/v0/wares/wares?filterByFormula=no%2B(', 422, 'INVALID_FILTER_BY_FORMULA', /position/],
    [`/v0/wares/wares?filterByFormula=${encodeURIComponent('REGEX_MATCH(name, "(")')}`, 422, 'INVALID_FILTER_BY_FORMULA', /RE2/],
    ['/v0/wares/wares?view=Nope', 422, 'VIEW_NAME_NOT_FOUND', /"Nope".*Grid view/],
    ['/v0/wares/wares?pageSize=0', 422, 'INVALID_REQUEST_UNKNOWN', /pageSize.*1 to 100/],
    ['/v0/wares/wares?pageSize=101', 422, 'INVALID_REQUEST_UNKNOWN', /pageSize.*1 to 100/],
    ['/v0/wares/wares?pageSize=x', 422, 'INVALID_REQUEST_UNKNOWN', /pageSize/],
    ['/v0/wares/wares?maxRecords=0', 422, 'INVALID_REQUEST_UNKNOWN', /maxRecords/],
    ['/v0/wares/wares?cellFormat=string', 422, 'INVALID_REQUEST_UNKNOWN', /cellFormat.*json/],
    ['/v0/wares/wares?timeZone=utc', 422, 'INVALID_REQUEST_UNKNOWN', /no parameter "timeZone"/],
    ['/v0/wares/wares?foo=1', 422, 'INVALID_REQUEST_UNKNOWN', /no parameter "foo"/],
    ['/v0/wares/wares?includeDateDependencyMetadata=true', 422, 'INVALID_REQUEST_UNKNOWN', /includeDateDependencyMetadata/],
    ['/v0/wares/wares?fields=sku', 422, 'INVALID_REQUEST_UNKNOWN', /fields\[\]=/],
    ['/v0/wares/wares?sort=sku', 422, 'INVALID_REQUEST_UNKNOWN', /sort\[0\]\[field\]/],
    ['/v0/wares/wares?sort[0][direction]=asc', 422, 'INVALID_REQUEST_UNKNOWN', /with a field/],
    ['/v0/wares/wares?sort[0][field]=no&sort[0][direction]=up', 422, 'INVALID_REQUEST_UNKNOWN', /asc or desc/],
    ['/v0/wares/wares?sort[0][field]=no&sort[0][field]=sku', 422, 'INVALID_REQUEST_UNKNOWN', /once/],
    ['/v0/wares/wares?returnFieldsByFieldId=yes', 422, 'INVALID_REQUEST_UNKNOWN', /true or false/],
    ['/v0/wares/wares?recordMetadata[]=likes', 422, 'INVALID_REQUEST_UNKNOWN', /commentCount/],
    ['/v0/wares/wares?pageSize=1&pageSize=2', 422, 'INVALID_REQUEST_UNKNOWN', /once/],
    ['/v0/wares/wares?method=post', 422, 'INVALID_REQUEST_UNKNOWN', /method/],
    ['/v0/wares/wares/w-001?pageSize=1', 422, 'INVALID_REQUEST_UNKNOWN', /no parameter "pageSize"/],
    ['/v0/meta/bases/wares/tables?include[]=all', 422, 'INVALID_REQUEST_UNKNOWN', /visibleFieldIds/],
    ['/v0/meta/bases?offset=x', 422, 'INVALID_REQUEST_UNKNOWN', /no parameter/],
    ['/v0/wares/wares?fields[]=%ff', 400, 'INVALID_REQUEST_UNKNOWN', /UTF-8/],
    ['/v0/wares/%ff', 400, 'INVALID_REQUEST_UNKNOWN', /decoded/],
    ['/v0/wares/wares?api_key=secretKeyOfMine', 422, 'INVALID_REQUEST_UNKNOWN', /does not belong into a URL/],
  ] // prettier-ignore

  test("is refused in Airtable's words", async (t) => {
    const { get, errors } = await serveWares(t)
    for (const [path, status, type, says] of refusals) {
      const answer = await get(path)
      const { error } = (await answer.json()) as AirtableError
      assert.deepEqual([answer.status, error.type], [status, type], path)
      assert.match(error.message, says, path)
      assert.doesNotMatch(error.message, /secretKeyOfMine/)
      assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8', path)
      assert.equal(answer.headers.get('cache-control'), 'no-store', path)
    }
    assert.deepEqual(errors, [])
  })

  test('without a key, with another method, with a body that is none', async (t) => {
    const { port, post } = await serveWares(t)
    const of = async (path: string, options: Parameters<typeof ask>[2] = {}) => {
      const { status, headers, body } = await ask(port, path, options)
      return { status, headers, type: (JSON.parse(String(body)) as AirtableError).error.type }
    }
    const none = await of('/v0/wares/wares')
    assert.deepEqual([none.status, none.type], [401, 'AUTHENTICATION_REQUIRED'])
    assert.match(none.headers['www-authenticate'] ?? '', /Bearer/)
    const wrong = await of('/v0/wares/wares', { headers: { Authorization: 'Bearer keyNobodyHas' } })
    assert.deepEqual([wrong.status, wrong.type], [401, 'AUTHENTICATION_REQUIRED'])
    for (const [method, path] of [['PATCH', '/v0/wares/wares'], ['DELETE', '/v0/wares/wares/w-001'], ['POST', '/v0/wares/wares'], ['PUT', '/v0/wares/wares/w-001'], ['GET', '/v0/wares/wares/listRecords'], ['POST', '/v0/meta/bases']] as const) {
      const { status, headers, type } = await of(path, { method, headers: AUTH })
      assert.deepEqual([status, type], [405, 'METHOD_NOT_ALLOWED'], `${method} ${path}`)
      assert.match(headers.allow ?? '', /GET|POST/)
    } // prettier-ignore
    const json = { ...AUTH, 'Content-Type': 'application/json' }
    const list = '/v0/wares/wares/listRecords'
    const bad = await of(list, { method: 'POST', headers: json, body: '{' })
    assert.deepEqual([bad.status, bad.type], [400, 'INVALID_REQUEST_UNKNOWN'])
    const array = await of(list, { method: 'POST', headers: json, body: '[]' })
    assert.deepEqual([array.status, array.type], [400, 'INVALID_REQUEST_UNKNOWN'])
    const large = await of(list, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ filterByFormula: 'x'.repeat(70_000) }),
    })
    assert.deepEqual([large.status, large.type], [413, 'REQUEST_TOO_LARGE']) // prettier-ignore
    const members: readonly (readonly [object, RegExp])[] = [
      [{ foo: 1 }, /foo/],
      [{ fields: 'sku' }, /fields/],
      [{ fields: [1] }, /fields/],
      [{ sort: { field: 'no' } }, /sort/],
      [{ sort: [{ field: 'no', nulls: 'first' }] }, /sort/],
      [{ sort: [null] }, /sort/],
      [{ pageSize: 1.5 }, /pageSize/],
      [{ filterByFormula: 5 }, /filterByFormula/],
      [{ returnFieldsByFieldId: 1 }, /returnFieldsByFieldId/],
      [{ method: 'get' }, /method/],
      [JSON.parse('{"__proto__":{"pageSize":1}}') as object, /__proto__/],
    ]
    for (const [body, says] of members) {
      const answer = await post(list, body)
      assert.equal(answer.status, 422, JSON.stringify(body))
      assert.match(((await answer.json()) as AirtableError).error.message, says)
    }
    assert.equal((await post(`${list}?timeZone=utc`, {})).status, 422)
  })

  test('before the first snapshot is told to come again', async (t) => {
    const { get } = await serveReal(t, { engine: new FakeEngine(['wares']) })
    for (const path of ['/v0/wares/wares', '/v0/wares/wares/1', '/v0/meta/bases/wares/tables']) {
      const answer = await get(path)
      assert.equal(answer.status, 503, path)
      assert.ok(answer.headers.get('retry-after'))
      assert.equal(((await answer.json()) as AirtableError).error.type, 'RETRIABLE_ERROR')
    }
    assert.equal((await get('/v0/meta/bases')).status, 200)
  })

  test('too often is told so, with how long to wait', async (t) => {
    const server = await serveReal(t, { settings: { rateLimit: { limit: 2, windowMs: 60_000 } } })
    await server.publish(WARES)
    const get = () => fetch(`${server.url}/v0/wares/wares`, { headers: { Authorization: `Bearer ${KEY}` } })
    await get()
    await get()
    const answer = await get()
    assert.equal(answer.status, 429)
    assert.ok(Number(answer.headers.get('retry-after')) > 0)
    assert.equal(((await answer.json()) as AirtableError).error.type, 'RATE_LIMIT_REACHED')
  })

  test('may have a target of 16,000 bytes, and a longer one belongs into a body', async (t) => {
    const { get, post } = await serveWares(t)
    const ids = Array.from({ length: 400 }, (_, index) => `RECORD_ID()='${recordIdOf(`w-${String(index % 250).padStart(3, '0')}`)}'`)
    const formula = `OR(${ids.join(',')})`
    const path = `/v0/wares/wares?filterByFormula=${encodeURIComponent(formula).replaceAll("'", '%27')}`
    assert.equal((await get(path.slice(0, 16_000))).status, 422, 'a formula that is cut off')
    const longer = await get(path.slice(0, 16_001))
    assert.equal(longer.status, 414)
    assert.equal(((await longer.json()) as AirtableError).error.type, 'INVALID_REQUEST_UNKNOWN')
    const posted = await post('/v0/wares/wares/listRecords', { filterByFormula: formula })
    assert.equal(((await posted.json()) as { records: unknown[] }).records.length, 100)
  }) // prettier-ignore
})

describe('docs/v0.md', () => {
  const docs = readFileSync(new URL('../../docs/v0.md', import.meta.url), 'utf8')
  const section = (name: string) => docs.slice(docs.indexOf(`\n## ${name}`)).split(/\n## /)[1]!
  const rows = (text: string) => text.split('\n').filter((line) => line.startsWith('| '))
  const codes = (text: string) => [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!)

  test('has every function of formulas, and no other', () => {
    const kinds = ['logic', 'text', 'numbers', 'dates', 'records, lists']
    const documented = rows(section('Formulas')).filter((row) => kinds.some((kind) => row.startsWith(`| ${kind} |`)))
    assert.deepEqual(documented.flatMap(codes).toSorted(), Object.keys(FORMULA_FUNCTIONS).toSorted())
  })

  test('has every parameter of lists, and no other', () => {
    const documented = rows(section('Lists')).flatMap((row) => codes(row.split('|')[1]!))
    assert.deepEqual(documented.toSorted(), Object.keys(LIST_PARAMETERS).toSorted())
  })

  test('has every type of failure, and no other', () => {
    const documented = rows(section('Failures'))
      .slice(1)
      .flatMap((row) => codes(row.split('|')[2]!))
    assert.deepEqual([...new Set(documented)].toSorted(), [...AIRTABLE_TYPES].toSorted())
  })
})
