import { hash, randomBytes } from 'node:crypto'
import type { TicketStore } from '../keys.ts'
import type { ControlDatabase } from './control-database.ts'

const IDLE_MS = 10 * 60_000
const TOUCH_EVERY_MS = 60_000
/** For each key, and in all; one more, and the one that was idle longest goes. */
const MAX_A_KEY = 1000
const MAX_TICKETS = 10_000

/** Tickets in `control.sqlite`, so that they are good in all processes and after a restart. */
export class SqliteTicketStore implements TicketStore {
  readonly idleMs = IDLE_MS
  readonly #control: ControlDatabase
  readonly #sql

  constructor(control: ControlDatabase) {
    this.#control = control
    const { db } = control
    this.#sql = {
      find: db.prepare<[Buffer, number], { principal: string; target: string; seal: string }>(
        'SELECT principal, target, seal FROM tickets WHERE digest = ? AND used_at > ?',
      ),
      insert: db.prepare<[Buffer, string, string, string, number]>('INSERT INTO tickets VALUES (?, ?, ?, ?, ?)'),
      forget: db.prepare<[number]>('DELETE FROM tickets WHERE used_at <= ?'),
      makeRoomOfKey: db.prepare<[string, string, number]>(
        `DELETE FROM tickets WHERE digest IN (
           SELECT digest FROM tickets WHERE principal = ? ORDER BY used_at
           LIMIT max(0, (SELECT count(*) FROM tickets WHERE principal = ?) - ?))`,
      ),
      makeRoom: db.prepare<[number]>(
        `DELETE FROM tickets WHERE digest IN (
           SELECT digest FROM tickets ORDER BY used_at LIMIT max(0, (SELECT count(*) FROM tickets) - ?))`,
      ),
      touch: db.prepare<[number, Buffer, number, number]>(
        'UPDATE tickets SET used_at = ? WHERE digest = ? AND used_at > ? AND used_at <= ?',
      ),
    }
  }

  async issue(given: { principal: string; target: string; seal(ticket: string): string }): Promise<string> {
    const ticket = `ht_${randomBytes(32).toString('base64url')}`
    const seal = given.seal(ticket)
    await this.#control.write(() => {
      const now = this.#control.clock.now()
      this.#sql.forget.run(now - IDLE_MS)
      this.#sql.makeRoomOfKey.run(given.principal, given.principal, MAX_A_KEY - 1)
      this.#sql.makeRoom.run(MAX_TICKETS - 1)
      this.#sql.insert.run(digestOf(ticket), given.principal, seal, given.target, now)
    })
    return ticket
  }

  find(ticket: string): { principal: string; target: string; seal: string } | undefined {
    const idleSince = this.#control.clock.now() - IDLE_MS
    return this.#control.read(() => this.#sql.find.get(digestOf(ticket), idleSince))
  }

  touch(tickets: readonly string[]): void {
    if (tickets.length === 0) return
    const now = this.#control.clock.now()
    this.#control
      .write(() => {
        for (const ticket of tickets) this.#sql.touch.run(now, digestOf(ticket), now - IDLE_MS, now - TOUCH_EVERY_MS)
      })
      .catch(() => undefined) // the next one says it again
  }
}

function digestOf(ticket: string): Buffer {
  return hash('sha256', ticket, 'buffer')
}
