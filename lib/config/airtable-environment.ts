import { AIRTABLE_MODES, type AirtableDescriptor, type AirtableMode } from '../settings.ts'
import { CALLS_PER_MONTH, EXPECTED, faultOfToken, isBaseId, readEndpoint, SWEEP_MS } from './airtable-rules.ts'
import type { Environment } from './environment.ts'
import type { Problems } from './problems.ts'
import { readCount, readDuration, readFlag, Unreadable } from './quantity.ts'

const MAX_TABLES = 1000

/** The source that the environment describes, or undefined where neither a token nor a base is set. */
export function readAirtable(environment: Environment, problems: Problems): AirtableDescriptor | undefined {
  const [hasToken, hasBase] = [isSet('AIRTABLE_PERSONAL_TOKEN'), isSet('AIRTABLE_BASE_ID')]
  if (!hasToken && !hasBase) return undefined
  if (!hasBase) problems.add('AIRTABLE_BASE_ID', `is needed beside AIRTABLE_PERSONAL_TOKEN: ${EXPECTED.baseId}.`)
  if (!hasToken) problems.add('AIRTABLE_PERSONAL_TOKEN', 'is needed beside AIRTABLE_BASE_ID: a personal access token.')

  const endpointUrl = environment.readOptional('AIRTABLE_ENDPOINT_URL', readEndpoint)
  const only = environment.readOptional('AIRTABLE_TABLES', readTables)
  const callsPerMonth = environment.readOptional('AIRTABLE_CALLS_PER_MONTH', (text) => readCount(text, CALLS_PER_MONTH))
  return {
    kind: 'airtable',
    options: {
      baseId: environment.readOptional('AIRTABLE_BASE_ID', readBaseId) ?? '',
      token: environment.readOptional('AIRTABLE_PERSONAL_TOKEN', readToken) ?? '',
      mode: environment.read('SYNC_MODE', readMode),
      attachments: environment.read('ENABLE_ATTACHMENT_DOWNLOAD', readFlag),
      sweepEveryMs: environment.read('FAILSAFE_REFRESH_INTERVAL', (text) => readDuration(text, 's', SWEEP_MS)),
      ...(endpointUrl !== undefined && { endpointUrl }),
      ...(only !== undefined && { only }),
      ...(callsPerMonth !== undefined && { callsPerMonth }),
    },
  }

  function isSet(name: 'AIRTABLE_PERSONAL_TOKEN' | 'AIRTABLE_BASE_ID'): boolean {
    return environment.text(name) !== undefined
  }
}

function readBaseId(text: string): string | Unreadable {
  return isBaseId(text) ? text : new Unreadable(EXPECTED.baseId)
}

function readToken(text: string): string | Unreadable {
  const expected = faultOfToken(text)
  return expected === undefined ? text : new Unreadable(expected)
}

function readMode(text: string): AirtableMode | Unreadable {
  const mode = AIRTABLE_MODES.find((known) => known === text.toLowerCase())
  return mode ?? new Unreadable(`one of ${AIRTABLE_MODES.join(', ')}`)
}

/** Names and ids; a table whose name has a comma goes by its id. */
function readTables(text: string): string[] | Unreadable {
  const tables = text
    .split(',')
    .map((table) => table.trim())
    .filter((table) => table !== '')
  const areUsable = tables.length > 0 && tables.length <= MAX_TABLES && new Set(tables).size === tables.length
  return areUsable ? tables : new Unreadable('names or ids of tables, separated by commas, each once')
}
