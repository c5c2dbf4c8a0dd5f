import type { DiagLogger } from '@opentelemetry/api'

const EVERY_MS = 5 * 60_000
const MAX_LENGTH = 300

/**
 * Passes on what goes wrong, the first time at once and then one line in a while with the number of those before: a
 * collector that is down fails many times a minute.
 */
export class Trouble implements DiagLogger {
  readonly #tell: (message: string, before: number) => void
  readonly #now: () => number
  #toldAt = -Infinity
  #untold = 0

  constructor(tell: (message: string, before: number) => void, now: () => number = () => performance.now()) {
    this.#tell = tell
    this.#now = now
  }

  note(message: string): void {
    const now = this.#now()
    if (now - this.#toldAt < EVERY_MS) return void this.#untold++
    this.#toldAt = now
    const before = this.#untold
    this.#untold = 0
    this.#tell(sentenceOf(message).slice(0, MAX_LENGTH), before)
  }

  readonly error = (message: string): void => this.note(message)
  readonly warn = (message: string): void => this.note(message)
  readonly info = (): void => {}
  readonly debug = (): void => {}
  readonly verbose = (): void => {}
}

/** The SDK writes an error as JSON with its stack, and with the collector's answer, which may be anything. */
function sentenceOf(text: string): string {
  if (!text.startsWith('{')) return text
  try {
    const { message, code } = JSON.parse(text) as { message?: unknown; code?: unknown }
    const said = typeof message === 'string' && message !== '' ? message : 'The collector refused.'
    return typeof code !== 'string' || said.includes(code) ? said : `${said} (${code})`
  } catch {
    return text
  }
}
