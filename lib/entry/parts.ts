import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock, type Clock } from '../base/clock.ts'
import { disk, type Files } from '../base/files.ts'
import { Failure } from '../errors.ts'
import type { AirtableSourceOptions, Settings, SourceDescriptor } from '../settings.ts'
import type { Source } from '../source.ts'
import { SqliteControl } from '../sqlite/control.ts'
import { ControlDatabase } from '../sqlite/control-database.ts'
import { SourceFolder } from '../sqlite/pointer.ts'
import { sourceMemory } from '../sqlite/source-memory.ts'
import type { Publisher } from '../sqlite/publish.ts'
import { RunTable } from '../sqlite/run-table.ts'
import { slotsPerMonth } from '../sync/schedule.ts'

/** What every process and thread of a data directory begins with. */
export interface DataDirectory extends Disposable {
  readonly settings: Settings
  readonly clock: Clock
  readonly control: SqliteControl
  readonly publisher: Publisher
  /** Fingerprints of how each source is read. */
  readonly shapes: ReadonlyMap<string, string>
}

export function openDataDirectory(settings: Settings, options: { clock?: Clock; files?: Files } = {}): DataDirectory {
  const { clock = systemClock, files = disk } = options
  makeFolder(settings.dataDir)
  const database = new ControlDatabase(join(settings.dataDir, 'control.sqlite'), clock)
  const folders = new Map([...settings.sources.keys()].map((id) => [id, new SourceFolder(settings.dataDir, id)]))
  const control = new SqliteControl(database, folders)
  return {
    settings,
    clock,
    control,
    publisher: { control: database, table: new RunTable(database), folders, files },
    shapes: new Map([...settings.sources].map(([id, { descriptor }]) => [id, shapeOf(descriptor, settings.publicUrl)])),
    [Symbol.dispose]: () => database.close(),
  }
}

function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true })
    accessSync(path, constants.W_OK)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    const message = `The data directory ${path} cannot be used (${code}). Make it a folder that can be written to, or set DATA_DIR.`
    throw new Failure('disk_failed', message, { cause })
  }
}

/** A configured source. Each kind is loaded only where it is used. */
export async function createSource(directory: DataDirectory, id: string): Promise<Source> {
  const { settings, clock, publisher } = directory
  const configured = settings.sources.get(id)
  const folder = publisher.folders.get(id)
  if (configured === undefined || folder === undefined)
    throw new Failure('source_not_found', `There is no source ${id}.`)
  const { descriptor, schedule } = configured
  switch (descriptor.kind) {
    case 'file': {
      const { fileSource } = await import('../sources/file/source.ts')
      return fileSource(id, descriptor.options)
    }
    case 'airtable': {
      const { airtableSource } = await import('../sources/airtable/source.ts')
      const { callLimiters } = await import('../sqlite/call-limiter.ts')
      return airtableSource(id, descriptor.options, {
        clock,
        openLimiter: callLimiters(publisher.control),
        memory: sourceMemory(folder),
        publicUrl: settings.publicUrl,
        ...(await forecastOf(descriptor.options, schedule)),
      })
    }
  }
}

/** How often it will run: worked out only for those who have to keep to a budget. */
async function forecastOf(
  { callsPerMonth }: AirtableSourceOptions,
  schedule: string,
): Promise<{ runsPerMonth?: number }> {
  const runs = callsPerMonth === undefined ? null : await slotsPerMonth(schedule)
  return runs === null ? {} : { runsPerMonth: runs }
}

/** What decides what an upstream's data looks like here: not when and with which right it is read. */
function shapeOf(descriptor: SourceDescriptor, publicUrl: string | null): string {
  return createHash('sha256')
    .update(JSON.stringify([descriptor.kind, shapeFacts(descriptor, publicUrl)]))
    .digest('hex')
    .slice(0, 16)
}

function shapeFacts(descriptor: SourceDescriptor, publicUrl: string | null): object {
  switch (descriptor.kind) {
    case 'file': {
      const { every: _every, guard: _guard, ...options } = descriptor.options
      return options
    }
    case 'airtable': {
      const { baseId, endpointUrl, only, attachments, tables } = descriptor.options
      return { baseId, endpointUrl, only, attachments, tables, publicUrl }
    }
  }
}
