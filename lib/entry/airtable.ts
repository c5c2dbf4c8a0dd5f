import { parseArgs, type ParseArgsConfig } from 'node:util'
import { loadSettings } from '../config/load-settings.ts'
import { toFailure } from '../errors.ts'
import type { AirtableSourceOptions, Settings } from '../settings.ts'
import { AirtableClient } from '../sources/airtable/client.ts'
import { notificationUrl } from '../sources/airtable/source.ts'
import { Webhooks } from '../sources/airtable/webhooks.ts'
import { callLimiters } from '../sqlite/call-limiter.ts'
import { sourceMemory } from '../sqlite/source-memory.ts'
import { hookLines, hookTable } from './hook-listing.ts'
import { openDataDirectory } from './parts.ts'
import { sendPing } from './ping.ts'
import { cannotStart } from './report.ts'

const USAGE = `Usage: npx node scripts/airtable.ts webhooks <command> [--source <source>]

  list [--json]     the webhooks that the base has, whoever made them; as JSON, one in each line
  create            sees to it that the source has one that works; those that tell the same URL are replaced
  delete [<id>]     deletes one: without an id, that of the source
  test [--url <u>]  sends what Airtable sends when something changed, signed, and the same unsigned, which must be
                    refused; to the URL of the webhook, or to that of a server here, such as http://127.0.0.1:3000

--source is needed where several bases are mirrored. Works on the data directory of the settings at hand
(docs/settings.md), while others use it too, and within the same limits.
`
const EX_USAGE = 64
const OPTIONS = {
  source: { type: 'string' },
  json: { type: 'boolean' },
  url: { type: 'string' },
} as const satisfies ParseArgsConfig['options']

type Given = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values']
type Command = (base: Base, given: Given, id: string | undefined) => Promise<void>

class Misused extends Error {}

/** Went otherwise than whoever asked will want; said on one line. */
class Failed extends Error {}

/** A mirrored base, and its webhooks. */
interface Base {
  readonly source: string
  readonly options: AirtableSourceOptions
  readonly webhooks: Webhooks
}

const COMMANDS: Readonly<Record<string, { readonly run: Command; readonly takes: readonly string[] }>> = {
  list: { run: list, takes: ['json'] },
  create: { run: create, takes: [] },
  delete: { run: remove, takes: ['id'] },
  test: { run: probe, takes: ['url'] },
}

const live = { signal: new AbortController().signal }

/** Looks after webhooks, beside whatever runs. */
export async function manageAirtable(args: string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return void process.stdout.write(USAGE)
  try {
    const { command, given, id } = readCommand(args)
    const settings = await loadSettings({ env: process.env, cwd: process.cwd() }).catch(cannotStart)
    const { source, options } = chooseSource(settings, given.source)
    using directory = openDataDirectory(settings)
    const folder = directory.publisher.folders.get(source)
    if (folder === undefined) throw new Misused(`There is no source ${source}.`)
    const openLimiter = callLimiters(directory.publisher.control)
    const client = new AirtableClient(options, { clock: directory.clock, openLimiter })
    const webhooks = new Webhooks(client, {
      baseId: options.baseId,
      memory: sourceMemory(folder),
      notificationUrl: notificationUrl(source, settings.publicUrl),
    })
    await command({ source, options, webhooks }, given, id)
  } catch (error) {
    if (error instanceof Misused) return fail(EX_USAGE, `${error.message}\n\n${USAGE}`)
    fail(1, `${error instanceof Failed ? error.message : toFailure(error).message}\n`)
  }
}

function readCommand(args: string[]): { command: Command; given: Given; id: string | undefined } {
  const { values, positionals } = read(args)
  const [topic, name = '', id, ...more] = positionals
  if (topic !== 'webhooks') throw new Misused(topic === undefined ? 'Say what to do.' : `There is no command ${topic}.`)
  const known = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (known === undefined)
    throw new Misused(name === '' ? 'Say what to do with webhooks.' : `There is no command webhooks ${name}.`)
  const given = [...Object.keys(values).filter((option) => option !== 'source'), ...(id === undefined ? [] : ['id'])]
  const unknown = given.find((option) => !known.takes.includes(option))
  if (unknown !== undefined || more.length > 0)
    throw new Misused(`webhooks ${name} does not take ${unknown === 'id' ? id : (unknown ?? more[0])}.`)
  return { command: known.run, given: values, id }
}

