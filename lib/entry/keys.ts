import { parseArgs, type ParseArgsConfig } from 'node:util'
import { SCOPES, type Scope } from '../access.ts'
import { readDuration, readRate, Unreadable } from '../config/quantity.ts'
import { loadSettings } from '../config/load-settings.ts'
import { Failure } from '../errors.ts'
import { doubtsAbout, requireColumns, type KeyInfo, type KeySpec, type KnownTable, type RuleSpec } from '../keys.ts'
import { SqliteKeyStore } from '../sqlite/key-store.ts'
import { keyLines, keyTable } from './key-listing.ts'
import { openDataDirectory, type DataDirectory } from './parts.ts'
import { cannotStart } from './report.ts'

const USAGE = `Usage: npx node scripts/keys.ts <command>

  create --name <name> [options]    makes a key, and prints it: this once, alone on its line
    --scope <scope>                 read (the default), sync or admin; may be repeated
    --source <source>               sees this source only; may be repeated
    --table <source.table>          sees this table only; may be repeated
    --filter <source.table=filter>  sees only rows that meet it: 'shop.orders=country=eq.DE',
                                    'shop.orders=(country.eq.DE,active.is.true)'
    --hide <source.table.column>    does not see the column; may be repeated. Where names have dots:
                                    'source.table=column'
    --rate <rate>                   so many requests in so long, as 600/1m
    --expires <duration>            ends after it, as 90d or 12h
    --replaces <id>                 is as this key, but for what is said here; that one ends
    --overlap <duration>            when that one ends: 24h unless told otherwise
    --force                         though a rule names a column that its table does not have
  list [--json]                     the keys there are; as JSON, one in each line
  revoke <id>                       ends a key now

Works on the data directory of the settings at hand (docs/settings.md), while others use it too.
`
const EX_USAGE = 64
const DAY_MS = 86_400_000

