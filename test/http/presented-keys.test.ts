import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import type { KeyCheck, Principal } from '../../lib/access.ts'
import { NOBODY } from '../../lib/http/keys.ts'
import { PresentedKeys } from '../../lib/http/presented-keys.ts'
import { TestClock } from '../sqlite/site.ts'

/** Keys that are named like whom they belong to. */
class FakeKeys implements KeyCheck {
  readonly live = new Map<string, Principal>(['one', 'two'].map((id) => [id, { ...NOBODY, id }]))
  readonly checked: string[] = []

  check(key: string): Principal | undefined {
    this.checked.push(key)
    return this.live.get(key)
  }
  find(id: string): Principal | undefined {
    return this.live.get(id)
  }
  isLive(id: string): boolean {
    return this.live.has(id)
  }
  seal(): undefined {
    return undefined
  }
}

function site() {
  const keys = new FakeKeys()
  const clock = new TestClock()
  const presented = new PresentedKeys(keys, clock)
  const connection = () => {
    const socket = {} as Socket
    return (key?: string) =>
      presented.principalOf({ socket, headers: key === undefined ? {} : { 'x-api-key': key } })?.id
  }
  return { keys, clock, connection }
}

test('a key is checked once a second on each connection', () => {
  const { keys, clock, connection } = site()
  const [first, second] = [connection(), connection()]
  for (const ask of [first, first, second, second, first]) assert.equal(ask('one'), 'one')
  assert.deepEqual(keys.checked, ['one', 'one'])
  clock.move(1000)
  assert.deepEqual([first('one'), first('one')], ['one', 'one'])
  assert.deepEqual(keys.checked, ['one', 'one', 'one'])
})

test('another key on the same connection is another one, however alike, and none is none', () => {
  const { keys, connection } = site()
  const ask = connection()
  const asked = ['one', 'two', 'one', 'ond', 'on', 'one ', 'one', undefined, 'One', '', 'one'] as const
  const found = ['one', 'two', 'one', undefined, undefined, undefined, 'one', undefined, undefined, undefined, 'one']
  assert.deepEqual(asked.map(ask), found)
  assert.deepEqual(keys.checked, ['one', 'two', 'one', 'ond', 'on', 'one ', 'One', ''])
})

test('one that is revoked opens nothing from the next request on, and what it may do is what it may now', () => {
  const { keys, connection } = site()
  const ask = connection()
  assert.equal(ask('one'), 'one')
  keys.live.set('one', { ...NOBODY, id: 'one again' })
  assert.equal(ask('one'), 'one again')
  keys.live.delete('one')
  assert.equal(ask('one'), undefined)
  assert.equal(ask('one'), undefined)
})
