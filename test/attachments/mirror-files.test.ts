import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { disk } from '../../lib/base/files.ts'
import { Failure } from '../../lib/errors.ts'
import { fileName, type FileRow } from '../../lib/files.ts'
import { answers, whole, type Behaviour } from './file-host.ts'
import { FilesSite } from './files-site.ts'

const sha256 = (text: string) => createHash('sha256').update(text).digest('base64')
const stalls: Behaviour = (response, bytes) => {
  response.writeHead(200, { 'Content-Length': bytes.length })
  response.write(bytes.subarray(0, 3))
}
const cutsOff: Behaviour = (response, bytes) => {
  response.writeHead(200, { 'Content-Length': bytes.length })
  response.write(bytes.subarray(0, bytes.length - 2), () => response.destroy())
}

describe('mirroring files', () => {
  test('fetches what the active snapshot speaks of, and tells its size and digest', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA', 'aaaa'), site.file('attB', 'b')], [site.file('attC', '')])
    site.offer('attA', 'attB', 'attC')
    const { at: _at, ...counts } = await site.mirror()
    assert.deepEqual(counts, { mirrored: 3, waiting: 0, failed: 0, trouble: null, nextAt: null })
    assert.deepEqual(site.names(), ['attA', 'attB', 'attC'])
    assert.deepEqual([site.content('attA'), site.content('attC')], ['aaaa', ''])
    using files = site.mirrored()
    const path = join(site.path, 'attA')
    assert.deepEqual(files.find('wares', 'attA'), { kind: 'mirrored', path, bytes: 4, sha256: sha256('aaaa') })
    assert.deepEqual(files.find('wares', 'attX'), { kind: 'waiting' })
    assert.equal(files.counts('wares')?.mirrored, 3)
  })

  test('fetches a file once, however many rows speak of it and however often it is offered', async (t) => {
    const site = await FilesSite.open(t)
    const shared = site.file('attA')
    await site.publish([shared], [shared], [shared])
    site.offer('attA')
    await site.mirror()
    await site.publish([shared], [shared], [])
    site.offer('attA')
    await site.mirror()
    assert.deepEqual(site.host.requests, ['attA'])
    assert.deepEqual(site.renewals, [])
  })

  test('sends no key and takes no compressed body', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA')])
    site.offer('attA')
    await site.mirror()
    const [headers] = site.host.headers
    assert.equal(headers?.authorization, undefined)
    assert.equal(headers?.['accept-encoding'], 'identity')
  })

  test('has five under way at a time, and a slow one holds up no other', async (t) => {
    const site = await FilesSite.open(t)
    const ids = Array.from({ length: 40 }, (_, index) => `att${String(index).padStart(2, '0')}`)
    const files = ids.map((id) => site.file(id))
    await site.publish(files)
    const five = Promise.withResolvers<void>()
    const others = Promise.withResolvers<void>()
    let asked = 0
    for (const id of ids) {
      site.host.put(id, `content of ${id}`, async (...given) => {
        if (++asked === 5) setTimeout(five.resolve, 50)
        await five.promise
        if (id === 'att00') await others.promise
        else if (asked === ids.length) others.resolve()
        await whole(...given)
      })
    }
    site.offer(...ids)
    assert.equal((await site.mirror()).mirrored, 40)
    assert.equal(site.host.peak, 5)
  })

  test('holds a few pieces of a large file in memory at a time', async (t) => {
    const site = await FilesSite.open(t)
    const piece = Buffer.alloc(1024 * 1024, 'x')
    const pieces = 192
    const size = pieces * piece.length
    await site.publish([{ id: 'attLarge', size }])
    site.host.put('attLarge', '', async (response) => {
      response.writeHead(200, { 'Content-Length': size })
      for (let sent = 0; sent < pieces; sent++) {
        if (!response.write(piece)) await new Promise((resolve) => response.once('drain', resolve))
      }
      response.end()
    })
    site.index.add([site.host.offer('attLarge', { bytes: size })])
    const before = process.memoryUsage().rss
    let peak = 0
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 10)
    assert.equal((await site.mirror()).mirrored, 1)
    clearInterval(watch)
    assert.equal(statSync(join(site.path, 'attLarge')).size, size)
    assert.ok(peak - before < size / 2, `${Math.round((peak - before) / 1e6)} MB more for ${size / 1e6} MB`)
  })
})

