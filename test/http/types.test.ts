import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { environmentKeys } from '../../lib/http/keys.ts'
import { typeText } from '../../lib/type-text.ts'
import { limitedKeys } from './limited.ts'
import { KEY } from './fakes.ts'
import { ask, assertProblem } from './raw.ts'
import { serveReal, type RealServer } from './real.ts'

async function publishTwo(server: RealServer): Promise<void> {
  const orders = { name: 'Order Items', key: ['id'], columns: ['id', 'price €'], rows: [[1, 'x']] }
  const people = { name: 'people', key: ['id'], columns: ['id'], rows: [[1]] }
  await server.site.sync({ identity: 'two', tables: [orders, people] })
  server.mounts.look()
}

describe('GET /api/types', () => {
  test('is a TypeScript module for every table, and follows the live schema', async (t) => {
    const server = await serveReal(t)
    const empty = await server.get('/api/types')
    assert.equal(empty.status, 200)
    assert.equal(await empty.text(), typeText([]))

    await publishTwo(server)
    const response = await server.get('/api/types')
    assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8')
    const text = await response.text()
    assert.match(text, /export interface OrderItems \{\n {2}"id": number \| string\n {2}"price €": string \| null\n\}/)
    assert.match(text, /export type TableName = "Order Items" \| "people"\n/)
    const again = await server.get('/api/types', { 'If-None-Match': response.headers.get('etag')! })
    assert.equal(again.status, 304)
  })

  test('as JSON says the same as data, in the original’s words', async (t) => {
    const server = await serveReal(t)
    await publishTwo(server)
    const { generatedAt, ...rest } = await server.json('/api/types?format=json')
    assert.equal(generatedAt, new Date(server.site.clock.now()).toISOString())
    const person = {
      tableId: 'people',
      source: 'wares',
      table: 'people',
      baseId: null,
      originalName: 'people',
      normalizedName: 'people',
      primaryFieldId: 'id',
    }
    const id = { id: 'id', name: 'id', column: 'id', type: 'integer', tsType: 'number | string' }
    assert.deepEqual(rest, {
      tableCount: 2,
      tables: [
        {
          tableId: 'Order Items',
          source: 'wares',
          table: 'Order Items',
          baseId: null,
          originalName: 'Order Items',
          normalizedName: 'orderitems',
          primaryFieldId: 'id',
          fields: [id, { id: 'price €', name: 'price €', column: 'price €', type: 'text', tsType: 'string | null' }],
        },
        { ...person, fields: [id] },
      ],
    })
    assertProblem(
      await ask(server.port, '/api/types?format=xml', { headers: { 'X-API-Key': KEY } }),
      400,
      'bad_parameter',
    )
  })

  test('tells a limited key of its own tables only', async (t) => {
    const keys = limitedKeys(environmentKeys([KEY]), { limited: ['wares.people'] })
    const server = await serveReal(t, { keys })
    await publishTwo(server)
    const text = await (await server.get('/api/types', { 'X-API-Key': 'limited' })).text()
    assert.match(text, /export interface People/)
    assert.doesNotMatch(text, /order/i)
  })
})
