import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { FETCH_DATA_PARAMETERS } from '../../lib/http/fetch-data-query.ts'
import { serve } from './fakes.ts'

const docs = readFileSync(new URL('../../docs/http.md', import.meta.url), 'utf8')

describe('docs/http.md', () => {
  test('has every route with its scope, and no other', async (t) => {
    const { http } = await serve(t)
    const documented = [...docs.matchAll(/^\| `(GET|POST) (\/\S*)` \| (\w+) \|/gm)].map(
      ([, method, path, scope]) => `${method} ${path} ${scope}`,
    )
    const real = http.routes.map(({ method, path, scope }) => `${method} ${path} ${scope ?? 'none'}`)
    assert.deepEqual(documented.toSorted(), real.toSorted())
  })

  test('has every parameter of /fetch-data, and no other', () => {
    const section = docs.slice(docs.indexOf('\n## /fetch-data'), docs.indexOf('\n## Event streams'))
    const documented = [...section.matchAll(/^\| (`[^|]*`) \|/gm)].flatMap(([, names]) =>
      [...names!.matchAll(/`(\w+)`/g)].map(([, name]) => name!),
    )
    assert.deepEqual(documented.toSorted(), Object.keys(FETCH_DATA_PARAMETERS).toSorted())
  })
})