describe('an offer', () => {
  test('that has expired, or that there never was, is asked for again by the row, many at a time', async (t) => {
    const site = await FilesSite.open(t)
    const rows = Array.from({ length: 120 }, (_, index) => [site.file(`att${String(index).padStart(3, '0')}`)])
    await site.publish(...rows)
    site.index.add([site.host.offer('att000', { expiresAt: Date.now() - 1 })])
    assert.equal((await site.mirror()).mirrored, 120)
    assert.deepEqual(
      site.renewals.map(({ length }) => length),
      [100, 20],
    )
    assert.equal(site.host.requests.length, 120)
  })

  for (const status of [401, 403, 404, 410, 400]) {
    test(`that gets ${status} is asked for again`, async (t) => {
      const site = await FilesSite.open(t)
      await site.publish([site.file('attA')])
      site.host.put('attA', 'content of attA', answers(status), whole)
      site.offer('attA')
      assert.equal((await site.mirror()).mirrored, 1)
      assert.deepEqual(site.renewals, [['w1']])
    })
  }

  test('that is new counts, whatever this clock says of when it ends', async (t) => {
    const site = await FilesSite.open(t)
    site.clock.move(86_400_000)
    await site.publish([site.file('attA')])
    assert.equal((await site.mirror()).mirrored, 1)
  })

  test('lies in a file that only its owner can read, and is gone when the file is here', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA')])
    site.offer('attA')
    const index = join(site.path, 'index.sqlite')
    for (const name of [index, `${index}-wal`]) assert.equal(statSync(name).mode & 0o777, 0o600, name)
    await site.mirror()
    site.index[Symbol.dispose]()
    assert.doesNotMatch(readFileSync(index, 'latin1'), /secret-/)
  })

  test('is not asked for where the month has no calls left: what is offered is fetched, the rest waits', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA')], [site.file('attB')])
    site.offer('attB')
    const spent = new Failure('upstream_budget_spent', 'No calls are left.')
    const { trouble, nextAt, ...counts } = await site.mirror({ renew: () => Promise.reject(spent) })
    assert.deepEqual([counts.mirrored, counts.waiting, counts.failed], [1, 1, 0])
    assert.deepEqual(trouble, { code: 'upstream_budget_spent', message: 'No calls are left.' })
    assert.ok(nextAt !== null && nextAt > site.clock.now() + 3_000_000)
    const down = new Failure('upstream_unavailable', 'It is down.')
    const later = await site.mirror({ renew: () => Promise.reject(down) })
    assert.ok(later.nextAt !== null && later.nextAt > site.clock.now() + 600_000)
  })
})

