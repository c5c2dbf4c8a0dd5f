import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import request from 'supertest'
import { AUTH, serve } from './fakes.ts'

describe('what a person meets first', () => {
  test('the page at / needs no key, runs no script, and names every route', async (t) => {
    const { http } = await serve(t)
    const response = await request(http.server).get('/').expect(200).expect('Content-Type', /html/)

    for (const { path } of http.routes) assert.ok(response.text.includes(path), path)
    assert.doesNotMatch(response.text, /<script/)
    assert.match(response.headers['content-security-policy'] ?? '', /script-src 'self'/)
  })

  test('health is open, data is not', async (t) => {
    const { http } = await serve(t)
    await request(http.server).get('/health').expect(200)
    const refused = await request(http.server)
      .get('/fetch-data')
      .expect(401)
      .expect('WWW-Authenticate', /Bearer/)
    assert.equal((refused.body as { code: string }).code, 'unauthorized')
    await request(http.server).get('/fetch-data?limit=1').set(AUTH).expect(200)
  })
})
