import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { systemClock } from '../../lib/base/clock.ts'
import { Failure } from '../../lib/errors.ts'
import type { KeySpec } from '../../lib/keys.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { SqliteKeyStore } from '../../lib/sqlite/key-store.ts'
import { StoredKeys } from '../../lib/sqlite/stored-keys.ts'
import { SqliteTicketStore } from '../../lib/sqlite/ticket-store.ts'
import { until } from '../support/holdfast.ts'
import { tempFolder } from '../support/temp.ts'
import { TestClock } from './site.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

/** Keys in memory, as one process has them. */
function open(path = ':memory:') {
  const clock = new TestClock()
  const control = new ControlDatabase(path, clock)
  const warnings: { key: string; reason: string }[] = []
  const keys = new StoredKeys(control, (facts) => void warnings.push(facts))
  const store = new SqliteKeyStore(control, () => keys.refresh())
  const tickets = new SqliteTicketStore(control)
  const close = () => {
    keys[Symbol.dispose]()
    control.close()
  }
  return { clock, control, keys, store, tickets, warnings, [Symbol.dispose]: close }
}

const partner: Partial<KeySpec> = {
  name: 'partner',
  limits: ['shop', 'books.titles'],
  rules: { 'shop.orders': { filter: 'country=eq.DE', hidden: ['email'] } },
  rate: { limit: 600, windowMs: MINUTE_MS },
}

const failing = (code: string) => (error: unknown) => error instanceof Failure && error.code === code

