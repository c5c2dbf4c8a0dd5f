import type { Environment } from './environment.ts'
import type { Problems } from './problems.ts'
import { Unreadable } from './quantity.ts'

const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** The numbers of consola, by which the original was told: warnings are 1, what is logged by default is 3. */
const CONSOLA_LEVELS: Readonly<Record<string, string>> = {
  '-999': 'silent',
  '0': 'error',
  '1': 'warn',
  '2': 'info',
  '3': 'info',
  '4': 'debug',
  '5': 'trace',
  '999': 'trace',
}

export function readLogLevel(environment: Environment, problems: Problems): string {
  const level = environment.read('LOG_LEVEL', (text) => {
    const word = text.toLowerCase()
    return LOG_LEVELS.some((known) => known === word) ? word : new Unreadable(`one of ${LOG_LEVELS.join(', ')}`)
  })
  const alias = environment.readOptional('CONSOLA_LEVEL', (text) => {
    const known = Object.hasOwn(CONSOLA_LEVELS, text) ? CONSOLA_LEVELS[text] : undefined
    return known ?? new Unreadable(`one of ${Object.keys(CONSOLA_LEVELS).join(', ')}`)
  })
  if (environment.text('LOG_LEVEL') === undefined) return alias ?? level
  if (alias !== undefined && alias !== level) {
    problems.add('LOG_LEVEL, CONSOLA_LEVEL', 'both are set and differ; keep LOG_LEVEL.')
  }
  return level
}
