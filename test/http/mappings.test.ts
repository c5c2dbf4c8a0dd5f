import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { environmentKeys } from '../../lib/http/keys.ts'
import { KEY } from './fakes.ts'
import { limitedKeys } from './limited.ts'
import { ask, assertProblem } from './raw.ts'
import { serveReal, type RealOptions, type RealServer } from './real.ts'

/** Two sources, each with a table of the same name. */
async function served(t: Parameters<typeof serveReal>[0], options: RealOptions = {}): Promise<RealServer> {
  const server = await serveReal(t, { ...options, site: { sources: ['crm', 'shop'] } })
  const orders = { name: 'O R D E R S', key: ['No.'], columns: ['No.', '__proto__'], rows: [[1, 'x']] }
  const people = { name: 'people', key: ['id'], columns: ['id'], rows: [[1]] }
  await server.site.sync({ identity: 'crm', tables: [orders, people] }, { source: 'crm' })
  await server.site.sync({ identity: 'shop', tables: [people] }, { source: 'shop' })
  server.mounts.look()
  return server
}

const orders = {
  tableId: 'O R D E R S',
  source: 'crm',
  table: 'O R D E R S',
  baseId: null,
  originalName: 'O R D E R S',
  normalizedName: 'orders',
  primaryFieldId: 'No.',
}
const fields = [
  ['No.', { id: 'No.', name: 'No.', column: 'No.', type: 'integer' }],
  ['__proto__', { id: '__proto__', name: '__proto__', column: '__proto__', type: 'text' }],
]

describe('GET /api/mappings', () => {
  test('names every table and its fields, whatever they are called', async (t) => {
    const server = await served(t)
    const answer = await server.json<{ mappings: { source: string; tableId: string; fields: object }[] }>(
      '/api/mappings',
    )
    const [first, ...others] = answer.mappings
    assert.deepEqual({ ...answer, mappings: undefined }, { backend: 'sqlite', count: 3, mappings: undefined })
    const { fields: found, ...head } = first!
    assert.deepEqual(head, orders)
    assert.deepEqual(Object.entries(found), fields)
    assert.deepEqual(
      others.map(({ source, tableId }) => `${source}.${tableId}`),
      ['crm.people', 'shop.people'],
    )
  })
})

describe('GET /api/mappings/:id', () => {
  test('finds a table by its name, its normalized name and with its source', async (t) => {
    const server = await served(t)
    for (const id of ['O R D E R S', 'orders', 'crm.O R D E R S', 'crm.orders']) {
      const { fields: found, ...head } = await server.json(`/api/mappings/${encodeURIComponent(id)}`)
      assert.deepEqual(head, { backend: 'sqlite', ...orders }, id)
      assert.deepEqual(Object.entries(found as object), fields)
    }
    assert.equal((await server.json('/api/mappings/shop.people')).source, 'shop')
  })

  test('says what there is where nothing or too much is found', async (t) => {
    const server = await served(t)
    const headers = { 'X-API-Key': KEY }
    const unknown = assertProblem(await ask(server.port, '/api/mappings/nothing', { headers }), 404, 'table_not_found')
    assert.deepEqual(unknown.known, ['O R D E R S', 'crm.people', 'shop.people'])
    const several = assertProblem(await ask(server.port, '/api/mappings/people', { headers }), 400, 'bad_parameter')
    assert.deepEqual(several.known, ['crm.people', 'shop.people'])
  })

  test('does not know what a key does not see', async (t) => {
    const server = await served(t, { keys: limitedKeys(environmentKeys([KEY]), { limited: ['shop'] }) })
    const headers = { 'X-API-Key': 'limited' }
    const { mappings } = await server.json<{ mappings: { source: string }[] }>('/api/mappings', headers)
    assert.deepEqual(
      mappings.map(({ source }) => source),
      ['shop'],
    )
    const unknown = assertProblem(await ask(server.port, '/api/mappings/orders', { headers }), 404, 'table_not_found')
    assert.deepEqual(unknown.known, ['people'])
    assert.equal((await server.json('/api/mappings/people', headers)).source, 'shop')
  })
})
