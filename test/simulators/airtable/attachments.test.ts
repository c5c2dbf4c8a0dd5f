import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test } from 'node:test'
import { Base } from '../../../simulators/airtable/base.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'
import { ask, list, refusal, start } from './asking.ts'

interface AttachmentJson {
  readonly id: string
  readonly url: string
  readonly filename: string
  readonly size?: number
  readonly type?: string
  readonly width?: number
  readonly thumbnails?: Record<string, { url: string; width: number; height: number }>
}
interface RecordJson {
  readonly id: string
  readonly fields: { Files?: AttachmentJson[] }
}

function album() {
  const base = new Base({ seed: 3 })
  const table = base.createTable({
    name: 'Album',
    fields: [
      { name: 'Name', type: 'singleLineText' },
      { name: 'Files', type: 'multipleAttachments', options: { isReversed: false } },
    ],
  })
  const picture = base.attachments.create({
    filename: 'ä b.png',
    type: 'image/png',
    size: 2000,
    width: 600,
    height: 900,
  })
  const notes = base.attachments.create({ filename: 'notes.txt', type: 'text/plain', content: Buffer.from('hello') })
  const empty = base.attachments.create({ filename: 'empty.bin', type: 'application/octet-stream', size: 0 })
  const record = table.create({ Name: 'One', Files: [picture, notes, empty] })
  return { base, table, record, picture, notes }
}

const filesOf = async (sim: Awaited<ReturnType<typeof start>>) =>
  ((await list(sim, 'Album')).records[0]?.fields['Files'] ?? []) as AttachmentJson[]

describe('an attachment', () => {
  test('is shown with URL, size and type, an image with thumbnails', async () => {
    const { base, picture } = album()
    await using sim = await start(base)
    const [first, second] = await filesOf(sim)
    const { url, thumbnails, ...rest } = first ?? assert.fail('no attachment')
    assert.deepEqual(rest, { ...picture })
    assert.ok(url.startsWith(`${sim.url}/files/`), url)
    assert.deepEqual(
      Object.entries(thumbnails ?? {}).map(([name, { width, height }]) => [name, width, height]),
      [
        ['small', 24, 36],
        ['large', 341, 512],
        ['full', 600, 900],
      ],
    )
    assert.equal(second?.thumbnails, undefined)
    assert.equal((await fetch(thumbnails?.['small']?.url ?? '')).status, 200)
  })

  test('gives exactly its bytes, without a token and without being counted', async () => {
    const { base } = album()
    await using sim = await start(base, { limiter: { perBase: 1 } })
    for (const { id, url, size, type } of await filesOf(sim)) {
      const response = await fetch(url)
      const bytes = Buffer.from(await response.arrayBuffer())
      assert.equal(response.headers.get('content-type'), type)
      assert.equal(bytes.length, size)
      assert.deepEqual(bytes, sim.bytesOf({ id }))
      assert.equal(createHash('sha256').update(bytes).digest('hex'), base.attachments.digestOf({ id }))
    }
    assert.deepEqual(
      sim.requests.map(({ kind, limiter }) => [kind, limiter]),
      [['list', 'passed'], ...Array.from({ length: 3 }, () => ['file', 'not counted'])],
    )
  })

  test('has another URL at each read, and each dies two hours later', async () => {
    const clock = new VirtualClock()
    for (const expiredStatus of [410, 403] as const) {
      const { base } = album()
      await using sim = await start(base, { clock, expiredStatus })
      const [old] = await filesOf(sim)
      await clock.sleep(7_200_000)
      assert.equal((await fetch(old?.url ?? '')).status, 200)
      await clock.sleep(1)
      assert.equal((await fetch(old?.url ?? '')).status, expiredStatus)
      const [fresh] = await filesOf(sim)
      assert.notEqual(fresh?.url, old?.url)
      assert.equal(fresh?.id, old?.id)
      assert.equal((await fetch(fresh?.url ?? '')).status, 200)
    }
  })

  test('is not given for a URL that was tampered with', async () => {
    const { base } = album()
    await using sim = await start(base)
    const [first, other] = await filesOf(sim)
    const { url, id } = first ?? assert.fail('no attachment')
    const expiresAt = /\/u\/\d+\/(\d+)\//.exec(url)?.[1] ?? ''
    assert.equal((await fetch(url.replace(expiresAt, `${expiresAt}0`))).status, 403)
    assert.equal((await fetch(url.replace(id, other?.id ?? ''))).status, 403)
    assert.equal((await fetch(`${sim.url}/files/v3/anything`)).status, 403)
  })

  test('can be cut off, be of the wrong size, come late, or be gone', async () => {
    const { base, picture } = album()
    await using sim = await start(base)
    const url = (await filesOf(sim))[0]?.url ?? ''
    const match = { kind: 'file' } as const
    sim.fault({ match, kind: 'cut' })
    sim.fault({ match, kind: 'wrong size' })
    sim.fault({ match, kind: 'slow', delayMs: 60_000 })
    sim.fault({ match, kind: 'not found' })
    await assert.rejects((await fetch(url)).arrayBuffer(), /terminated/)
    assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, 1000)
    const before = sim.clock.monotonic()
    assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, picture.size)
    assert.equal(sim.clock.monotonic() - before, 60_000)
    assert.equal((await fetch(url)).status, 404)
  })

  test('an image is one that can be opened', async () => {
    const { base, picture } = album()
    const bytes = base.attachments.bytesOf(picture)
    assert.equal(bytes.length, 2000)
    assert.deepEqual([...bytes.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])
    assert.equal(bytes.subarray(-8, -4).toString(), 'IEND')
  })
})

describe('a new attachment', () => {
  test('is read from its URL after the answer; those to keep are named by id; what fails vanishes', async () => {
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/good.txt' ? 200 : 404, { 'content-type': 'text/plain' }).end('bytes')
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    try {
      const { base, table, record, notes } = album()
      await using sim = await start(base)
      const path = `/v0/${base.id}/Album/${record.id}`
      const Files = [{ id: notes.id }, { url: `${origin}/good.txt` }, { url: `${origin}/bad.txt`, filename: 'bad' }]
      const answer = await ask<RecordJson>(sim, path, 'PATCH', { fields: { Files } })
      assert.deepEqual(
        answer.fields.Files?.map(({ filename, size }) => [filename, size]),
        [
          ['notes.txt', 5],
          ['good.txt', undefined],
          ['bad', undefined],
        ],
      )
      await sim.uploaded()
      const files = table.read(record.id).fields['Files'] as unknown as AttachmentJson[]
      assert.deepEqual(
        files.map(({ filename, size, type }) => [filename, size, type]),
        [
          ['notes.txt', 5, 'text/plain'],
          ['good.txt', 5, 'text/plain'],
        ],
      )
      const [, good] = await filesOf(sim)
      assert.equal(await (await fetch(good?.url ?? '')).text(), 'bytes')
      const unknown = { fields: { Files: [{ id: 'attAAAAAAAAAAAAAA' }] } }
      const init = { method: 'PATCH', body: JSON.stringify(unknown) }
      assert.partialDeepStrictEqual(await refusal(sim, path, init), { type: 'INVALID_VALUE_FOR_COLUMN' })
    } finally {
      server.close()
    }
  })
})
