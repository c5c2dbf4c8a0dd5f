import type { Scope } from '../access.ts'
import type { KeyInfo, RuleSpec } from '../keys.ts'
import type { ControlDatabase } from './control-database.ts'

export interface KeyRow {
  readonly id: string
  readonly digest: Buffer
  readonly name: string
  readonly scopes: string
  readonly limits: string | null
  readonly rules: string
  readonly rate_limit: number | null
  readonly rate_window_ms: number | null
  readonly created_at: number
  readonly expires_at: number | null
  readonly revoked_at: number | null
  readonly last_used_at: number | null
}

/** The `keys` table of `control.sqlite`; called inside the transactions of others. */
export class KeyTable {
  readonly #sql

  constructor({ db }: ControlDatabase) {
    this.#sql = {
      version: db.prepare<[], number>(`SELECT value FROM meta WHERE name = 'keys'`).pluck(),
      changed: db.prepare(`UPDATE meta SET value = value + 1 WHERE name = 'keys'`),
      all: db.prepare<[], KeyRow>('SELECT * FROM keys ORDER BY created_at, id'),
      live: db.prepare<[number], KeyRow>(
        'SELECT * FROM keys WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)',
      ),
      row: db.prepare<[string], KeyRow>('SELECT * FROM keys WHERE id = ?'),
      count: db.prepare<[], number>('SELECT count(*) FROM keys').pluck(),
      insert: db.prepare<KeyRow>(
        `INSERT INTO keys VALUES (@id, @digest, @name, @scopes, @limits, @rules, @rate_limit, @rate_window_ms, @created_at,
           @expires_at, @revoked_at, @last_used_at)`,
      ),
      expire: db.prepare<[number, string]>(
        'UPDATE keys SET expires_at = min(coalesce(expires_at, 9e15), ?) WHERE id = ?',
      ),
      revoke: db.prepare<[number, string]>('UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL'),
      used: db.prepare<[number, string, number]>(
        'UPDATE keys SET last_used_at = ? WHERE id = ? AND (last_used_at IS NULL OR last_used_at <= ?)',
      ),
      forget: db.prepare<[number, number]>('DELETE FROM keys WHERE revoked_at < ? OR expires_at < ?'),
    }
  }

  /** Changes whenever there may be other keys than before. */
  version(): number {
    return this.#sql.version.get() ?? 0
  }

  all(): KeyRow[] {
    return this.#sql.all.all()
  }

  live(now: number): KeyRow[] {
    return this.#sql.live.all(now)
  }

  row(id: string): KeyRow | undefined {
    return this.#sql.row.get(id)
  }

  count(): number {
    return this.#sql.count.get() ?? 0
  }

  insert(row: KeyRow): void {
    this.#sql.insert.run(row)
    this.#sql.changed.run()
  }

  expire(id: string, at: number): void {
    this.#sql.expire.run(at, id)
    this.#sql.changed.run()
  }

  revoke(id: string, at: number): void {
    this.#sql.revoke.run(at, id)
    this.#sql.changed.run()
  }

  /** Unless another process has said so within `everyMs`. */
  setUsed(id: string, at: number, everyMs: number): void {
    this.#sql.used.run(at, id, at - everyMs)
  }

  /** Removes those that ended before a time. */
  forget(before: number): void {
    this.#sql.forget.run(before, before)
  }
}

export function toKeyInfo(row: KeyRow): KeyInfo {
  return {
    id: row.id,
    name: row.name,
    scopes: JSON.parse(row.scopes) as Scope[],
    limits: row.limits === null ? null : (JSON.parse(row.limits) as string[]),
    rules: JSON.parse(row.rules) as Record<string, RuleSpec>,
    rate:
      row.rate_limit === null || row.rate_window_ms === null
        ? null
        : { limit: row.rate_limit, windowMs: row.rate_window_ms },
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
    lastUsedAt: row.last_used_at,
  }
}
