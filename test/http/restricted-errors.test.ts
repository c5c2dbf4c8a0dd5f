import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TableOrigin } from '../../lib/origin.ts'
import type { TablePlan } from '../../lib/source.ts'
import { active, Script } from '../sqlite/script.ts'
import { ask } from './raw.ts'
import { serveReal } from './real.ts'
import { storedKeys } from './stored-keys.ts'

const COLUMNS = ['sku', 'name', 'price', '_errors']
const ORIGIN: TableOrigin = {
  baseId: 'app00000000000001', id: 'tbl00000000000001', name: 'wares', primaryFieldId: 'fld00000000000001', views: [], errorsColumn: '_errors',
  fields: [
    { id: 'fld00000000000001', name: 'name', type: 'singleLineText', column: 'name' },
    { id: 'fld00000000000002', name: 'price', type: 'formula', column: 'price' },
  ],
} // prettier-ignore
const TABLE: TablePlan = {
  name: 'wares', key: ['sku'], columns: COLUMNS, types: { sku: 'text', name: 'text', price: 'real', _errors: 'json' }, origin: ORIGIN,
} // prettier-ignore

test('a key that hides a column does not see its failed cells either, on any route', async (t) => {
  const keys = storedKeys(t)
  const server = await serveReal(t, keys.parts)
  const secret = { error: '#SECRET-4711' }
  const script = new Script().next([TABLE], [{ table: 'wares', columns: COLUMNS, rows: [['a', 'one', 1, null]] }])
  await server.site.sync(script)
  await server.site.sync(
    script.next(
      [active(TABLE)],
      [{ table: 'wares', columns: COLUMNS, put: true, rows: [['a', 'one', null, { price: secret }]] }],
    ),
  )
  server.mounts.look()
  const { headers } = await keys.make({ rules: { 'wares.wares': { filter: null, hidden: ['price'] } } })
  const paths = [
    '/api/tables/wares', '/api/tables/wares/a', '/api/tables/wares?fields=_errors', '/api/tables/wares?format=csv', '/rest/v1/wares',
    '/rest/v1/wares?select=_errors->price', '/rest/v1/wares?_errors->price->>error=eq.%23SECRET-4711', '/fetch-data', '/fetch-data?format=csv',
    '/api/changes?since=beginning', '/api/types', '/api/mappings', '/api/tables', '/openapi.json', '/api/exports',
  ] // prettier-ignore
  for (const path of paths) {
    const { status, body } = await ask(server.port, path, { headers })
    assert.ok(status < 500, `${path} ${status}`)
    assert.doesNotMatch(String(body), /SECRET/, path)
    if (status === 200) assert.doesNotMatch(String(body), path === '/openapi.json' ? /_errors/ : /_errors|price/, path)
  }
  const whole = await (await server.get('/api/tables/wares')).text()
  assert.match(whole, /SECRET/)
})
