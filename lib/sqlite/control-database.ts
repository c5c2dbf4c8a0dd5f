import { randomBytes } from 'node:crypto'
import Database from 'better-sqlite3'
import { Failure } from '../errors.ts'
import type { Clock } from '../base/clock.ts'
import { isBusy } from './database.ts'
import { endStuckHolder } from './stuck-holder.ts'

const FORMAT = 3
const GIVE_UP_MS = 10_000
const STUCK_LOOK_MS = 200

/** A file of format 1 lacks the tables of keys and tickets, one of 2 those of calls; what they have is as it is here. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- generation  : of the lease; grows each time it changes hands
  -- holder      : who has the lease, NULL when nobody does
  -- expires_at  : epoch ms; nobody else may take the lease before
  -- reason      : why state is PAUSED
  -- seen        : upstream identity last found to be what is published
  -- published   : watermark of the last publish or rollback that was committed here
  CREATE TABLE IF NOT EXISTS sources (
    source     TEXT PRIMARY KEY,
    generation INTEGER NOT NULL DEFAULT 0,
    holder     TEXT,
    expires_at INTEGER NOT NULL DEFAULT 0,
    ttl_ms     INTEGER NOT NULL DEFAULT 0,
    state      TEXT NOT NULL DEFAULT 'IDLE',
    reason     TEXT CHECK ((state = 'PAUSED') = (reason IS NOT NULL)),
    seen       TEXT,
    checked_at INTEGER,
    published  TEXT
  ) STRICT, WITHOUT ROWID;

  -- stalls : how often in a row the run was taken up again without having come further
  -- error, progress, timings : JSON
  CREATE TABLE IF NOT EXISTS runs (
    id             TEXT PRIMARY KEY,
    source         TEXT NOT NULL REFERENCES sources (source),
    trigger        TEXT NOT NULL,
    status         TEXT NOT NULL CHECK (status IN ('queued', 'running', 'paused', 'completed', 'failed', 'rejected', 'cancelled')),
    result         TEXT CHECK (result IN ('published', 'unchanged')),
    snapshot       TEXT,
    requested_at   INTEGER NOT NULL,
    started_at     INTEGER,
    finished_at    INTEGER,
    resumes        INTEGER NOT NULL DEFAULT 0,
    stalls         INTEGER NOT NULL DEFAULT 0,
    stop_requested INTEGER NOT NULL DEFAULT 0,
    republish      TEXT,
    error          TEXT,
    progress       TEXT,
    timings        TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS runs_by_source ON runs (source, id);
  CREATE INDEX IF NOT EXISTS runs_waiting ON runs (source, id) WHERE status IN ('queued', 'running', 'paused');

  CREATE TABLE IF NOT EXISTS slots (
    source TEXT NOT NULL,
    slot   INTEGER NOT NULL,
    PRIMARY KEY (source, slot)
  ) STRICT, WITHOUT ROWID;

  -- digest : SHA-256 of the key
  -- limits : JSON, names of sources and tables; NULL is everything
  -- rules  : JSON, RuleSpec by source.table
  CREATE TABLE IF NOT EXISTS keys (
    id             TEXT PRIMARY KEY,
    digest         BLOB NOT NULL CHECK (length(digest) = 32),
    name           TEXT NOT NULL,
    scopes         TEXT NOT NULL,
    limits         TEXT,
    rules          TEXT NOT NULL,
    rate_limit     INTEGER,
    rate_window_ms INTEGER CHECK ((rate_limit IS NULL) = (rate_window_ms IS NULL)),
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER,
    revoked_at     INTEGER,
    last_used_at   INTEGER
  ) STRICT, WITHOUT ROWID;

  -- digest    : SHA-256 of the ticket
  -- principal : whose it is
  -- seal      : what the key of its owner made of it; another key under that name makes something else
  -- target    : what it is good for
  CREATE TABLE IF NOT EXISTS tickets (
    digest    BLOB PRIMARY KEY CHECK (length(digest) = 32),
    principal TEXT NOT NULL,
    seal      TEXT NOT NULL,
    target    TEXT NOT NULL,
    used_at   INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS tickets_by_use ON tickets (used_at);
  CREATE INDEX IF NOT EXISTS tickets_by_principal ON tickets (principal, used_at);

  -- Calls to upstreams by whom the upstream counts. Times are ms of the monotonic clock, since the boot that meta names.
  -- call     : in the order in which they asked; one call may have a row with several accounts
  -- at       : when it may be sent; once is_taken, when it was sent at the latest
  CREATE TABLE IF NOT EXISTS call_slots (
    account  TEXT NOT NULL,
    call     INTEGER NOT NULL,
    at       REAL NOT NULL,
    is_taken INTEGER NOT NULL CHECK (is_taken IN (0, 1)),
    PRIMARY KEY (account, call)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE IF NOT EXISTS call_pauses (
    account TEXT PRIMARY KEY,
    "from"  REAL NOT NULL,
    until   REAL NOT NULL CHECK (until > "from")
  ) STRICT, WITHOUT ROWID;

  -- month : UTC, such as 2026-11
  CREATE TABLE IF NOT EXISTS call_months (
    account TEXT NOT NULL,
    month   TEXT NOT NULL,
    calls   INTEGER NOT NULL,
    PRIMARY KEY (account, month)
  ) STRICT, WITHOUT ROWID;
`

/** `control.sqlite`: what all processes of one data directory agree on. */
export class ControlDatabase {
  readonly db: Database.Database
  readonly clock: Clock
  /** Names this data directory: a watermark of another one means nothing here. */
  readonly epoch: string
  readonly #path: string
  #lookedAt = -Infinity

