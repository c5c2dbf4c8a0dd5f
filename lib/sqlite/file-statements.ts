import type { FileCounts } from '../files.ts'
import type { Database } from './database.ts'

interface MissingRow {
  id: string
  bytes: number | null
  table_name: string
  key: string
  url: string | null
  expires_at: number | null
  attempts: number
}

/** The lists of files of two snapshots, as SQL names; null: there is none. */
export interface SpokenOf {
  readonly active: string | null
  readonly previous: string | null
}

export type FileStatements = ReturnType<typeof fileStatements>

/** The SQL of the index of a source's files: see `file-index-database.ts`. */
export function fileStatements(db: Database, { active, previous }: SpokenOf) {
  const lists = [active, previous].filter((list) => list !== null)
  const isIn = (list: string, id: string) => `EXISTS (SELECT 1 FROM ${list} AS spoken WHERE spoken.id = ${id})`
  const isWanted = (id: string) => (active === null ? 'FALSE' : isIn(active, id))
  const isSpokenOf = (id: string) => `(${lists.map((list) => isIn(list, id)).join(' OR ') || 'FALSE'})`
  const wanted = active ?? `(SELECT NULL AS id, NULL AS table_name, NULL AS key, NULL AS bytes LIMIT 0)`
  return {
    missing: db.prepare<[string, number, number, number], MissingRow>(
      `SELECT missing.id, coalesce(offers.bytes, missing.bytes) AS bytes, missing.table_name, missing.key,
              offers.url, offers.expires_at, coalesce(failures.attempts, 0) AS attempts
         FROM (SELECT id, min(bytes) AS bytes, table_name, key FROM ${wanted} AS spoken
                WHERE id > ? AND NOT EXISTS (SELECT 1 FROM files WHERE files.id = spoken.id)
                  AND NOT EXISTS (SELECT 1 FROM failures
                                   WHERE failures.id = spoken.id AND failures.next_at > ? AND failures.next_at < ?)
                GROUP BY id ORDER BY id LIMIT ?) AS missing
         LEFT JOIN offers ON offers.id = missing.id
         LEFT JOIN failures ON failures.id = missing.id
        ORDER BY missing.id`,
    ),
    hold: db.prepare<[string, number, string, number]>(
      `INSERT OR REPLACE INTO files (id, bytes, sha256, mirrored_at) VALUES (?, ?, ?, ?)`,
    ),
    held: db.prepare<[string, number], { id: string; bytes: number }>(
      `SELECT id, bytes FROM files WHERE id > ? ORDER BY id LIMIT ?`,
    ),
    forget: db.prepare<[string]>(`DELETE FROM files WHERE id = ?`),
    fail: db.prepare<[string, string, string, number, number, number]>(
      `INSERT INTO failures (id, code, message, attempts, is_final, failed_at, next_at) VALUES (?, ?, ?, 1, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET code = excluded.code, message = excluded.message, attempts = attempts + 1,
         is_final = excluded.is_final, failed_at = excluded.failed_at, next_at = excluded.next_at`,
    ),
    dropFailure: db.prepare<[string]>(`DELETE FROM failures WHERE id = ?`),
    dropUnwantedFailures: db.prepare(`DELETE FROM failures WHERE NOT ${isWanted('failures.id')}`),
    dropOffer: db.prepare<[string]>(`DELETE FROM offers WHERE id = ?`),
    dropExpired: db.prepare<[number]>(`DELETE FROM offers WHERE expires_at <= ?`),
    nextTryAt: db
      .prepare<[number], number>(
        `SELECT next_at FROM failures WHERE next_at >= ? AND ${isWanted('failures.id')} ORDER BY next_at LIMIT 1`,
      )
      .pluck(),
    // One that was marked at a time to come: the clock was set back since.
    unmark: db.prepare<[number]>(
      `UPDATE files SET unwanted_since = NULL
        WHERE unwanted_since IS NOT NULL AND (unwanted_since > ? OR ${isSpokenOf('files.id')})`,
    ),
    mark: db.prepare<[number]>(
      `UPDATE files SET unwanted_since = ? WHERE unwanted_since IS NULL AND NOT ${isSpokenOf('files.id')}`,
    ),
    unwanted: db
      .prepare<[number], string>(
        `SELECT id FROM files WHERE unwanted_since IS NOT NULL AND unwanted_since <= ? ORDER BY unwanted_since`,
      )
      .pluck(),
    counts: db.prepare<[], Pick<FileCounts, 'mirrored' | 'waiting' | 'failed'>>(
      `SELECT coalesce(sum(state = 'mirrored'), 0) AS mirrored, coalesce(sum(state = 'waiting'), 0) AS waiting,
              coalesce(sum(state = 'failed'), 0) AS failed
         FROM (SELECT CASE WHEN EXISTS (SELECT 1 FROM files WHERE files.id = spoken.id) THEN 'mirrored'
                           WHEN EXISTS (SELECT 1 FROM failures WHERE failures.id = spoken.id AND is_final = 1) THEN 'failed'
                           ELSE 'waiting' END AS state
                 FROM (SELECT DISTINCT id FROM ${wanted}) AS spoken)`,
    ),
    setSummary: db.prepare<[number, number, number, number, string | null, number | null]>(
      `UPDATE summary SET mirrored = ?, waiting = ?, failed = ?, at = ?, trouble = ?, next_at = ?`,
    ),
  }
}
