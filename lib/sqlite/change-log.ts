import type { Batch, ChangeLog, ChangePage, Missed } from '../change-feed.ts'
import type { Pointer } from '../snapshot.ts'
import { BEGINNING, encodeWatermark, type Watermark } from '../watermark.ts'
import type { ControlDatabase } from './control-database.ts'
import type { Database } from './database.ts'
import { SnapshotLog, type LoggedBatch } from './snapshot-log.ts'

/** Bounds the time a page takes where batches are small. */
const MAX_BATCHES = 500

/** The databases of the active snapshots, as a process has them open. */
export interface OpenSnapshots {
  /** Of a source, as long as nothing else is mounted. */
  opened(source: string): { readonly pointer: Pointer; readonly db: Database } | undefined
  /** Mounts what the pointers name now. */
  look(): void
}

/** What control says of the log: one consistent look. */
interface Committed {
  readonly head: Watermark
  /** By source, the watermark of its last publish. */
  readonly published: ReadonlyMap<string, Watermark>
}

/** A batch that was found, and the log that has its changes. */
interface Found {
  readonly log: SnapshotLog
  readonly batch: LoggedBatch
}

/** Reads the logs that the active snapshots carry as one, in the order of their watermarks. */
export class SqliteChangeLog implements ChangeLog {
  readonly epoch: string
  readonly #control: ControlDatabase
  readonly #snapshots: OpenSnapshots
  readonly #logs = new WeakMap<Pointer, SnapshotLog>()
  readonly #committed
  readonly #sequence

  constructor(control: ControlDatabase, snapshots: OpenSnapshots) {
    this.epoch = control.epoch
    this.#control = control
    this.#snapshots = snapshots
    this.#sequence = control.db.prepare<[], number>(`SELECT value FROM meta WHERE name = 'sequence'`).pluck()
    this.#committed = control.db.prepare<[], { source: string | null; published: string | null; sequence: number }>(
      `SELECT s.source, s.published, m.value AS sequence
         FROM meta m LEFT JOIN sources s ON s.published IS NOT NULL WHERE m.name = 'sequence'`,
    )
  }

  head(): Watermark {
    return encodeWatermark(this.#control.read(() => this.#sequence.get()) ?? 0)
  }

  now(sources: readonly string[]): Watermark {
    const committed = this.#look()
    if (this.#mount(sources, committed) !== undefined) return committed.head
    // What was published last cannot be opened here: a reader gets what is served, and what comes behind that.
    const mounted = sources.map((source) => this.#snapshots.opened(source)?.pointer.watermark ?? BEGINNING)
    return mounted.reduce((a, b) => (a < b ? a : b), committed.head)
  }

  read(after: Watermark, { sources, maxBytes }: { sources: readonly string[]; maxBytes: number }): ChangePage {
    const committed = this.#look()
    const { head } = committed
    const logs = after < head ? this.#mount(sources, committed) : undefined
    if (logs === undefined) return { batches: [], through: after, isAtHead: true, missed: [] }
    const behind = logs.filter((log) => log.start > after)
    if (behind.length > 0) return miss(logs, behind, { after, head })

    const batches: Batch[] = []
    let bytes = 0
    for (const { log, batch } of merge(logs, after)) {
      if (batch.watermark > head) break
      bytes += batch.bytes
      const isFull = batches.length >= MAX_BATCHES || (batches.length > 0 && bytes > maxBytes)
      if (isFull) return { batches, through: batches.at(-1)!.watermark, isAtHead: false, missed: [] }
      const { watermark, at } = batch
      batches.push({ watermark, at, source: log.pointer.source, changes: log.changes(batch) })
    }
    return { batches, through: head, isAtHead: true, missed: [] }
  }

  #look(): Committed {
    const rows = this.#control.read(() => this.#committed.all())
    const published = rows.flatMap(({ source, published: watermark }) =>
      source === null || watermark === null ? [] : [[source, watermark] as const],
    )
    return { head: encodeWatermark(rows[0]?.sequence ?? 0), published: new Map(published) }
  }

  /**
   * The logs of these sources, none older than what was committed. A pointer is replaced before its publish commits,
   * so it can be seen by now; undefined when one is not there all the same (its file cannot be opened, or a rollback
   * is not committed yet). Reading on without it would be a gap that nobody notices.
   */
  #mount(sources: readonly string[], { head, published }: Committed): SnapshotLog[] | undefined {
    const isBehind = (source: string) =>
      (this.#snapshots.opened(source)?.pointer.watermark ?? '') < (published.get(source) ?? '')
    if (sources.some(isBehind)) this.#snapshots.look()
    if (sources.some(isBehind)) return undefined
    const logs = sources.flatMap((source) => this.#logOf(source) ?? [])
    const isUncommitted = ({ pointer }: SnapshotLog) => pointer.isRolledBack && pointer.watermark > head
    return logs.some(isUncommitted) ? undefined : logs
  }

  #logOf(source: string): SnapshotLog | undefined {
    const open = this.#snapshots.opened(source)
    if (open === undefined) return undefined
    let log = this.#logs.get(open.pointer)
    if (log === undefined) this.#logs.set(open.pointer, (log = new SnapshotLog(open.db, open.pointer)))
    return log
  }
}

/**
 * Where a reader goes on whose position is not in all logs any more: where all of them begin. Of sources whose logs do
 * reach back it skips what is before that, so their tables are to be fetched again as well.
 */
function miss(
  logs: readonly SnapshotLog[],
  behind: readonly SnapshotLog[],
  { after, head }: { after: Watermark; head: Watermark },
): ChangePage {
  const through = behind.map((log) => log.start).reduce((a, b) => (a > b ? a : b))
  const isSkipped = (log: SnapshotLog) => {
    const [first] = log.after(after)
    return first !== undefined && first.watermark <= through
  }
  const missed = logs
    .filter((log) => behind.includes(log) || isSkipped(log))
    .map((log): Missed => ({ source: log.pointer.source, tables: log.tables }))
  return { batches: [], through, isAtHead: through >= head, missed }
}

/** The batches of several logs in the order of their watermarks. */
function* merge(logs: readonly SnapshotLog[], after: Watermark): Generator<Found, void> {
  const open = logs.flatMap((log) => {
    const rest = log.after(after)
    const first = rest.next()
    return first.done ? [] : [{ log, rest, batch: first.value }]
  })
  while (open.length > 0) {
    const first = open.reduce((a, b) => (a.batch.watermark < b.batch.watermark ? a : b))
    yield first
    const next = first.rest.next()
    if (next.done) open.splice(open.indexOf(first), 1)
    else first.batch = next.value
  }
}
