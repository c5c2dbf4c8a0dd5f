import { readDuration, Unreadable } from './quantity.ts'

const DAY_MS = 86_400_000
/** Longer than a timer of Node can wait: whoever schedules waits in parts. */
const MAX_INTERVAL_MS = 366 * DAY_MS

export const DEFAULT_SCHEDULE = '0 * * * *'

/**
 * A schedule is one text: a cron expression (UTC), `off`, or `every <n>s`. Reads the first two; what counts as cron
 * is what the scheduler itself takes, impossible dates refused.
 */
export async function readCron(text: string): Promise<string | Unreadable> {
  if (text.toLowerCase() === 'off') return 'off'
  const expression = text.replaceAll(/\s+/g, ' ')
  // The scheduler is not loaded for the expression that nearly everybody has.
  if (expression === DEFAULT_SCHEDULE) return expression
  const { validate } = await import('node-cron')
  if (validate(expression)) return expression
  return new Unreadable('a cron expression in UTC, such as "*/15 * * * *", or off')
}

/** `off`, or a duration in whole seconds, bare numbers being seconds, as a schedule. */
export function readInterval(text: string): string | Unreadable {
  if (text.toLowerCase() === 'off') return 'off'
  const ms = readDuration(text, 's', { min: 1000, max: MAX_INTERVAL_MS })
  if (ms instanceof Unreadable) return new Unreadable(`off, or ${ms.expected}`)
  return ms % 1000 === 0 ? `every ${ms / 1000}s` : new Unreadable('off, or whole seconds')
}

/** What a source says of itself: a text with blanks can only be cron; `5m` and `300` are intervals. */
export async function readEvery(every: string | number): Promise<string | Unreadable> {
  const text = String(every).trim()
  return /\s|^@/.test(text) ? await readCron(text) : readInterval(text)
}