describe('a file that cannot be fetched', () => {
  const FLAWS: readonly (readonly [what: string, behaviour: Behaviour])[] = [
    ['is cut off', cutsOff],
    ['is shorter than its row says', (response) => void response.writeHead(200, { 'Content-Length': 3 }).end('abc')],
    ['is longer than its row says', (response, bytes) => void response.end(Buffer.concat([bytes, bytes]))],
    ['is shorter, and its length not said', (response) => void response.end('abc')],
    ['gets 500', answers(500)],
    ['gets 503 and a time to wait', answers(503, { 'Retry-After': '7' })],
    ['gets 429', answers(429, { 'Retry-After': '7' })],
    ['stalls', stalls],
  ]
  for (const [what, behaviour] of FLAWS) {
    test(`since it ${what} is tried again, and is whole then`, async (t) => {
      const site = await FilesSite.open(t)
      await site.publish([site.file('attA', 'content')], [site.file('attB')])
      site.host.put('attA', 'content', behaviour, behaviour, whole)
      site.offer('attA', 'attB')
      const { mirrored, failed } = await site.mirror({ limits: { stallMs: 150 } })
      assert.deepEqual([mirrored, failed], [2, 0])
      assert.equal(site.content('attA'), 'content')
      assert.equal(site.host.requests.filter((id) => id === 'attA').length, 3)
      assert.deepEqual(site.names(), ['attA', 'attB'])
    })
  }

  test('is given up after four tries for now, leaves nothing behind, and holds up no other', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA', 'content')], [site.file('attB')])
    site.host.put('attA', 'content', cutsOff)
    site.offer('attA', 'attB')
    const counts = await site.mirror()
    assert.deepEqual([counts.mirrored, counts.waiting, counts.failed, counts.trouble], [1, 0, 1, null])
    assert.equal(site.host.requests.filter((id) => id === 'attA').length, 4)
    assert.deepEqual(site.names(), ['attB'])
    using files = site.mirrored()
    const state = files.find('wares', 'attA')
    assert.equal(state.kind === 'failed' && state.code, 'upstream_unavailable')
    assert.doesNotMatch(JSON.stringify(state), /secret|http/)
    assert.ok(counts.nextAt !== null && counts.nextAt > site.clock.now() + 60_000)
  })

  test('rests, and longer after each later try', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA', 'content')])
    site.host.put('attA', 'content', answers(500))
    site.offer('attA')
    const rests: number[] = []
    for (let round = 0; round < 5; round++) {
      const { nextAt } = await site.mirror()
      rests.push(Math.round(((nextAt ?? 0) - site.clock.now()) / 60_000))
      const requests = site.host.requests.length
      await site.mirror()
      assert.equal(site.host.requests.length, requests, 'it is left alone until then')
      site.clock.move((nextAt ?? 0) - site.clock.now())
    }
    assert.deepEqual(rests, [10, 20, 40, 80, 160])
    site.host.put('attA', 'content')
    site.offer('attA')
    assert.equal((await site.mirror()).mirrored, 1)
  })

  test('because it is refused under a new offer too has failed at once, and is tried again when it is offered again', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA', 'content')])
    site.host.put('attA', 'content', answers(403))
    site.offer('attA')
    assert.equal((await site.mirror()).failed, 1)
    assert.equal(site.host.requests.length, 2)
    using files = site.mirrored()
    assert.deepEqual(files.find('wares', 'attA'), {
      kind: 'failed',
      code: 'upstream_refused',
      message: 'The upstream answered 403 for the file.',
    })
    site.host.put('attA', 'content')
    site.offer('attA')
    assert.equal((await site.mirror()).mirrored, 1)
    assert.equal(files.find('wares', 'attA').kind, 'mirrored')
  })

  test('because the upstream has it no more has failed', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA')], [site.file('attB')])
    site.host.remove('attA')
    const { mirrored, failed } = await site.mirror()
    assert.deepEqual([mirrored, failed], [1, 1])
    assert.deepEqual(site.host.requests, ['attB'])
  })

  test('counts no more when no row speaks of it', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA')], [site.file('attB')])
    site.host.put('attA', 'content of attA', answers(403))
    site.offer('attA', 'attB')
    assert.equal((await site.mirror()).failed, 1)
    await site.publish([], [site.file('attB')])
    const { failed, nextAt } = await site.mirror()
    assert.deepEqual([failed, nextAt], [0, null])
  })

  const ADDRESSES = ['file:///etc/passwd', 'data:text/plain,content', 'ftp://127.0.0.1/x', 'not a url', '']
  for (const url of ADDRESSES) {
    test(`since it is offered at ${url || 'no address'} is not asked for`, async (t) => {
      const site = await FilesSite.open(t)
      await site.publish([{ id: 'attA', size: 7 }])
      site.index.add([{ id: 'attA', url, expiresAt: Date.now() + 60_000, bytes: 7 }])
      const { failed } = await site.mirror({ renew: undefined })
      assert.equal(failed, 1)
      assert.deepEqual(site.names(), [])
    })
  }
})

describe('a redirect', () => {
  const to =
    (location: string): Behaviour =>
    (response) =>
      void response.writeHead(302, { Location: location }).end()

  test('is followed, a few', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA', 'content')])
    site.host.put('attA', 'content', to('/hop1'))
    site.host.put('hop1', '', to('hop2'))
    site.host.put('hop2', 'content')
    site.offer('attA')
    assert.equal((await site.mirror()).mirrored, 1)
    assert.equal(site.content('attA'), 'content')
  })

  test('that leads back to itself comes to an end', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA', 'content')])
    site.host.put('attA', 'content', to('/attA'))
    site.offer('attA')
    assert.equal((await site.mirror()).failed, 1)
    assert.equal(site.host.requests.length, 4 * 6)
  })

  test('to an address of another kind is not followed', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA', 'content')])
    site.host.put('attA', 'content', to('file:///etc/passwd'))
    site.offer('attA')
    assert.equal((await site.mirror()).failed, 1)
    assert.deepEqual(site.names(), [])
  })
})