describe('a key', () => {
  test('has a visible part, and leaves nothing behind that would open anything', async () => {
    using folder = tempFolder()
    using site = open(folder.file('control.sqlite'))
    const { key, info } = await site.store.create({ name: 'partner' })
    assert.match(key, /^hf_[a-z2-9]{8}_[\w-]{43}$/)
    assert.ok(key.startsWith(`hf_${info.id}_`))
    const secret = key.slice(12)
    for (const file of readdirSync(folder.path)) assert.ok(!readFileSync(folder.file(file)).includes(secret), file)
    assert.ok(!JSON.stringify(site.store.list()).includes(secret))
  })

  test('opens what it was made for, and no other does', async () => {
    using site = open()
    const { key, info } = await site.store.create(partner)
    const found = site.keys.check(key)!
    assert.equal(found.id, `key:${info.id}`)
    assert.deepEqual(found.scopes, new Set(['read']))
    assert.deepEqual(found.limits, new Set(['shop', 'books.titles']))
    assert.deepEqual(found.rate, { limit: 600, windowMs: MINUTE_MS })
    const operand = { column: 'country', path: [], asText: false }
    assert.deepEqual(found.rules.get('shop.orders'), {
      filter: { kind: 'test', operand, test: { op: 'eq', value: 'DE' } },
      hidden: ['email'],
    })
    assert.equal(site.keys.find(found.id), found)
    const other = (await site.store.create({ name: 'other' })).key
    const wrong = [
      key.slice(0, -1),
      `${key}x`,
      other.slice(0, 12) + key.slice(12),
      key.toUpperCase(),
      '',
      'hf_',
      'x'.repeat(55),
    ]
    for (const text of wrong) assert.equal(site.keys.check(text), undefined, text)
  })

  test('has the same view as all that see the same, and none when it sees everything', async () => {
    using site = open()
    const viewOf = async (spec: Partial<KeySpec>) =>
      site.keys.check((await site.store.create({ name: 'x', ...spec })).key)?.view
    const view = await viewOf(partner)
    assert.ok(view)
    assert.equal(await viewOf({ ...partner, name: 'y', scopes: ['sync'], limits: ['books.titles', 'shop'] }), view)
    assert.notEqual(await viewOf({ ...partner, limits: ['shop'] }), view)
    assert.notEqual(
      await viewOf({ ...partner, rules: { 'shop.orders': { filter: 'country=eq.FR', hidden: ['email'] } } }),
      view,
    )
    assert.equal(await viewOf({ scopes: ['read', 'admin'] }), '')
    assert.equal(await viewOf({ rules: { 'shop.orders': { filter: null, hidden: [] } } }), '')
  })

  test('ends when it expires, by the clock alone', async () => {
    using site = open()
    const { key, info } = await site.store.create({ name: 'x', expiresAt: site.clock.now() + HOUR_MS })
    site.clock.move(HOUR_MS - 1)
    assert.ok(site.keys.check(key))
    assert.ok(site.keys.isLive(`key:${info.id}`))
    site.clock.move(1)
    assert.equal(site.keys.check(key), undefined)
    assert.equal(site.keys.isLive(`key:${info.id}`), false)
    assert.equal(site.keys.seal(`key:${info.id}`, 'x'), undefined)
  })

  test('ends when it is revoked, which can be said twice', async () => {
    using site = open()
    const { key, info } = await site.store.create({ name: 'x' })
    const { revokedAt } = await site.store.revoke(info.id)
    assert.equal(site.keys.check(key), undefined)
    site.clock.move(1000)
    assert.equal((await site.store.revoke(info.id)).revokedAt, revokedAt)
    await assert.rejects(site.store.revoke('nobody22'), failing('key_not_found'))
  })

  test('can be replaced: both are good for a while, and the new one is like the old one', async () => {
    using site = open()
    const old = await site.store.create(partner)
    const next = await site.store.create({ name: 'partner, next' }, { id: old.info.id, overlapMs: HOUR_MS })
    assert.deepEqual(site.keys.check(next.key)?.limits, site.keys.check(old.key)?.limits)
    assert.deepEqual(next.info.rules, old.info.rules)
    assert.deepEqual(next.info.rate, old.info.rate)
    site.clock.move(HOUR_MS)
    assert.equal(site.keys.check(old.key), undefined)
    assert.ok(site.keys.check(next.key))
    const again = { id: old.info.id, overlapMs: 0 }
    await assert.rejects(site.store.create({ name: 'x' }, again), failing('bad_parameter'))
  })

  test('that is replaced never lives longer for it', async () => {
    using site = open()
    const expiresAt = site.clock.now() + 1000
    const old = await site.store.create({ name: 'x', expiresAt })
    await site.store.create({}, { id: old.info.id, overlapMs: HOUR_MS })
    assert.equal(site.store.list().find(({ id }) => id === old.info.id)?.expiresAt, expiresAt)
  })

  const refused: [string, Partial<KeySpec>, string][] = [
    ['no name', {}, 'bad_parameter'],
    ['a name of two lines', { name: 'a\nb' }, 'bad_parameter'],
    ['no scope', { name: 'x', scopes: [] }, 'bad_parameter'],
    ['a limit to nothing', { name: 'x', limits: [] }, 'bad_parameter'],
    ['a filter that cannot be read', { name: 'x', rules: { 'a.b': { filter: 'country=DE', hidden: [] } } }, 'bad_filter'],
    ['a filter of no column', { name: 'x', rules: { 'a.b': { filter: 'eq.DE', hidden: [] } } }, 'bad_filter'],
    ['a filter without end', { name: 'x', rules: { 'a.b': { filter: `a=eq.${'x'.repeat(5000)}`, hidden: [] } } }, 'bad_filter'],
    ['a rule for a source', { name: 'x', rules: { a: { filter: null, hidden: ['b'] } } }, 'bad_parameter'],
    ['a rule for what it does not see', { name: 'x', limits: ['a.c'], rules: { 'a.b': { filter: null, hidden: ['b'] } } }, 'bad_parameter'],
    ['an end in the past', { name: 'x', expiresAt: 1 }, 'bad_parameter'],
  ] // prettier-ignore
  for (const [name, spec, code] of refused) {
    test(`with ${name} is refused, and is not there`, async () => {
      using site = open()
      await assert.rejects(site.store.create(spec), failing(code))
      assert.deepEqual(site.store.list(), [])
    })
  }

  test('whose filter can no longer be read opens nothing, and the log says so', async () => {
    using site = open()
    const { key, info } = await site.store.create(partner)
    const good = (await site.store.create({ name: 'other' })).key
    const rules = JSON.stringify({ 'shop.orders': { filter: 'country=was.DE', hidden: [] } })
    site.control.db.prepare('UPDATE keys SET rules = ? WHERE id = ?').run(rules, info.id)
    site.control.db.exec(`UPDATE meta SET value = value + 1 WHERE name = 'keys'`)
    site.keys.refresh()
    site.keys.refresh()
    assert.equal(site.keys.check(key), undefined)
    assert.ok(site.keys.check(good))
    assert.deepEqual(
      site.warnings.map((warning) => warning.key),
      [info.id],
    )
  })
})