function read(args: string[]): { values: Given; positionals: string[] } {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true })
  } catch (error) {
    throw new Misused((error as Error).message)
  }
}

function chooseSource(
  settings: Settings,
  asked: string | undefined,
): { source: string; options: AirtableSourceOptions } {
  const bases = [...settings.sources].flatMap(([source, { descriptor }]) =>
    descriptor.kind === 'airtable' ? [{ source, options: descriptor.options }] : [],
  )
  const chosen = asked === undefined ? bases : bases.filter(({ source }) => source === asked)
  const [only, other] = chosen
  if (only !== undefined && other === undefined) return only
  const names = bases.map(({ source }) => source).join(', ')
  if (bases.length === 0) throw new Misused('No Airtable base is mirrored here.')
  throw new Misused(asked === undefined ? `Say which --source: ${names}.` : `--source ${asked}: there is ${names}.`)
}

async function list({ webhooks }: Base, { json = false }: Given): Promise<void> {
  const hooks = await webhooks.list(live)
  process.stdout.write((json ? hookLines : hookTable)(hooks, webhooks.known?.id))
}

async function create({ source, options, webhooks }: Base): Promise<void> {
  const before = webhooks.known?.id
  const { hook } = await webhooks.ensure(live)
  const where = webhooks.notificationUrl === null ? 'nobody, and can be asked' : webhooks.notificationUrl
  process.stdout.write(`${hook} ${hook === before ? 'works already' : 'is made'}; it tells ${where}.\n`)
  if (webhooks.notificationUrl === null) warn('Without PUBLIC_URL, Airtable cannot tell of changes.')
  if (options.mode !== 'webhook')
    warn(`The source ${source} does not follow it: its mode is ${options.mode ?? 'polling'}.`)
}

async function remove({ source, webhooks }: Base, _given: Given, asked: string | undefined): Promise<void> {
  const id = asked ?? webhooks.known?.id
  if (id === undefined) throw new Failed(`The source ${source} has no webhook.`)
  const isThere = (await webhooks.list(live)).some((hook) => hook.id === id)
  if (asked !== undefined && !isThere) throw new Failed(`The base has no webhook ${asked}.`)
  await webhooks.delete(id, live)
  process.stdout.write(`${id} is deleted.\n`)
}

async function probe({ source, options, webhooks }: Base, given: Given): Promise<void> {
  const hook = webhooks.known
  if (hook === undefined || hook.macSecretBase64 === '') {
    throw new Failed(`The source ${source} has no webhook that signs: make one with \`webhooks create\`.`)
  }
  const url = given.url === undefined ? hook.notificationUrl : notificationUrl(source, readUrl(given.url))
  if (url === null) throw new Failed('The webhook tells nobody. Set PUBLIC_URL, or say which --url to try.')
  const ping = { url, baseId: options.baseId, hook }
  const signed = await sendPing(ping)
  const unsigned = await sendPing({ ...ping, isUnsigned: true })
  process.stdout.write(`${url}\n  signed    ${signed.text}\n  unsigned  ${unsigned.text}\n`)
  const isTaken = signed.status === 200 || signed.status === 204
  if (!isTaken) throw new Failed('The signed notification was not taken.')
  if (unsigned.status === null || unsigned.status < 400) throw new Failed('The unsigned notification was not refused.')
}

function readUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text))
    throw new Misused(`--url ${text}: write it as http://127.0.0.1:3000.`)
  return text.replace(/\/+$/, '')
}

function warn(text: string): void {
  process.stderr.write(`Warning: ${text}\n`)
}

function fail(exitCode: number, text: string): void {
  process.stderr.write(text)
  process.exitCode = exitCode
}