  /** @throws Failure `control_busy`, `format_unknown` */
  constructor(path: string, clock: Clock) {
    this.clock = clock
    this.#path = path
    // No busy timeout: a thread that serves must not wait in here.
    this.db = new Database(path, { timeout: 0 })
    this.epoch = this.#patiently(() => {
      this.db.pragma('journal_mode = WAL')
      this.db.pragma('synchronous = NORMAL')
      return this.#immediate(() => this.#prepareFile())
    })
  }

  /** Runs `work` in one write transaction; when another process is writing, tries again later. */
  async write<T>(work: () => T): Promise<T> {
    const giveUpAt = performance.now() + GIVE_UP_MS
    for (let attempt = 0; ; attempt++) {
      try {
        return this.#immediate(work)
      } catch (error) {
        if (!isBusy(error)) throw error
        if (performance.now() > giveUpAt) throw busy(error)
        this.#endStuckHolder()
        await this.clock.sleep(waitMs(attempt))
      }
    }
  }

  /** The same for a thread that serves nobody: waits here until the transaction is through. */
  writeWaiting<T>(work: () => T): T {
    return this.#patiently(() => this.#immediate(work))
  }

  /** Reads; in WAL mode only the rare recovery of another connection can be in the way, for an instant. */
  read<T>(work: () => T): T {
    return this.#patiently(work)
  }

  close(): void {
    this.db.close()
  }

  #immediate<T>(work: () => T): T {
    this.db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      this.db.exec('COMMIT')
      return result
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('ROLLBACK')
      throw error
    }
  }

  #patiently<T>(work: () => T): T {
    const giveUpAt = performance.now() + GIVE_UP_MS
    for (let attempt = 0; ; attempt++) {
      try {
        return work()
      } catch (error) {
        if (!isBusy(error)) throw error
        if (performance.now() > giveUpAt) throw busy(error)
        this.#endStuckHolder()
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs(attempt))
      }
    }
  }

  /** Somebody may have been stopped while writing; when waiting takes long, look who. */
  #endStuckHolder(): void {
    const now = performance.now()
    if (now - this.#lookedAt < STUCK_LOOK_MS) return
    this.#lookedAt = now
    try {
      const expired = this.db
        .prepare<[number], string>('SELECT holder FROM sources WHERE holder IS NOT NULL AND expires_at < ?')
        .pluck()
        .all(this.clock.now())
      endStuckHolder(this.#path, expired)
    } catch {
      // A look that fails is repeated.
    }
  }

  #prepareFile(): string {
    const format = this.db.pragma('user_version', { simple: true }) as number
    if (format > FORMAT) {
      throw new Failure(
        'format_unknown',
        `control.sqlite has format ${format}; this Holdfast knows ${FORMAT}. Start the newer Holdfast, or use another data directory.`,
        { facts: { format, known: FORMAT } },
      )
    }
    if (format < FORMAT) {
      this.db.exec(SCHEMA)
      this.db.pragma(`user_version = ${FORMAT}`)
      const insert = this.db.prepare('INSERT OR IGNORE INTO meta (name, value) VALUES (?, ?)')
      insert.run('epoch', randomBytes(6).toString('hex'))
      insert.run('sequence', 0)
      insert.run('keys', 0)
      insert.run('calls', 0)
    }
    return this.db.prepare<[], string>(`SELECT value FROM meta WHERE name = 'epoch'`).pluck().get() ?? ''
  }
}

function waitMs(attempt: number): number {
  return Math.min(50, 1 + attempt) * (0.5 + Math.random())
}

function busy(cause: unknown): Failure {
  return new Failure(
    'control_busy',
    `control.sqlite has been locked by another process for ${GIVE_UP_MS / 1000} s. Is one of them stopped or debugged?`,
    { cause },
  )
}
