import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ROUTE_DOCS } from '../../lib/http/openapi/routes/index.ts'
import { testSeed } from '../support/random.ts'
import { KEY } from './fakes.ts'
import { ask } from './raw.ts'
import { serveReal } from './real.ts'
import { storedKeys } from './stored-keys.ts'

const SEED = testSeed()
const RUNS = 250

/** Values that some member takes, and what is nearly one. */
const VALUES = [
  'partner', '', 'wares', 'wares.wares', 'r1', 'nobody22', '/api/changes', '/api/changes?stream=true', 'x'.repeat(101),
  0, 1, -1, 1.5, 86_400, 86_401, 7_776_000, 7_776_001, 315_360_001, 1e300, true, false, null, [], {},
  ['read'], ['read', 'admin'], ['write'], ['wares'], ['wares', ''], [1], [[]],
  { 'wares.wares': 'sku=eq.a' }, { 'wares.wares': '' }, { 'wares.wares': ['sku'] }, { 'wares.wares': [''] }, { 'wares.wares': 1 },
  { limit: 1, window_seconds: 1 }, { limit: 1 }, { limit: 0, window_seconds: 1 }, { limit: 1e9, window_seconds: 1 },
  { limit: 1, window_seconds: 86_401 }, { limit: '1', window_seconds: 1 }, { limit: 1, window_seconds: 1, more: 1 },
] // prettier-ignore

const MEMBERS = [
  'name', 'scopes', 'limits', 'filters', 'hidden', 'rate', 'expires_in_seconds', 'replaces', 'overlap_seconds', 'force', 'source', 'run', 'url', 'path',
  'query', 'Name', 'constructor', 'x',
] // prettier-ignore

/** A body was refused for its shape, before anything was looked up. */
const IS_MISSHAPED = /^The (?:body has an unknown member|member \S+ of the body must be)/

test(`bodies are taken as they are described (seed ${SEED})`, async (t) => {
  const keys = storedKeys(t)
  const server = await serveReal(t, keys.parts)
  await server.publish([{ sku: 'a' }])
  // Those of the routes without a key are read by nobody before they are known to be signed.
  const described = server.http.routes.flatMap(({ method, path, scope }) => {
    const schema = ROUTE_DOCS[`${method} ${path}`]?.body
    return schema && scope ? [{ method, path, schema }] : []
  })
  assert.ok(described.length > 8)
  const bodies = fc.dictionary(fc.constantFrom(...MEMBERS), fc.constantFrom(...VALUES), { maxKeys: 3 })
  const seen = { taken: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...described), bodies, async ({ method, path: template, schema }, body) => {
      const { key } = await keys.keyStore.create({ name: 'one to end', scopes: ['admin'] })
      const path = template.replace('/keys/:id', `/keys/${key.slice(3, 11)}`).replace(/:\w+/, 'wares')
      const answer = await ask(server.port, path, {
        method,
        headers: { 'X-API-Key': KEY, 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      })
      const { detail = '' } = JSON.parse(String(answer.body) || '{}') as { detail?: string }
      const isDescribed = schema.safeParse(body).success
      const what = `${template} ${JSON.stringify(body)}: ${answer.status} ${detail}`
      if (isDescribed) assert.doesNotMatch(detail, IS_MISSHAPED, what)
      else assert.equal(answer.status, 400, what)
      seen[isDescribed ? 'taken' : 'refused']++
    }),
    { seed: SEED, numRuns: RUNS },
  )
  assert.ok(Math.min(seen.taken, seen.refused) > RUNS / 10, JSON.stringify(seen))
})
