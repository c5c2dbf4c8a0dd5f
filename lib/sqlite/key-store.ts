import { hash, randomBytes, randomInt } from 'node:crypto'
import { Failure } from '../errors.ts'
import { completeSpec, type KeyInfo, type KeySpec, type KeyStore } from '../keys.ts'
import type { ControlDatabase } from './control-database.ts'
import { KeyTable, toKeyInfo, type KeyRow } from './key-table.ts'

const KEY_BYTES = 32
const ID_LENGTH = 8
/** Without those that look alike. */
const ID_ALPHABET = 'abcdefghijkmnpqrstuvwxyz23456789'
const MAX_KEYS = 10_000
/** Keys that have ended are listed for so long. */
const KEPT_MS = 90 * 86_400_000

/** Keys in `control.sqlite`: as digests, the keys themselves are nowhere. */
export class SqliteKeyStore implements KeyStore {
  readonly #control: ControlDatabase
  readonly #table: KeyTable
  readonly #onChange: () => void

  /** `onChange`: called after each change that was made through this. */
  constructor(control: ControlDatabase, onChange: () => void = () => undefined) {
    this.#control = control
    this.#table = new KeyTable(control)
    this.#onChange = onChange
  }

  list(): KeyInfo[] {
    return this.#control.read(() => this.#table.all()).map(toKeyInfo)
  }

  async create(
    given: Partial<KeySpec>,
    replaces?: { readonly id: string; readonly overlapMs: number },
  ): Promise<{ key: string; info: KeyInfo }> {
    const created = await this.#control.write(() => {
      const now = this.#control.clock.now()
      const replaced = replaces && this.#live(replaces.id, now)
      const spec = completeSpec(given, replaced)
      if (spec.expiresAt !== null && spec.expiresAt <= now) {
        throw new Failure('bad_parameter', 'The key would have expired already.', {
          facts: { parameter: 'expires_at' },
        })
      }
      this.#table.forget(now - KEPT_MS)
      if (this.#table.count() >= MAX_KEYS) {
        throw new Failure('forbidden', `There are ${MAX_KEYS} keys, which is as many as are kept. Let some expire.`)
      }
      const id = this.#freeId()
      const key = `hf_${id}_${randomBytes(KEY_BYTES).toString('base64url')}`
      const row = toRow(id, key, spec, now)
      this.#table.insert(row)
      if (replaces) this.#table.expire(replaces.id, now + replaces.overlapMs)
      return { key, info: toKeyInfo(row) }
    })
    this.#onChange()
    return created
  }

  async revoke(id: string): Promise<KeyInfo> {
    const revoked = await this.#control.write(() => {
      this.#known(id)
      this.#table.revoke(id, this.#control.clock.now())
      return toKeyInfo(this.#known(id))
    })
    this.#onChange()
    return revoked
  }

  #known(id: string): KeyRow {
    const row = this.#table.row(id)
    if (row !== undefined) return row
    throw new Failure('key_not_found', `There is no key ${JSON.stringify(id.slice(0, 100))}.`)
  }

  #live(id: string, now: number): KeyInfo {
    const info = toKeyInfo(this.#known(id))
    if (info.revokedAt === null && (info.expiresAt === null || info.expiresAt > now)) return info
    throw new Failure('bad_parameter', `The key ${id} has ended already: make a new one that replaces none.`, {
      facts: { parameter: 'replaces' },
    })
  }

  #freeId(): string {
    for (;;) {
      const id = Array.from({ length: ID_LENGTH }, () => ID_ALPHABET[randomInt(ID_ALPHABET.length)]).join('')
      if (this.#table.row(id) === undefined) return id
    }
  }
}

/** The visible part of what could be one of our keys. */
export function idOfKey(key: string): string | undefined {
  return key.length === 55 && key.startsWith('hf_') && key[11] === '_' ? key.slice(3, 11) : undefined
}

/** Keys are random and long, so one fast digest is enough. */
export function digestOfKey(key: string): Buffer {
  return hash('sha256', key, 'buffer')
}

function toRow(id: string, key: string, spec: KeySpec, now: number): KeyRow {
  return {
    id,
    digest: digestOfKey(key),
    name: spec.name,
    scopes: JSON.stringify(spec.scopes),
    limits: spec.limits && JSON.stringify(spec.limits),
    rules: JSON.stringify(spec.rules),
    rate_limit: spec.rate?.limit ?? null,
    rate_window_ms: spec.rate?.windowMs ?? null,
    created_at: now,
    expires_at: spec.expiresAt,
    revoked_at: null,
    last_used_at: null,
  }
}
