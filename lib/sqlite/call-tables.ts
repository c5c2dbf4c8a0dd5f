import type { CallPause } from '../call-window.ts'
import type { ControlDatabase } from './control-database.ts'

const MONTHS_KEPT = 24

/**
 * The tables of calls in `control.sqlite`; called inside the transactions of others. Times are those of the monotonic
 * clock, in milliseconds: they mean nothing after the next start of the machine.
 */
export class CallTables {
  readonly #sql

  constructor({ db }: ControlDatabase) {
    this.#sql = {
      meta: db.prepare<[string], string | number>('SELECT value FROM meta WHERE name = ?').pluck(),
      setMeta: db.prepare<[string, string | number]>('INSERT OR REPLACE INTO meta VALUES (?, ?)'),
      nextCall: db
        .prepare<[], number>(`UPDATE meta SET value = value + 1 WHERE name = 'calls' RETURNING value`)
        .pluck(),
      ahead: db
        .prepare<[string, number], number>(
          'SELECT at FROM call_slots WHERE account = ? AND (is_taken OR call < ?) ORDER BY at',
        )
        .pluck(),
      put: db.prepare<[string, number, number, number]>('INSERT OR REPLACE INTO call_slots VALUES (?, ?, ?, ?)'),
      drop: db.prepare<[string, number]>('DELETE FROM call_slots WHERE account = ? AND call = ?'),
      forget: db.prepare<[string, number]>('DELETE FROM call_slots WHERE account = ? AND at <= ?'),
      forgetAll: db.prepare('DELETE FROM call_slots'),
      pause: db.prepare<[string], CallPause>('SELECT "from", until FROM call_pauses WHERE account = ?'),
      setPause: db.prepare<[string, number, number]>('INSERT OR REPLACE INTO call_pauses VALUES (?, ?, ?)'),
      dropPause: db.prepare<[string]>('DELETE FROM call_pauses WHERE account = ?'),
      movePauses: db.prepare<[number, number]>('UPDATE call_pauses SET "from" = ?, until = ? + until - "from"'),
      calls: db
        .prepare<[string, string], number>('SELECT calls FROM call_months WHERE account = ? AND month = ?')
        .pluck(),
      count: db.prepare<[string, string]>('UPDATE call_months SET calls = calls + 1 WHERE account = ? AND month = ?'),
      begin: db.prepare<[string, string]>('INSERT INTO call_months VALUES (?, ?, 1)'),
      forgetMonths: db.prepare<[string, number]>(
        `DELETE FROM call_months WHERE month <> ?
           AND month NOT IN (SELECT DISTINCT month FROM call_months ORDER BY month DESC LIMIT ?)`,
      ),
    }
  }

  /** Names the start of the machine that the times in the tables count from; undefined while there are none. */
  boot(): string | undefined {
    return this.#sql.meta.get('calls_boot') as string | undefined
  }

  /** Calls before this moment are not known. */
  knownSince(): number {
    return (this.#sql.meta.get('calls_since') as number | undefined) ?? -Infinity
  }

  /**
   * After another start of the machine nothing tells how long ago the last calls were, and the newest may be lost with the
   * power: who was waiting is gone, the log begins anew, and so does a pause.
   */
  beginBoot(boot: string, now: number): void {
    const isFirst = this.boot() === undefined
    this.#sql.setMeta.run('calls_boot', boot)
    if (isFirst) return
    this.#sql.setMeta.run('calls_since', now)
    this.#sql.forgetAll.run()
    this.#sql.movePauses.run(now, now)
  }

  /** A number that no call has had. */
  nextCall(): number {
    return this.#sql.nextCall.get() as number
  }

  /** When the calls were sent that a window may still have, and when those may be sent that asked earlier; in order. */
  ahead(account: string, call: number): number[] {
    return this.#sql.ahead.all(account, call)
  }

  put(account: string, call: number, at: number, isTaken: boolean): void {
    this.#sql.put.run(account, call, at, isTaken ? 1 : 0)
  }

  drop(account: string, call: number): void {
    this.#sql.drop.run(account, call)
  }

  /** Removes what is so long ago that no window has it. */
  forget(account: string, through: number): void {
    this.#sql.forget.run(account, through)
  }

  pause(account: string): CallPause | undefined {
    return this.#sql.pause.get(account)
  }

  setPause(account: string, { from, until }: CallPause): void {
    this.#sql.setPause.run(account, from, until)
  }

  dropPause(account: string): void {
    this.#sql.dropPause.run(account)
  }

  /** How many calls were counted for a month. */
  calls(account: string, month: string): number {
    return this.#sql.calls.get(account, month) ?? 0
  }

  /** Months are forgotten by their number, not by the clock: one that jumps far ahead and back must not lose a count. */
  count(account: string, month: string): void {
    if (this.#sql.count.run(account, month).changes > 0) return
    this.#sql.begin.run(account, month)
    this.#sql.forgetMonths.run(month, MONTHS_KEPT)
  }
}