const CREATE = {
  name: { type: 'string' },
  scope: { type: 'string', multiple: true },
  source: { type: 'string', multiple: true },
  table: { type: 'string', multiple: true },
  filter: { type: 'string', multiple: true },
  hide: { type: 'string', multiple: true },
  rate: { type: 'string' },
  expires: { type: 'string' },
  replaces: { type: 'string' },
  overlap: { type: 'string' },
  force: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options']

type Given = ReturnType<typeof parseArgs<{ options: typeof CREATE }>>['values']

class Misused extends Error {}

/** Makes, lists and revokes keys, beside whatever runs. */
export async function manageKeys(args: readonly string[]): Promise<void> {
  const [command, ...rest] = args
  if (command === '--help' || command === '-h') return void process.stdout.write(USAGE)
  try {
    const work = readCommand(command, rest)
    const settings = await loadSettings({ env: process.env, cwd: process.cwd() }).catch(cannotStart)
    using directory = openDirectory(settings)
    await work(directory)
  } catch (error) {
    if (error instanceof Misused) fail(EX_USAGE, `${error.message}\n\n${USAGE}`)
    else if (error instanceof Failure) fail(error.status === 400 ? EX_USAGE : 1, `${error.message}\n`)
    else throw error
  }
}

function readCommand(command: string | undefined, args: string[]): (directory: DataDirectory) => Promise<void> {
  switch (command) {
    case 'create': {
      const { values } = read({ args, options: CREATE })
      const asked = readCreate(values)
      return (directory) => create(directory, asked)
    }
    case 'list': {
      const { values } = read({ args, options: { json: { type: 'boolean' } } })
      return (directory) => list(directory, values.json === true)
    }
    case 'revoke': {
      const { positionals } = read({ args, allowPositionals: true })
      const [id, ...more] = positionals
      if (id === undefined || more.length > 0) throw new Misused('revoke takes the id of one key.')
      return (directory) => revoke(directory, idOf(id))
    }
    default:
      throw new Misused(command === undefined ? 'Say what to do.' : `There is no command ${command}.`)
  }
}

function read<const Config extends ParseArgsConfig>(config: Config): ReturnType<typeof parseArgs<Config>> {
  try {
    return parseArgs(config)
  } catch (error) {
    throw new Misused((error as Error).message)
  }
}

interface Create {
  readonly spec: (now: number) => Partial<KeySpec>
  readonly replaces: { readonly id: string; readonly overlapMs: number } | undefined
  readonly isForced: boolean
}

function readCreate(given: Given): Create {
  const { name, scope, source, table, filter, hide, replaces, overlap } = given
  if (name === undefined && replaces === undefined) throw new Misused('A key needs a --name, such as whom it is for.')
  if (overlap !== undefined && replaces === undefined) throw new Misused('--overlap goes with --replaces.')
  for (const one of source ?? [])
    if (one.includes('.')) throw new Misused(`--source ${one}: a table goes with --table.`)
  for (const one of table ?? []) if (!one.includes('.')) throw new Misused(`--table ${one}: write it as source.table.`)
  const limits = [...(source ?? []), ...(table ?? [])]
  const rate = given.rate === undefined ? undefined : readable('--rate', readRate(given.rate))
  const lifeMs = given.expires === undefined ? undefined : duration('--expires', given.expires, 1000)
  const spec = {
    ...(name !== undefined && { name }),
    ...(scope && { scopes: scope.map(readScope) }),
    ...(limits.length > 0 && { limits }),
    ...((filter ?? hide) && { rules: readRules(filter ?? [], hide ?? []) }),
    ...(rate && { rate }),
  }
  return {
    spec: (now) => ({ ...spec, ...(lifeMs !== undefined && { expiresAt: now + lifeMs }) }),
    replaces:
      replaces === undefined
        ? undefined
        : { id: idOf(replaces), overlapMs: overlap === undefined ? DAY_MS : duration('--overlap', overlap, 0) },
    isForced: given.force === true,
  }
}

function readScope(text: string): Scope {
  const scope = SCOPES.find((known) => known === text)
  if (scope) return scope
  throw new Misused(`--scope ${text}: there is ${SCOPES.join(', ')}.`)
}

function readRules(filters: readonly string[], hides: readonly string[]): Record<string, RuleSpec> {
  const rules: Record<string, { filter: string | null; hidden: string[] }> = {}
  const ruleOf = (name: string) => (rules[name] ??= { filter: null, hidden: [] })
  for (const text of filters) {
    const mark = text.indexOf('=')
    if (mark === -1 || !text.slice(0, mark).includes('.')) {
      throw new Misused(`--filter ${text}: write it as 'source.table=country=eq.DE'.`)
    }
    const rule = ruleOf(text.slice(0, mark))
    if (rule.filter !== null) throw new Misused(`--filter ${text}: a table has one; write both as (one,other).`)
    rule.filter = text.slice(mark + 1)
  }
  for (const text of hides) {
    const mark = text.includes('=') ? text.indexOf('=') : text.lastIndexOf('.')
    const [table, column] = [text.slice(0, Math.max(0, mark)), text.slice(mark + 1)]
    if (!table.includes('.') || column === '') throw new Misused(`--hide ${text}: write it as source.table.column.`)
    ruleOf(table).hidden.push(column)
  }
  return rules
}

function duration(option: string, text: string, min: number): number {
  // Of days, as likely as not.
  if (/^[\d.]+$/.test(text)) throw new Misused(`${option} ${text}: say of what, as 90d or 12h.`)
  return readable(option, readDuration(text, 's', { min, max: 3650 * DAY_MS }))
}

function readable<Value>(option: string, value: Value | Unreadable): Value {
  if (value instanceof Unreadable) throw new Misused(`${option} must be ${value.expected}.`)
  return value
}

/** An id as it is listed, or as it begins a key. */
function idOf(text: string): string {
  return text.startsWith('hf_') ? text.slice('hf_'.length) : text
}

async function create(
  { publisher, settings, clock }: DataDirectory,
  { spec, replaces, isForced }: Create,
): Promise<void> {
  const store = new SqliteKeyStore(publisher.control)
  const tablesOf = (source: string): readonly KnownTable[] | undefined =>
    publisher.folders.get(source)?.readPointer()?.tables
  const asked = spec(clock.now())
  if (!isForced) requireColumns(asked.rules ?? {}, tablesOf, 'with --force it is made all the same')
  const { key, info } = await store.create(asked, replaces)
  process.stderr.write(`The key ${info.id} for ${info.name}; it is shown this once:\n`)
  process.stdout.write(`${key}\n`)
  const doubts = doubtsAbout(info, [...settings.sources.keys()], tablesOf)
  for (const doubt of doubts) process.stderr.write(`Warning: ${doubt}\n`)
}

async function list({ publisher, clock }: DataDirectory, isJson: boolean): Promise<void> {
  const keys: readonly KeyInfo[] = new SqliteKeyStore(publisher.control).list()
  process.stdout.write((isJson ? keyLines : keyTable)(keys, clock.now()))
}

async function revoke({ publisher }: DataDirectory, id: string): Promise<void> {
  const { name } = await new SqliteKeyStore(publisher.control).revoke(id)
  process.stdout.write(`The key ${id} for ${name} is revoked.\n`)
}

function openDirectory(settings: Parameters<typeof openDataDirectory>[0]): DataDirectory {
  try {
    return openDataDirectory(settings)
  } catch (error) {
    return cannotStart(error)
  }
}

function fail(exitCode: number, text: string): void {
  process.stderr.write(text)
  process.exitCode = exitCode
}
