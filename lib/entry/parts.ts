import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock, type Clock } from '../base/clock.ts'
import { disk, type Files } from '../base/files.ts'
import { Failure } from '../errors.ts'
import type { Settings, SourceDescriptor } from '../settings.ts'
import type { Source } from '../source.ts'
import { SqliteControl } from '../sqlite/control.ts'
import { ControlDatabase } from '../sqlite/control-database.ts'
import { SourceFolder } from '../sqlite/pointer.ts'
import type { Publisher } from '../sqlite/publish.ts'
import { RunTable } from '../sqlite/run-table.ts'

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
    shapes: new Map([...settings.sources].map(([id, { descriptor }]) => [id, shapeOf(descriptor)])),
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

/** Each kind of source is loaded only where it is used. */
export async function createSource(id: string, descriptor: SourceDescriptor): Promise<Source> {
  switch (descriptor.kind) {
    case 'file': {
      const { fileSource } = await import('../sources/file/source.ts')
      return fileSource(id, descriptor.options)
    }
    case 'airtable':
      throw new Failure('config_invalid', `The source ${id} is of a kind that this Holdfast cannot read yet.`)
  }
}

/** What decides how the upstream's data is read: schedule and guard do not. */
function shapeOf(descriptor: SourceDescriptor): string {
  const { every: _every, guard: _guard, ...options } = descriptor.options
  // Another token sees the same base.
  if ('token' in options) options.token = ''
  return createHash('sha256')
    .update(JSON.stringify([descriptor.kind, options]))
    .digest('hex')
    .slice(0, 16)
}
