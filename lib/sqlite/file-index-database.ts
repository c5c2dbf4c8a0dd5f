import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Failure } from '../errors.ts'
import { openOwn, type Database } from './database.ts'
import type { SourceFolder } from './pointer.ts'

const FORMAT = 1

/**
 * - `offers`: where files can be fetched that are not here. URLs are secrets: they are overwritten when they are dropped.
 * - `files`: those that are here. `sha256` is base64; `unwanted_since` is when no snapshot was first seen to speak of it.
 * - `failures`: those that could not be fetched, how often, and when they are tried again.
 * - `summary`: what `/status` tells; `trouble` is JSON, `verified_at` when all of `files` was last seen on disk.
 *
 * Times are epoch milliseconds.
 */
const SCHEMA = `
  CREATE TABLE offers (
    id         TEXT PRIMARY KEY,
    url        TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    bytes      INTEGER
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE files (
    id             TEXT PRIMARY KEY,
    bytes          INTEGER NOT NULL,
    sha256         TEXT NOT NULL,
    mirrored_at    INTEGER NOT NULL,
    unwanted_since INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX files_unwanted ON files (unwanted_since) WHERE unwanted_since IS NOT NULL;

  CREATE TABLE failures (
    id        TEXT PRIMARY KEY,
    code      TEXT NOT NULL,
    message   TEXT NOT NULL,
    attempts  INTEGER NOT NULL,
    is_final  INTEGER NOT NULL CHECK (is_final IN (0, 1)),
    failed_at INTEGER NOT NULL,
    next_at   INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX failures_by_time ON failures (next_at);

  CREATE TABLE summary (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    mirrored    INTEGER NOT NULL DEFAULT 0,
    waiting     INTEGER NOT NULL DEFAULT 0,
    failed      INTEGER NOT NULL DEFAULT 0,
    at          INTEGER,
    trouble     TEXT,
    next_at     INTEGER,
    verified_at INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  INSERT INTO summary (id) VALUES (1);
`

/** Where the files of a source lie, unless they are kept elsewhere; what is known of them is always here. */
export function filesFolder(folder: SourceFolder): string {
  return folder.file('files')
}

export function fileIndexPath(folder: SourceFolder): string {
  return join(filesFolder(folder), 'index.sqlite')
}

/** Opens the index of a source's files to write to it, on a thread that may wait. Makes it where it is not there. */
export function openFileIndex(folder: SourceFolder): Database {
  const path = fileIndexPath(folder)
  mkdirSync(dirname(path), { recursive: true })
  // SQLite gives the files beside it the same permissions.
  closeSync(openSync(path, 'a', 0o600))
  const db = openOwn(path, { mustExist: true })
  try {
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = NORMAL')
    db.pragma('secure_delete = ON')
    db.transaction(() => prepare(db)).exclusive()
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function prepare(db: Database): void {
  const format = db.pragma('user_version', { simple: true }) as number
  if (format === FORMAT) return
  if (format !== 0) {
    throw new Failure('format_unknown', `files/index.sqlite has format ${format}; this Holdfast knows ${FORMAT}.`, {
      facts: { format, known: FORMAT },
    })
  }
  db.exec(SCHEMA)
  db.pragma(`user_version = ${FORMAT}`)
}
