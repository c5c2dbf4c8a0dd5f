import type { AirtableSourceOptions } from '../settings.ts'
import { isWebUrl } from './variables.ts'
import { Unreadable, type Range } from './quantity.ts'

/** What can be said of an Airtable source without asking Airtable; the same for variables and for the configuration file. */

const DAY_MS = 86_400_000

export const EXPECTED = {
  baseId: 'the id of a base: app and 14 letters or digits',
  token: 'a personal access token: visible ASCII characters without a space, as Airtable shows it once',
  legacyToken: 'a personal access token: keys that begin with "key" have ended in 2024',
  endpointUrl: 'an http or https URL without user name, password, query and the /v0 behind it',
} as const

export const SWEEP_MS: Range = { min: 1000, max: 366 * DAY_MS }
export const OVERLAP_MS: Range = { min: 0, max: DAY_MS }
export const CALLS_PER_SECOND: Range = { min: 1, max: 50 }
export const CALLS_PER_MONTH: Range = { min: 1, max: 1_000_000_000 }
export const CURSORS: Range = { min: 1, max: 10 }
const DEFAULT_SWEEP_MS = DAY_MS

export function isBaseId(text: string): boolean {
  return /^app[A-Za-z0-9]{14}$/.test(text)
}

/** What was expected instead; undefined where it may be one. */
export function faultOfToken(text: string): string | undefined {
  if (/^key[A-Za-z0-9]{14}$/.test(text)) return EXPECTED.legacyToken
  return /^[\x21-\x7e]{8,1000}$/.test(text) ? undefined : EXPECTED.token
}

/** Where an API is, without a slash at its end. */
export function readEndpoint(text: string): string | Unreadable {
  const url = text.replace(/\/+$/, '')
  return isWebUrl(url) && !/[?#]|\/v0$/.test(url) ? url : new Unreadable(EXPECTED.endpointUrl)
}

/** How often all of a base is read. */
export function sweepEveryMs(options: Pick<AirtableSourceOptions, 'sweepEveryMs'>): number {
  return options.sweepEveryMs ?? DEFAULT_SWEEP_MS
}
