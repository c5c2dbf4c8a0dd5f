import { createHmac, timingSafeEqual } from 'node:crypto'
import type { KeyCheck, Principal } from '../access.ts'
import { toFailure } from '../errors.ts'
import { accessOf } from '../keys.ts'
import type { ControlDatabase } from './control-database.ts'
import { isBusy } from './database.ts'
import { digestOfKey, idOfKey } from './key-store.ts'
import { KeyTable, toKeyInfo, type KeyRow } from './key-table.ts'

/** How soon a process knows what another did to a key. */
const LOOK_MS = 100
const USED_EVERY_MS = 60_000
const PREFIX = 'key:'
const NO_DIGEST = Buffer.alloc(32)

interface StoredKey {
  readonly digest: Buffer
  readonly principal: Principal
  readonly expiresAt: number
  /** When it was last presented, and what of that has been written down. */
  usedAt: number
  writtenAt: number
}

type Warn = (facts: { readonly key: string; readonly reason: string }, message: string) => void

/**
 * The keys of `control.sqlite`, in memory. Looking one up touches no database: whether there are others by now is
 * looked at beside, ten times a second, and when a key was used is written down later.
 */
export class StoredKeys implements KeyCheck, Disposable {
  readonly #control: ControlDatabase
  readonly #table: KeyTable
  readonly #warn: Warn
  #keys = new Map<string, StoredKey>()
  #version = -1
  #timer: NodeJS.Timeout | undefined
  #isWriting = false

  constructor(control: ControlDatabase, warn: Warn) {
    this.#control = control
    this.#table = new KeyTable(control)
    this.#warn = warn
    control.read(() => this.#look())
  }

  /** Looks for changes from now on, until disposed. */
  follow(): void {
    this.#timer ??= setInterval(() => this.refresh(), LOOK_MS).unref()
  }

  check(key: string): Principal | undefined {
    const id = idOfKey(key)
    if (id === undefined) return undefined
    const stored = this.#keys.get(id)
    const isIt = timingSafeEqual(digestOfKey(key), stored?.digest ?? NO_DIGEST)
    const now = this.#control.clock.now()
    if (!stored || !isIt || stored.expiresAt <= now) return undefined
    stored.usedAt = now
    return stored.principal
  }

  find(id: string): Principal | undefined {
    return this.#live(id)?.principal
  }

  isLive(id: string): boolean {
    return this.#live(id) !== undefined
  }

  seal(id: string, text: string): string | undefined {
    const stored = this.#live(id)
    return stored && createHmac('sha256', stored.digest).update(text).digest('base64url')
  }

  /** Looks now. Never waits: when the file is busy, the next look is soon. */
  refresh(): void {
    try {
      this.#look()
    } catch (error) {
      if (!isBusy(error)) this.#warn({ key: '', reason: toFailure(error).message }, 'keys could not be read')
    }
    void this.#noteUse()
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer)
  }

  #live(id: string): StoredKey | undefined {
    const stored = id.startsWith(PREFIX) ? this.#keys.get(id.slice(PREFIX.length)) : undefined
    return stored && stored.expiresAt > this.#control.clock.now() ? stored : undefined
  }

  #look(): void {
    const version = this.#table.version()
    if (version === this.#version) return
    const keys = new Map<string, StoredKey>()
    for (const row of this.#table.live(this.#control.clock.now())) {
      const known = this.#keys.get(row.id)
      const stored = this.#read(row)
      if (stored) keys.set(row.id, known ? { ...stored, usedAt: known.usedAt, writtenAt: known.writtenAt } : stored)
    }
    this.#keys = keys
    this.#version = version
  }

  /** Undefined, so that the key opens nothing, when what it may see can no longer be made out. */
  #read(row: KeyRow): StoredKey | undefined {
    try {
      const { scopes, rate, expiresAt, lastUsedAt, ...info } = toKeyInfo(row)
      return {
        digest: row.digest,
        principal: { id: `${PREFIX}${row.id}`, scopes: new Set(scopes), ...accessOf(info), rate },
        expiresAt: expiresAt ?? Infinity,
        usedAt: -Infinity,
        writtenAt: lastUsedAt ?? -Infinity,
      }
    } catch (error) {
      this.#warn(
        { key: row.id, reason: toFailure(error).message },
        'what a key may see cannot be read, so it opens nothing: make another that replaces it',
      )
      return undefined
    }
  }

  async #noteUse(): Promise<void> {
    if (this.#isWriting) return
    const used = [...this.#keys].filter(([, { usedAt, writtenAt }]) => usedAt - writtenAt >= USED_EVERY_MS)
    if (used.length === 0) return
    this.#isWriting = true
    try {
      await this.#control.write(() => {
        for (const [id, { usedAt }] of used) this.#table.setUsed(id, usedAt, USED_EVERY_MS)
      })
      for (const [, stored] of used) stored.writtenAt = stored.usedAt
    } catch {
      // It is told a moment later; what is lost is when a key was last used.
    } finally {
      this.#isWriting = false
    }
  }
}