describe('an upstream that is down', () => {
  test('is not asked for every file: it is left alone for a while', async (t) => {
    const site = await FilesSite.open(t)
    const ids = Array.from({ length: 200 }, (_, index) => `att${String(index).padStart(3, '0')}`)
    await site.publish(ids.map((id) => site.file(id)))
    for (const id of ids) site.host.put(id, `content of ${id}`, answers(503))
    site.offer(...ids)
    const counts = await site.mirror()
    assert.ok(site.host.requests.length < 40, `${site.host.requests.length} requests`)
    assert.deepEqual([counts.mirrored, counts.waiting], [0, 200])
    assert.equal(counts.trouble?.code, 'upstream_unavailable')
    for (const id of ids) site.host.put(id, `content of ${id}`)
    site.clock.move(60_000)
    assert.equal((await site.mirror()).mirrored, 200)
  })
})

describe('ids', () => {
  const HOSTILE = [
    '../../active.json',
    '/etc/passwd',
    'index.sqlite',
    '..',
    'a/b',
    'a\\b',
    'a\u0000b',
    'attA\r\nX: y',
    'CON.',
    'ö'.repeat(40),
    'a'.repeat(5000),
    '\u202Egnp.exe',
    `'; DROP TABLE files; --`,
    '%2e%2e%2f',
  ]

  test('decide on the name alone, whatever they hold: nothing lies anywhere else', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish(...HOSTILE.map((id) => [site.file(id)]))
    const before = site.site.list()
    site.offer(...HOSTILE)
    assert.equal((await site.mirror()).mirrored, HOSTILE.length)
    assert.deepEqual(site.site.list(), before)
    assert.equal(site.names().length, HOSTILE.length)
    for (const name of site.names()) assert.match(name, /^sha256-[0-9a-f]{64}$/)
    for (const id of HOSTILE) assert.equal(site.content(id), `content of ${id}`)
  })

  test('that are plain are names, and no other id has the same', () => {
    assert.equal(fileName('attA1b2C3'), 'attA1b2C3')
    const names = [...HOSTILE, 'attA1b2C3', fileName('..')].map(fileName)
    assert.equal(new Set(names).size, names.length)
  })
})

describe('snapshots', () => {
  test('that become active meanwhile are followed: what they bring does not wait for the end', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA')])
    const { promise: isPublished, resolve: published } = Promise.withResolvers<void>()
    site.host.put('attA', 'content of attA', async (response, bytes, request) => {
      await site.publish([site.file('attB')], [{ id: 'attA', size: bytes.length }])
      site.host.put('attB', 'content of attB', async (...given) => {
        await whole(...given)
        published()
      })
      await isPublished
      await whole(response, bytes, request)
    })
    site.offer('attA')
    assert.equal((await site.mirror()).mirrored, 2)
    assert.deepEqual(site.host.requests, ['attA', 'attB'])
  })

  test('that become active while offers are asked for change nothing of what is fetched, and how often', async (t) => {
    const site = await FilesSite.open(t)
    const rows = Array.from({ length: 130 }, (_, index) => [site.file(`att${String(index).padStart(3, '0')}`)])
    await site.publish(...rows)
    let isFirst = true
    const renew = async (wanted: readonly FileRow[]) => {
      if (isFirst) await site.publish(...rows, [site.file('attNew')])
      isFirst = false
      return wanted.map(({ key }) =>
        site.host.offer(key === 'w131' ? 'attNew' : `att${String(Number(key.slice(1)) - 1).padStart(3, '0')}`),
      )
    }
    assert.equal((await site.mirror({ renew })).mirrored, 131)
    assert.equal(new Set(site.host.requests).size, 131)
    assert.equal(site.host.requests.length, 131)
  })

  test('that speak of no file need none', async (t) => {
    const site = await FilesSite.open(t)
    assert.equal((await site.mirror()).waiting, 0)
    await site.publish([], [])
    assert.equal((await site.mirror()).waiting, 0)
    assert.deepEqual(site.host.requests, [])
  })
})