describe('when a key was used', () => {
  test('is written down later, once a minute at most', async () => {
    using site = open()
    const { key, info } = await site.store.create({ name: 'x' })
    const written = () => site.store.list().find(({ id }) => id === info.id)?.lastUsedAt
    const tell = async () => {
      site.keys.refresh()
      await new Promise(setImmediate)
    }
    const first = site.clock.now()
    site.keys.check(key)
    assert.equal(written(), null)
    await tell()
    assert.equal(written(), first)
    site.clock.move(MINUTE_MS - 1)
    site.keys.check(key)
    await tell()
    assert.equal(written(), first)
    site.clock.move(1)
    site.keys.check(key)
    await tell()
    assert.equal(written(), first + MINUTE_MS)
  })

  test('waits while another writes; keys are checked meanwhile', async () => {
    using folder = tempFolder()
    using site = open(folder.file('control.sqlite'))
    using other = open(folder.file('control.sqlite'))
    const { key } = await site.store.create({ name: 'x' })
    other.control.db.exec('BEGIN IMMEDIATE')
    assert.ok(site.keys.check(key))
    site.keys.refresh()
    assert.ok(site.keys.check(key))
    assert.equal(site.store.list()[0]?.lastUsedAt, null)
    other.control.db.exec('COMMIT')
    await until(() => site.store.list()[0]?.lastUsedAt !== null, { what: 'the time of use' })
  })
})

describe('keys of several processes', () => {
  test('are known to all, and revoked for all', async () => {
    using folder = tempFolder()
    using here = open(folder.file('control.sqlite'))
    using there = open(folder.file('control.sqlite'))
    there.keys.follow()
    const { key, info } = await here.store.create({ name: 'x' })
    await until(() => there.keys.check(key), { what: 'the key to be known' })
    await here.store.revoke(info.id)
    await until(() => there.keys.check(key) === undefined, { what: 'the key to be unknown' })
    assert.equal(there.keys.isLive(`key:${info.id}`), false)
  })

  test('work in a data directory that is older than they are, and all that was there stays', async () => {
    using folder = tempFolder()
    const path = folder.file('control.sqlite')
    const old = new ControlDatabase(path, systemClock)
    old.db.exec(`DROP TABLE keys; DROP TABLE tickets; DELETE FROM meta WHERE name = 'keys'; PRAGMA user_version = 1;
      INSERT INTO sources (source, generation, state) VALUES ('shop', 7, 'COMPLETED');
      UPDATE meta SET value = 41 WHERE name = 'sequence'`)
    old.close()
    using site = open(path)
    assert.equal(site.control.epoch, old.epoch)
    assert.deepEqual(site.control.db.prepare('SELECT source, generation, state FROM sources').all(), [
      { source: 'shop', generation: 7, state: 'COMPLETED' },
    ])
    assert.equal(site.control.db.prepare(`SELECT value FROM meta WHERE name = 'sequence'`).pluck().get(), 41)
    const { key } = await site.store.create({ name: 'x' })
    assert.ok(site.keys.check(key))
  })
})

describe('tickets', () => {
  const seal = (ticket: string) => `sealed ${ticket}`
  const issue = (site: ReturnType<typeof open>, principal = 'key:a') =>
    site.tickets.issue({ principal, target: 't', seal })

  test('are found, by what was said of them, in every process; as digests they are stored', async () => {
    using folder = tempFolder()
    using here = open(folder.file('control.sqlite'))
    const ticket = await issue(here)
    assert.match(ticket, /^ht_[\w-]{43}$/)
    using there = open(folder.file('control.sqlite'))
    assert.deepEqual(there.tickets.find(ticket), { principal: 'key:a', target: 't', seal: seal(ticket) })
    assert.equal(there.tickets.find(`${ticket}x`), undefined)
    const stored = here.control.db.prepare('SELECT hex(digest) FROM tickets').pluck().get() as string
    assert.ok(!Buffer.from(stored, 'hex').includes(ticket))
  })

  test('are good until they were idle for too long', async () => {
    using site = open()
    const ticket = await issue(site)
    for (let minute = 0; minute < 25; minute++) {
      site.clock.move(MINUTE_MS)
      site.tickets.touch([ticket])
      await new Promise(setImmediate)
      assert.ok(site.tickets.find(ticket), `minute ${minute}`)
    }
    site.clock.move(10 * MINUTE_MS)
    assert.equal(site.tickets.find(ticket), undefined)
    site.tickets.touch([ticket])
    await new Promise(setImmediate)
    assert.equal(site.tickets.find(ticket), undefined)
  })

  test('are bounded for each key: the one that was idle longest goes', async () => {
    using site = open()
    const others = await issue(site, 'key:b')
    const first = await issue(site)
    const second = await issue(site)
    site.clock.move(MINUTE_MS)
    site.tickets.touch([first])
    for (let count = 2; count < 1001; count++) await issue(site)
    assert.ok(site.tickets.find(first))
    assert.equal(site.tickets.find(second), undefined)
    assert.ok(site.tickets.find(others))
  })
})
