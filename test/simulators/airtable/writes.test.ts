import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Base } from '../../../simulators/airtable/base.ts'
import type { Simulator } from '../../../simulators/airtable/simulator.ts'
import { ask, refusal, start } from './asking.ts'

interface RecordJson {
  readonly id: string
  readonly fields: Record<string, unknown>
}
interface Written {
  readonly records: readonly RecordJson[]
  readonly createdRecords?: readonly string[]
  readonly updatedRecords?: readonly string[]
}

function wares(): Base {
  const base = new Base({ seed: 9 })
  const makers = base.createTable({
    name: 'Makers',
    fields: [{ name: 'Name', type: 'singleLineText' }],
    records: [{ Name: 'Oak & Co' }],
  })
  base.createTable({
    name: 'Wares',
    fields: [
      { name: 'Name', type: 'singleLineText' },
      { name: 'Price', type: 'currency', options: { precision: 2, symbol: '$' } },
      { name: 'Kind', type: 'singleSelect', options: { choices: [{ name: 'chair' }, { name: 'lamp' }] } },
      { name: 'Tags', type: 'multipleSelects', options: { choices: [{ name: 'old' }] } },
      { name: 'Stars', type: 'rating', options: { max: 5, icon: 'star', color: 'redBright' } },
      { name: 'Made', type: 'date', options: { dateFormat: { name: 'iso', format: 'YYYY-MM-DD' } } },
      { name: 'Seen', type: 'dateTime', options: { timeZone: 'utc' } },
      { name: 'Sold', type: 'checkbox', options: {} },
      { name: 'Owner', type: 'singleCollaborator' },
      { name: 'Maker', type: 'multipleRecordLinks', options: { linkedTableId: makers.id } },
      { name: 'Code', type: 'barcode' },
      { name: 'Double', type: 'formula', options: { formula: '{Price} * 2', result: { type: 'number' } } },
    ],
    records: [
      { Name: 'Stool', Price: 10, Kind: 'chair' },
      { Name: 'Torch', Price: 3, Kind: 'lamp' },
    ],
  })
  return base
}

const path = (sim: Simulator, id = '') => `/v0/${sim.base.id}/Wares${id && `/${id}`}`
const idOf = (sim: Simulator, name: string) =>
  sim.base
    .table('Wares')
    .readAll()
    .find(({ fields }) => fields['Name'] === name)?.id ?? assert.fail(name)

function refused(sim: Simulator, method: string, body: unknown, id = '') {
  return refusal(sim, path(sim, id), { method, body: JSON.stringify(body) })
}