describe('files that no row speaks of any more', () => {
  test('stay while the snapshot before does, and for a time of grace; then they are removed', async (t) => {
    const site = await FilesSite.open(t)
    const grace = { removalGraceMs: 60_000 }
    await site.publish([site.file('attA'), site.file('attB')])
    site.offer('attA', 'attB')
    await site.mirror(grace)
    await site.publish([site.file('attB')])
    site.clock.move(120_000)
    await site.mirror(grace)
    assert.deepEqual(site.names(), ['attA', 'attB'], 'a rollback would bring it back')
    await site.publish([site.file('attB')], [])
    await site.mirror(grace)
    assert.deepEqual(site.names(), ['attA', 'attB'])
    site.clock.move(59_000)
    await site.mirror(grace)
    assert.deepEqual(site.names(), ['attA', 'attB'])
    site.clock.move(2000)
    await site.mirror(grace)
    assert.deepEqual(site.names(), ['attB'])
    using files = site.mirrored()
    assert.equal(files.find('wares', 'attA').kind, 'waiting')
  })

  test('stay when a row speaks of them again, and begin anew when the clock was set back', async (t) => {
    const site = await FilesSite.open(t)
    const grace = { removalGraceMs: 60_000 }
    await site.publish([site.file('attA')])
    site.offer('attA')
    await site.mirror(grace)
    await site.publish([])
    await site.publish([], [])
    await site.mirror(grace)
    site.clock.move(-3_600_000)
    await site.mirror(grace)
    site.clock.move(59_000)
    await site.mirror(grace)
    assert.deepEqual(site.names(), ['attA'])
    await site.publish([site.file('attA')])
    await site.mirror(grace)
    site.clock.move(120_000)
    await site.mirror(grace)
    assert.deepEqual(site.names(), ['attA'])
    assert.deepEqual(site.host.requests, ['attA'])
  })

  test('are all that is removed: what somebody else put there stays', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA')])
    writeFileSync(join(site.path, 'notes.txt'), 'mine')
    writeFileSync(join(site.path, 'attX.0123456789ab.part'), 'left by one who was killed')
    site.offer('attA')
    await site.mirror({ removalGraceMs: 0 })
    assert.deepEqual(site.names(), ['attA', 'notes.txt'])
  })
})

describe('the disk', () => {
  test('is what counts: a file that was removed from it is fetched again', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA'), site.file('attB', 'bbbb')])
    await site.mirror()
    rmSync(join(site.path, 'attA'))
    writeFileSync(join(site.path, 'attB'), 'b')
    site.clock.move(3_600_000)
    assert.equal((await site.mirror()).mirrored, 2)
    assert.deepEqual([site.content('attA'), site.content('attB')], ['content of attA', 'bbbb'])
  })

  test('has what was fetched before the index was lost', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA'), site.file('attB')])
    await site.mirror()
    for (const id of ['attA', 'attB']) site.index.forget(id)
    assert.equal((await site.mirror()).mirrored, 2)
    assert.deepEqual(site.host.requests.toSorted(), ['attA', 'attB'])
  })

  test('that has no room for one file has it for a smaller one, and nobody is asked for what cannot be kept', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([{ id: 'attHuge', size: 2 ** 52 }], [site.file('attSmall')], [{ id: 'attLarge', size: 2 ** 52 }])
    site.offer('attSmall')
    site.index.add([site.host.offer('attLarge', { bytes: 2 ** 52 })])
    const counts = await site.mirror()
    assert.deepEqual([counts.mirrored, counts.waiting, counts.trouble?.code], [1, 2, 'disk_failed'])
    assert.deepEqual([site.host.requests, site.renewals], [['attSmall'], []])
  })

  for (const step of ['files:rename', 'files:sync-folder']) {
    test(`that refuses at ${step} stops it in words, and the next time goes on`, async (t) => {
      const site = await FilesSite.open(t)
      await site.publish([site.file('attA')])
      site.offer('attA')
      const fail = (at: string) => {
        if (at === step) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      }
      const files = {
        ...disk,
        sync: (at: string, path: string) => (fail(at), disk.sync(at, path)),
        rename: (at: string, from: string, to: string) => (fail(at), disk.rename(at, from, to)),
      }
      const counts = await site.mirror({ files })
      assert.equal(counts.trouble?.code, 'disk_failed')
      assert.deepEqual([counts.mirrored, counts.waiting], [0, 1])
      assert.deepEqual(
        site.names().filter((name) => name.endsWith('.part')),
        [],
      )
      assert.equal((await site.mirror()).mirrored, 1)
    })
  }
})

describe('a signal', () => {
  test('ends it at once, and leaves nothing half', async (t) => {
    const site = await FilesSite.open(t)
    await site.publish([site.file('attA', 'content')], [site.file('attB')])
    const ending = new AbortController()
    site.host.put('attA', 'content', (response, bytes, request) => {
      void stalls(response, bytes, request)
      setImmediate(() => ending.abort('interrupted'))
    })
    site.host.put('attB', 'content of attB', stalls)
    site.offer('attA', 'attB')
    await assert.rejects(site.mirror({ signal: ending.signal }), (reason) => reason === 'interrupted')
    assert.deepEqual(site.names(), [])
    site.host.put('attA', 'content')
    site.host.put('attB', 'content of attB')
    assert.equal((await site.mirror()).mirrored, 2)
  })
})
