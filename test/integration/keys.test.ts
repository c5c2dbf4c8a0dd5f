import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Site, until } from '../support/holdfast.ts'

const KEYS = fileURLToPath(new URL('../../scripts/keys.ts', import.meta.url))

describe('a key that is made beside a running server', () => {
  test('works there, and once it is revoked, neither it nor its ticket nor its streams do', async () => {
    await using site = new Site()
    site.write([{ sku: 'a', price: 1 }])
    const server = await site.server()
    await until(() => site.pointer(), { what: 'a first snapshot' })

    const made = site.start(KEYS, ['create', '--name', 'partner'])
    assert.equal(await made.ended, 0, made.output())
    const key = /hf_\S{52}/.exec(made.output())?.[0] ?? ''
    const headers = { 'X-API-Key': key }
    await until(async () => (await server.get('/fetch-data', headers)).status === 200, { what: 'the key to work' })

    const events = '/api/sources/wares/events'
    const issued = await fetch(`${server.url}/api/tickets`, {
      method: 'POST',
      headers: { ...headers, 'Content-Type': 'application/json' },
      body: JSON.stringify({ url: events }),
    })
    const { url } = (await issued.json()) as { url: string }
    const streams = [await server.get(events, headers), await fetch(server.url + url)]
    const texts = streams.map((stream) => stream.text())
    assert.deepEqual(
      streams.map(({ status }) => status),
      [200, 200],
    )

    const revoked = site.start(KEYS, ['revoke', key.slice(3, 11)])
    assert.equal(await revoked.ended, 0, revoked.output())
    for (const text of await Promise.all(texts)) {
      assert.match(text, /"type":"error","code":"unauthorized"[^]*"type":"done"/)
    }
    assert.equal((await server.get('/fetch-data', headers)).status, 401)
    assert.equal((await fetch(server.url + url)).status, 401)
    assert.equal((await server.get('/fetch-data')).status, 200)
  })
})
