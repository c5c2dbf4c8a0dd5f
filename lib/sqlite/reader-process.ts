import { setPriority } from 'node:os'
import { Worker } from 'node:worker_threads'
import { Failure, toFailure } from '../errors.ts'
import type { TableInfo } from '../snapshot.ts'
import { openSnapshot, sqliteCode, type Database } from './database.ts'
import { QueryEngine } from './query-engine.ts'
import type { ReaderMessage, ReaderReply, ReaderRequest } from './reader-job.ts'
import { checkFormat } from './snapshot-schema.ts'

/**
 * Answers queries that nobody knows the end of, one at a time, until whoever started it goes or kills it. Its argument is
 * the process id of that one.
 */

const NICE = 5
/** The active snapshots of a few sources, and those before them. */
const KEPT_FILES = 4

interface OpenFile {
  readonly db: Database
  readonly engines: Map<string, QueryEngine>
}

const files = new Map<string, OpenFile>()

function engineOf(path: string, table: TableInfo): QueryEngine {
  let file = files.get(path)
  if (file === undefined) {
    const oldest = files.size >= KEPT_FILES ? files.entries().next().value : undefined
    if (oldest !== undefined) {
      oldest[1].db.close()
      files.delete(oldest[0])
    }
    file = { db: open(path), engines: new Map() }
  } else files.delete(path)
  files.set(path, file)
  let engine = file.engines.get(table.name)
  if (engine === undefined) {
    engine = new QueryEngine(file.db, [table])
    file.engines.set(table.name, engine)
  }
  return engine
}

function open(path: string): Database {
  let db: Database
  try {
    db = openSnapshot(path)
  } catch (cause) {
    if (sqliteCode(cause) !== 'SQLITE_CANTOPEN') throw cause
    throw new Failure('snapshot_not_found', 'The snapshot has been collected meanwhile. Ask again.', { cause })
  }
  try {
    checkFormat(db, path)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function reply({ id, job, maxBytes }: ReaderRequest): ReaderReply {
  try {
    const answer = engineOf(job.path, job.table).answer(job.query, { maxBytes, isBounded: false })
    if (answer === undefined) throw new Error('a query without a bound has found no plan')
    return { id, answer }
  } catch (error) {
    const { code, message, facts, stack } = toFailure(error)
    const origin = error instanceof Error ? error.stack : stack
    return { id, failure: { code, message, facts, ...(origin !== undefined && { stack: origin }) } }
  }
}

try {
  setPriority(0, NICE)
} catch {
  // Where the system does not allow it, it has the priority of all others.
}
// Given, not looked up: whoever started this may be gone before it runs.
const parent = Number(process.argv[2])
new Worker(new URL('reader-watchdog.ts', import.meta.url), { workerData: parent }).unref()
process.on('disconnect', () => process.exit())
// A terminal sends these to all processes at once: it is for the server to end first.
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('message', (request: ReaderRequest) => {
  // Whoever asked may be gone by now; what follows then is `disconnect`.
  process.send?.(reply(request), undefined, undefined, () => {})
})
process.send?.({ isReady: true } satisfies ReaderMessage, undefined, undefined, () => {})
