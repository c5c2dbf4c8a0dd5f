import type { IncomingMessage } from 'node:http'
import type { KeyCheck, Principal } from '../access.ts'
import type { Clock } from '../base/clock.ts'
import { presentedKey } from './keys.ts'

const TRUSTED_MS = 1000

interface Checked {
  readonly key: string
  readonly id: string
  /** By the monotonic clock. */
  readonly at: number
}

/**
 * Whose key a request presents. All requests of a connection mostly come with the same key: it is checked once a second,
 * and of the others only that it is that one, in a time that does not tell how much of it is right. One that is revoked
 * opens nothing from the next request on.
 */
export class PresentedKeys {
  readonly #keys: KeyCheck
  readonly #clock: Clock
  readonly #checked = new WeakMap<IncomingMessage['socket'], Checked>()

  constructor(keys: KeyCheck, clock: Clock) {
    this.#keys = keys
    this.#clock = clock
  }

  /**
   * Undefined where there is no key, or none that is valid here. `isOnce`: what is not known yet is not remembered either,
   * for thousands of streams each have a connection and ask once.
   */
  principalOf(
    { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
    { isOnce = false }: { isOnce?: boolean } = {},
  ): Principal | undefined {
    const key = presentedKey(headers)
    if (key === undefined) return undefined
    const known = this.#checked.get(socket)
    const now = this.#clock.monotonic()
    if (known && now - known.at < TRUSTED_MS && isSame(key, known.key)) return this.#keys.find(known.id)
    const principal = this.#keys.check(key)
    if (principal && !isOnce) this.#checked.set(socket, { key, id: principal.id, at: now })
    return principal
  }
}

/** Looks at every character, whatever differs before it. */
function isSame(given: string, known: string): boolean {
  if (given.length !== known.length) return false
  let difference = 0
  for (let index = 0; index < known.length; index++) difference |= given.charCodeAt(index) ^ known.charCodeAt(index)
  return difference === 0
}