describe('a write', () => {
  test('creates records, several at once or a single one, by names or ids of fields', async () => {
    await using sim = await start(wares())
    const table = sim.base.table('Wares')
    const { records } = await ask<Written>(sim, path(sim), 'POST', {
      records: [{ fields: { Name: 'A', Price: 1.5 } }, { fields: { [table.field('Name').id]: 'B', Sold: false } }],
    })
    assert.deepEqual(
      records.map(({ fields }) => fields),
      [
        { Name: 'A', Price: 1.5, Double: 3 },
        { Name: 'B', Double: 0 },
      ],
    )
    const single = await ask<RecordJson>(sim, path(sim), 'POST', { fields: { Name: 'C' }, returnFieldsByFieldId: true })
    assert.deepEqual(single.fields[table.field('Name').id], 'C')
    assert.equal(table.read(single.id).fields['Name'], 'C')
  })

  test('PATCH leaves other cells, PUT empties them', async () => {
    await using sim = await start(wares())
    const id = idOf(sim, 'Stool')
    await ask(sim, path(sim), 'PATCH', { records: [{ id, fields: { Price: 11 } }] })
    assert.deepEqual(sim.base.table('Wares').read(id).fields, { Name: 'Stool', Price: 11, Kind: 'chair', Double: 22 })
    await ask(sim, path(sim, id), 'PUT', { fields: { Name: 'Seat' } })
    assert.deepEqual(sim.base.table('Wares').read(id).fields, { Name: 'Seat', Double: 0 })
    await ask(sim, path(sim, id), 'PATCH', { fields: { Name: null } })
    assert.deepEqual(sim.base.table('Wares').read(id).fields, { Double: 0 })
  })

  test('upserts: updates what it finds by the fields to merge on, creates the rest, and says which', async () => {
    await using sim = await start(wares())
    const id = idOf(sim, 'Stool')
    const upsert = (name: string) => ({
      performUpsert: { fieldsToMergeOn: ['Name'] },
      records: [{ fields: { Name: name, Price: 12 } }, { fields: { Name: 'New', Price: 1 } }],
    })
    const first = await ask<Written>(sim, path(sim), 'PATCH', upsert('Stool'))
    assert.deepEqual(first.updatedRecords, [id])
    assert.deepEqual(first.createdRecords, [idOf(sim, 'New')])
    assert.equal(sim.base.table('Wares').read(id).fields['Kind'], 'chair')

    sim.base.table('Wares').create({ Name: 'New' })
    assert.partialDeepStrictEqual(await refused(sim, 'PATCH', upsert('Stool')), { status: 422 })
    for (const fieldsToMergeOn of [[], ['Name', 'Price', 'Kind', 'Made'], ['Double'], ['Nmae']]) {
      const wrong = { ...upsert('Stool'), performUpsert: { fieldsToMergeOn } }
      assert.partialDeepStrictEqual(await refused(sim, 'PATCH', wrong), { status: 422 })
    }
  })

  test('deletes records, several or a single one, and takes them out of links', async () => {
    await using sim = await start(wares())
    const [maker] = sim.base.table('Makers').records
    const id = idOf(sim, 'Stool')
    sim.base.table('Wares').update(id, { Maker: [maker?.id ?? ''] })
    assert.deepEqual(sim.base.table('Makers').read(maker?.id ?? '').fields['Wares'], [id])
    const query = new URLSearchParams([
      ['records[]', id],
      ['records[]', idOf(sim, 'Torch')],
    ])
    const { records } = await ask<Written>(sim, `${path(sim)}?${query.toString()}`, 'DELETE')
    assert.deepEqual(records[0], { id, deleted: true })
    assert.equal(sim.base.table('Wares').size, 0)
    assert.equal(sim.base.table('Makers').read(maker?.id ?? '').fields['Wares'], undefined)
    const last = sim.base.table('Wares').create({ Name: 'Last' })
    assert.deepEqual(await ask(sim, path(sim, last.id), 'DELETE'), { id: last.id, deleted: true })
    assert.partialDeepStrictEqual(await refusal(sim, path(sim, last.id), { method: 'DELETE' }), { status: 404 })
  })

  test('takes ten records at most', async () => {
    await using sim = await start(wares())
    const records = Array.from({ length: 11 }, (_, at) => ({ fields: { Name: String(at) } }))
    assert.match(
      (await refused(sim, 'POST', { records })).message ?? '',
      /You must provide an array of up to 10 record/,
    )
    const query = new URLSearchParams(records.map((): [string, string] => ['records[]', 'recAAAAAAAAAAAAAA']))
    const init = { method: 'DELETE' }
    assert.partialDeepStrictEqual(await refusal(sim, `${path(sim)}?${query.toString()}`, init), { status: 422 })
    assert.equal((await ask<Written>(sim, path(sim), 'POST', { records: records.slice(1) })).records.length, 10)
  })

  test('is one transaction, by the user of the token', async () => {
    await using sim = await start(wares())
    const { user, text } = sim.addToken({ user: sim.base.collaborators[3]?.id ?? '' })
    const before = sim.base.transactionNumber
    const body = JSON.stringify({ records: [{ fields: { Name: 'x' } }, { fields: { Name: 'y' } }] })
    await sim.fetch(path(sim), { method: 'POST', body, token: text })
    assert.equal(sim.base.transactionNumber, before + 1)
    assert.equal(sim.base.table('Wares').get(idOf(sim, 'y')).createdBy, user)
  })

  const WRONG: [Record<string, unknown>, string, string?][] = [
    [{ Nmae: 'x' }, 'UNKNOWN_FIELD_NAME', 'Unknown field name: "Nmae"'],
    [{ Double: 4 }, 'INVALID_VALUE_FOR_COLUMN', 'Field "Double" cannot accept a value because the field is computed'],
    [{ Name: 5 }, 'INVALID_VALUE_FOR_COLUMN'],
    [{ Price: '5' }, 'INVALID_VALUE_FOR_COLUMN'],
    [{ Stars: 6 }, 'INVALID_VALUE_FOR_COLUMN'],
    [{ Made: 'yesterday' }, 'INVALID_VALUE_FOR_COLUMN'],
    [{ Sold: 'yes' }, 'INVALID_VALUE_FOR_COLUMN'],
    [{ Owner: { id: 'usrAAAAAAAAAAAAAA' } }, 'INVALID_VALUE_FOR_COLUMN'],
    [{ Code: '123' }, 'INVALID_VALUE_FOR_COLUMN'],
    [{ Kind: 'sofa' }, 'INVALID_MULTIPLE_CHOICE_OPTIONS'],
    [{ Tags: ['old', 'new'] }, 'INVALID_MULTIPLE_CHOICE_OPTIONS'],
    [{ Maker: ['recAAAAAAAAAAAAAA'] }, 'ROW_DOES_NOT_EXIST'],
  ]
  for (const [fields, type, message] of WRONG) {
    test(`refuses ${JSON.stringify(fields)} with ${type}, and changes nothing`, async () => {
      await using sim = await start(wares())
      const before = sim.base.table('Wares').readAll()
      const answer = await refused(sim, 'POST', { records: [{ fields: { Name: 'fine' } }, { fields }] })
      assert.partialDeepStrictEqual(answer, { status: 422, type, ...(message !== undefined && { message }) })
      assert.deepEqual(sim.base.table('Wares').readAll(), before)
    })
  }

  test('with typecast makes what it is given fit: numbers, new choices, linked records by name', async () => {
    await using sim = await start(wares())
    const { records } = await ask<Written>(sim, path(sim), 'POST', {
      typecast: true,
      records: [{ fields: { Name: 5, Price: '7.5', Kind: 'sofa', Tags: 'old, new', Maker: ['Oak & Co', 'Ash Ltd'] } }],
    })
    const makers = new Map(
      sim.base
        .table('Makers')
        .readAll()
        .map(({ id, fields }) => [fields['Name'], id]),
    )
    assert.deepEqual(records[0]?.fields, {
      Name: '5',
      Price: 7.5,
      Kind: 'sofa',
      Tags: ['old', 'new'],
      Maker: [makers.get('Oak & Co'), makers.get('Ash Ltd')],
      Double: 15,
    })
  })

  test('is refused where it makes no sense', async () => {
    await using sim = await start(wares())
    const missing = 'recAAAAAAAAAAAAAA'
    const broken = await sim.fetch(path(sim), { method: 'POST', body: '{"records":' })
    assert.equal(broken.status, 400)
    assert.partialDeepStrictEqual(await refused(sim, 'POST', []), { status: 422 })
    assert.partialDeepStrictEqual(await refused(sim, 'POST', { records: [] }), { status: 422 })
    assert.partialDeepStrictEqual(await refused(sim, 'PATCH', { fields: {} }, missing), { status: 404 })
    assert.partialDeepStrictEqual(await refused(sim, 'PATCH', { records: [{ id: missing, fields: {} }] }), {
      status: 422,
      type: 'ROW_DOES_NOT_EXIST',
    })
    const reader = sim.addToken({ scopes: ['data.records:read'] }).text
    const init = { method: 'POST', body: '{"fields":{}}', token: reader }
    assert.partialDeepStrictEqual(await refusal(sim, path(sim), init), { status: 403 })
  })
})
