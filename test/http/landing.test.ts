import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import request from 'supertest'
import { TAGS } from '../../lib/http/openapi/route-doc.ts'
import { AUTH, serve } from './fakes.ts'

describe('what a person meets first', () => {
  test('the page at / needs no key, runs no script, and names every route', async (t) => {
    const { http } = await serve(t)
    const response = await request(http.server).get('/').expect(200).expect('Content-Type', /html/)

    for (const { path } of http.routes) assert.ok(response.text.includes(path), path)
    assert.doesNotMatch(response.text, /<script/)
    assert.match(response.headers['content-security-policy'] ?? '', /script-src 'self'/)
  })

  test('groups routes as /docs does, and leads to where that tells of each', async (t) => {
    const { http } = await serve(t)
    const { text } = await request(http.server).get('/')
    const docs = (await request(http.server).get('/docs')).text
    const [, ...sections] = text.split('<h2>')
    assert.deepEqual(
      sections.map((section) => section.slice(0, section.indexOf('<'))),
      Object.keys(TAGS),
    )
    for (const section of sections) {
      const name = section.slice(0, section.indexOf('<'))
      const theirs = docs.split('<section>').find((one) => one.includes(`>${name}</h2>`)) ?? ''
      const anchors = [...section.matchAll(/href="\/docs#([^"]+)"/g)].map(([, anchor]) => anchor)
      assert.ok(anchors.length > 0)
      for (const anchor of anchors) assert.ok(theirs.includes(`id="${anchor}"`), `${name}: ${anchor}`)
    }
    assert.equal(text.match(/href="\/docs#/g)?.length, http.routes.length - 1)
  })

  test('says where it was asked, as long as that can only be an address', async (t) => {
    const { http } = await serve(t)
    const at = async (path: string, headers: Record<string, string>) =>
      (await request(http.server).get(path).set(headers)).text
    for (const path of ['/', '/docs']) {
      assert.match(await at(path, { Host: 'data.example:8080' }), /'http:\/\/data\.example:8080\//)
      const secure = { Host: '[::1]:80', 'X-Forwarded-Proto': 'https' }
      assert.match(await at(path, secure), /'https:\/\/\[::1\]:80\//)
      assert.match(await at(path, { Host: 'a', 'X-Forwarded-Proto': 'https, http' }), /'http:\/\/a\//)
      for (const Host of [`x'$(id)`, 'a"b', '<b>', 'a/b', 'a b', 'x'.repeat(300)]) {
        const text = await at(path, { Host })
        assert.match(text, /'http:\/\/this-host\//)
        assert.ok(!text.includes(`//${Host}`))
      }
    }
    // Whoever has no key cannot have pages made without end.
    for (let n = 0; n < 20; n++) await at('/docs', { Host: `h${n}` })
    assert.match(await at('/docs', { Host: 'h19' }), /this-host/)
  })

  test('health is open, data is not', async (t) => {
    const { http } = await serve(t)
    await request(http.server).get('/health').expect(200)
    const refused = await request(http.server)
      .get('/fetch-data')
      .expect(401)
      .expect('WWW-Authenticate', /Bearer/)
    assert.equal((refused.body as { code: string }).code, 'unauthorized')
    for (const name of ['key', 'api_key', 'apikey']) {
      const told = await request(http.server).get(`/fetch-data?${name}=x`).expect(401)
      assert.match((told.body as { detail: string }).detail, /does not belong into a URL/)
    }
    await request(http.server).get('/fetch-data?limit=1').set(AUTH).expect(200)
  })
})
