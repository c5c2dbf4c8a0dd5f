import assert from 'node:assert/strict'
import type { Principal } from '../../lib/access.ts'
import type { Clock } from '../../lib/base/clock.ts'
import { loadSettings } from '../../lib/config/load-settings.ts'
import type { JsonValue } from '../../lib/column.ts'
import { openDataDirectory, type DataDirectory } from '../../lib/entry/parts.ts'
import { syncClaim } from '../../lib/entry/sync-claim.ts'
import { sourceToWire } from '../../lib/http/wire.ts'
import type { Pointer } from '../../lib/snapshot.ts'
import { readOrigins } from '../../lib/sqlite/snapshot-schema.ts'
import type { Run, Trigger } from '../../lib/sync-run.ts'
import type { Base } from '../../simulators/airtable/base.ts'
import type { Simulator } from '../../simulators/airtable/simulator.ts'
import { rowsOf, tableNamed, withSnapshot } from '../sqlite/site.ts'
import { tempFolder } from '../support/temp.ts'

const ID = 'airtable'
const TTL_MS = 60_000
const ANYBODY: Principal = { id: 'k', scopes: new Set(['read']), limits: null, rules: new Map(), view: '', rate: null }

interface AirtableRecord {
  readonly id: string
  readonly createdTime: string
  readonly fields: Record<string, JsonValue>
}

/** What a Holdfast has of a simulated base: the parts of a real one, in this process and in the simulator's time. */
export class Mirror implements Disposable {
  readonly directory: DataDirectory
  readonly #temp: Disposable

  private constructor(directory: DataDirectory, temp: Disposable) {
    this.directory = directory
    this.#temp = temp
  }

  /** As the environment of the original configures it, and with what `env` adds. */
  static async of(
    sim: Simulator,
    options: { clock?: Clock; env?: Record<string, string>; dataDir?: string } = {},
  ): Promise<Mirror> {
    const temp = tempFolder()
    const env = {
      DATA_DIR: options.dataDir ?? temp.file('data'),
      AIRTABLE_ENDPOINT_URL: sim.url,
      AIRTABLE_PERSONAL_TOKEN: sim.token,
      AIRTABLE_BASE_ID: sim.base.id,
      REFRESH_CRON: 'off',
      ...options.env,
    }
    const settings = await loadSettings({ env, cwd: temp.path })
    return new Mirror(openDataDirectory(settings, { clock: options.clock ?? sim.clock }), temp)
  }

  /** One run from its request to its end, as a sync thread does it. */
  async sync(trigger: Trigger = 'refresh', signal: AbortSignal = new AbortController().signal): Promise<Run> {
    const { control } = this.directory
    const { run } = await control.request(ID, trigger)
    const claim = await control.claim(ID, 'holder', TTL_MS)
    assert.ok(claim, 'there was nothing to claim')
    try {
      await syncClaim(this.directory, claim, { signal, onBeat: () => {}, busy: (work) => work() })
    } finally {
      await control.release(claim.lease)
    }
    return control.run(run.id) as Run
  }

  /** A run that has to publish, or to find everything as it is. */
  async syncWell(trigger: Trigger = 'refresh'): Promise<Run> {
    const run = await this.sync(trigger)
    assert.equal(run.status, 'completed', JSON.stringify(run.error))
    return run
  }

  get pointer(): Pointer {
    const pointer = this.directory.publisher.folders.get(ID)?.readPointer()
    assert.ok(pointer, 'nothing is published')
    return pointer
  }

  /** What `/status` says of it to somebody who may see everything. */
  get status() {
    const { control, clock, publisher } = this.directory
    const pointer = publisher.folders.get(ID)?.readPointer()
    return sourceToWire(ID, control.source(ID), pointer, { now: clock.now(), principal: ANYBODY })
  }

  /** The published records of a table, as Airtable writes them. */
  records(table: string): AirtableRecord[] {
    const folder = this.directory.publisher.folders.get(ID)
    assert.ok(folder)
    return withSnapshot(folder.file(this.pointer.file), (db, tables) => {
      const origin = readOrigins(db).get(table)
      assert.ok(origin, `${table} has no origin`)
      const info = this.pointer.tables.find(({ name }) => name === table)
      return rowsOf(db, tableNamed(tables, table)).map((row) => {
        const errors = (origin.errorsColumn === null ? null : row[origin.errorsColumn]) as Record<
          string,
          JsonValue
        > | null
        const fields = origin.fields.map(({ name, column }) => [name, row[column] ?? errors?.[column] ?? null] as const)
        return {
          id: row[info?.key[0] ?? 'id'] as string,
          createdTime: row[info?.times.created ?? 'createdTime'] as string,
          fields: Object.fromEntries(fields.filter(([, cell]) => !isEmpty(cell as JsonValue))) as Record<
            string,
            JsonValue
          >,
        }
      })
    })
  }

  /** One cell of a published record. */
  cell(table: string, id: string, column: string): unknown {
    const folder = this.directory.publisher.folders.get(ID)
    assert.ok(folder)
    return withSnapshot(folder.file(this.pointer.file), (db, tables) => {
      const { sqlName } = tableNamed(tables, table)
      return db.prepare<[string]>(`SELECT "${column}" FROM "${sqlName}" WHERE id = ?`).pluck().get(id)
    })
  }

  [Symbol.dispose](): void {
    this.directory[Symbol.dispose]()
    this.#temp[Symbol.dispose]()
  }
}

/** That the mirror has every record of the base, cell for cell, and no other; URLs of attachments are its own. */
export function assertMirrors(mirror: Mirror, base: Base, tables = base.tables.map(({ name }) => name)): void {
  for (const name of tables) {
    const truth = base.table(name).readAll().map(plain).toSorted(byId)
    const copy = mirror.records(name).map(plain).toSorted(byId)
    assert.equal(copy.length, truth.length, `records of ${name}`)
    for (const [index, record] of truth.entries()) assert.deepEqual(copy[index], record, `${name} ${record.id}`)
  }
}

/** Without the URLs of attachments, which are of whoever serves them. */
function plain(record: unknown): AirtableRecord {
  return JSON.parse(
    JSON.stringify(record, (_, value: unknown) => (isAttachment(value) ? withoutUrls(value) : value)),
  ) as AirtableRecord
}

function isAttachment(value: unknown): value is { id: string } {
  return typeof value === 'object' && value !== null && 'filename' in value && 'id' in value
}

function withoutUrls(attachment: object): object {
  return { ...attachment, url: undefined, thumbnails: undefined }
}

function byId(a: AirtableRecord, b: AirtableRecord): number {
  return a.id < b.id ? -1 : 1
}

/** Airtable leaves these out. */
function isEmpty(cell: JsonValue): boolean {
  return cell === null || cell === '' || cell === false || (Array.isArray(cell) && cell.length === 0)
}
