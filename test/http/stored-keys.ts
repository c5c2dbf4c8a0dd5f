import type { TestContext } from 'node:test'
import type { Clock } from '../../lib/base/clock.ts'
import { systemClock } from '../../lib/base/clock.ts'
import { bothKeys, environmentKeys } from '../../lib/http/keys.ts'
import type { HttpParts } from '../../lib/http/server.ts'
import type { KeySpec } from '../../lib/keys.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { SqliteKeyStore } from '../../lib/sqlite/key-store.ts'
import { StoredKeys } from '../../lib/sqlite/stored-keys.ts'
import { SqliteTicketStore } from '../../lib/sqlite/ticket-store.ts'
import { KEY } from './fakes.ts'

/** Keys as a serving process has them: `KEY`, and those that are made. */
export function storedKeys(t: TestContext, options: { path?: string; clock?: Clock; environment?: string[] } = {}) {
  const { path = ':memory:', clock = systemClock, environment = [KEY] } = options
  const control = new ControlDatabase(path, clock)
  const stored = new StoredKeys(control, () => undefined)
  stored.follow()
  t.after(() => stored[Symbol.dispose]())
  const keyStore = new SqliteKeyStore(control, () => stored.refresh())
  return {
    parts: {
      keys: bothKeys(stored, environmentKeys(environment)),
      keyStore,
      tickets: new SqliteTicketStore(control),
      clock,
    } satisfies Partial<HttpParts>,
    keyStore,
    /** A key, as headers. */
    async make(spec: Partial<KeySpec> = {}): Promise<{ id: string; headers: { 'X-API-Key': string } }> {
      const { key, info } = await keyStore.create({ name: 'test', ...spec })
      return { id: info.id, headers: { 'X-API-Key': key } }
    },
  }
}
