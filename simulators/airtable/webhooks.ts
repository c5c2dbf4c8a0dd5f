import type { Clock } from '../../lib/base/clock.ts'
import { ApiError, forbidden, invalid, notFound } from './api-error.ts'
import type { Base } from './base.ts'
import type { FileUrls } from './file-urls.ts'
import { isObject, type Json, type JsonObject } from './json.ts'
import { errorPayload, payloadOf } from './payload.ts'
import type { Pinger } from './pings.ts'
import type { Transaction } from './transaction.ts'
import { readWebhookSpec, watchedIds, type WebhookSpec } from './webhook-spec.ts'

const DAY_MS = 86_400_000
const LIFE_MS = 7 * DAY_MS
const KEPT_MS = 7 * DAY_MS
const MOST_OF_A_BASE = 10
const LARGEST_PAGE = 50
const SECRET_BYTES = 32

export interface WebhookOptions {
  /** `'record'`: a payload names the computed cells of a changed record that changed with it. */
  readonly computed: 'record' | 'none'
  /** What is said when something that is watched is gone. */
  readonly invalidCode: 'INVALID_HOOK' | 'INVALID_FILTERS' | 'INTERNAL_ERROR'
}

export const WEBHOOK_DEFAULTS: WebhookOptions = { computed: 'record', invalidCode: 'INVALID_HOOK' }

export interface Webhook {
  readonly id: string
  readonly base: Base
  readonly secret: Buffer
  readonly notificationUrl: string | null
  readonly spec: WebhookSpec
  /** Each with the cursor that reads it. */
  payloads: { readonly cursor: number; readonly at: number; readonly json: JsonObject }[]
  nextCursor: number
  expiresAt: number
  isEnabled: boolean
  areNotificationsEnabled: boolean
  lastNotifiedAt: number | undefined
  lastNotificationResult: JsonObject | null
}

/** The webhooks of all bases: they live for 7 days, and what they heard is kept for 7 more. */
export class Webhooks {
  readonly #clock: Clock
  readonly #urls: FileUrls
  readonly #pinger: Pinger
  readonly #options: WebhookOptions
  readonly #hooks = new Map<string, Webhook>()
  readonly #observers = new Map<Base, Disposable>()

  constructor(parts: { clock: Clock; urls: FileUrls; pinger: Pinger; options: WebhookOptions }) {
    this.#clock = parts.clock
    this.#urls = parts.urls
    this.#pinger = parts.pinger
    this.#options = parts.options
  }

  /** Answers `POST /v0/bases/{baseId}/webhooks`: the only time that the secret is told. */
  create(base: Base, body: Json): JsonObject {
    if (base.permissionLevel !== 'create') throw forbidden()
    if (!isObject(body)) throw invalid('The body must be an object')
    const { notificationUrl = null, specification } = body
    if (notificationUrl !== null && !(typeof notificationUrl === 'string' && URL.canParse(notificationUrl))) {
      throw invalid('notificationUrl must be a URL')
    }
    const spec = readWebhookSpec(specification)
    checkWatched(base, spec)
    if (this.of(base).length >= MOST_OF_A_BASE) {
      throw new ApiError(422, 'TOO_MANY_WEBHOOKS_IN_BASE', `A base can have ${MOST_OF_A_BASE} webhooks`)
    }
    const hook: Webhook = {
      id: base.random.id('ach'),
      base,
      secret: Buffer.from(Array.from({ length: SECRET_BYTES }, () => base.random.whole(0, 255))),
      notificationUrl,
      spec,
      payloads: [],
      nextCursor: 1,
      expiresAt: this.#clock.now() + LIFE_MS,
      isEnabled: true,
      areNotificationsEnabled: true,
      lastNotifiedAt: undefined,
      lastNotificationResult: null,
    }
    this.#hooks.set(hook.id, hook)
    if (!this.#observers.has(base)) {
      this.#observers.set(
        base,
        base.observe((transaction) => this.#hear(base, transaction)),
      )
    }
    return { id: hook.id, macSecretBase64: hook.secret.toString('base64'), expirationTime: isoTime(hook.expiresAt) }
  }

  of(base: Base): Webhook[] {
    this.#prune()
    return [...this.#hooks.values()].filter((hook) => hook.base === base)
  }

  list(base: Base): JsonObject {
    return { webhooks: this.of(base).map((hook) => this.#describe(hook)) }
  }

  /** Throws 404. */
  get(base: Base, id: string): Webhook {
    const hook = this.of(base).find((one) => one.id === id)
    if (hook === undefined) throw notFound()
    return hook
  }

  delete(base: Base, id: string): JsonObject {
    this.get(base, id)
    this.#hooks.delete(id)
    return {}
  }

  refresh(base: Base, id: string): JsonObject {
    const hook = this.get(base, id)
    if (this.#isExpired(hook)) throw invalid('The webhook has expired')
    hook.expiresAt = this.#clock.now() + LIFE_MS
    return { expirationTime: isoTime(hook.expiresAt) }
  }

  enableNotifications(base: Base, id: string, body: Json): JsonObject {
    const enable = isObject(body) ? body['enable'] : undefined
    if (typeof enable !== 'boolean') throw invalid('enable must be true or false')
    this.get(base, id).areNotificationsEnabled = enable
    return {}
  }

  /** Payloads that are no longer kept are passed over without a word: the cursor tells, by being further than expected. */
  listPayloads(base: Base, id: string, query: Readonly<Record<string, Json>>): JsonObject {
    const hook = this.get(base, id)
    const cursor = positive(query['cursor'] ?? '1', 'cursor')
    const limit = positive(query['limit'] ?? String(LARGEST_PAGE), 'limit')
    if (limit > LARGEST_PAGE) throw invalid(`limit must be at most ${LARGEST_PAGE}`)
    if (cursor > hook.nextCursor) throw invalid('cursor is after the last payload')
    if (!this.#isExpired(hook)) hook.expiresAt = Math.max(hook.expiresAt, this.#clock.now() + LIFE_MS)
    const ahead = hook.payloads.filter((payload) => payload.cursor >= cursor)
    const page = ahead.slice(0, limit)
    return {
      payloads: page.map(({ json }) => json),
      cursor: (page.at(-1)?.cursor ?? hook.nextCursor - 1) + 1,
      mightHaveMore: ahead.length > page.length,
      payloadFormat: 'v0',
    }
  }

  close(): void {
    for (const observer of this.#observers.values()) observer[Symbol.dispose]()
    this.#observers.clear()
  }

  #hear(base: Base, transaction: Transaction): void {
    for (const hook of this.of(base)) {
      if (!hook.isEnabled || this.#isExpired(hook)) continue
      const json = this.#payload(hook, transaction)
      if (json === undefined) continue
      hook.payloads.push({ cursor: hook.nextCursor, at: transaction.at, json })
      hook.nextCursor += 1
      this.#pinger.announce(hook)
    }
  }

  #payload(hook: Webhook, transaction: Transaction): JsonObject | undefined {
    if ([...watchedIds(hook.spec)].some((id) => transaction.lost.has(id))) {
      hook.isEnabled = false
      return errorPayload(transaction, hook.base, this.#options.invalidCode)
    }
    return payloadOf(transaction, hook.spec, {
      base: hook.base,
      urls: this.#urls,
      hasComputed: this.#options.computed === 'record',
    })
  }

  #describe(hook: Webhook): JsonObject {
    return {
      id: hook.id,
      areNotificationsEnabled: hook.areNotificationsEnabled,
      isHookEnabled: hook.isEnabled && !this.#isExpired(hook),
      cursorForNextPayload: hook.nextCursor,
      notificationUrl: hook.notificationUrl,
      expirationTime: isoTime(hook.expiresAt),
      lastSuccessfulNotificationTime: hook.lastNotifiedAt === undefined ? null : isoTime(hook.lastNotifiedAt),
      lastNotificationResult: hook.lastNotificationResult,
      specification: hook.spec.json,
    }
  }

  #isExpired(hook: Webhook): boolean {
    return this.#clock.now() >= hook.expiresAt
  }

  #prune(): void {
    const now = this.#clock.now()
    for (const hook of this.#hooks.values()) {
      hook.payloads = hook.payloads.filter(({ at }) => now - at < KEPT_MS)
      if (now >= hook.expiresAt + KEPT_MS) this.#hooks.delete(hook.id)
    }
  }
}

/** Throws 422 for ids that are not there. */
function checkWatched(base: Base, spec: WebhookSpec): void {
  const known = new Set(
    base.tables.flatMap((table) => [table.id, ...table.fields.map(({ id }) => id), ...table.views.map(({ id }) => id)]),
  )
  for (const id of watchedIds(spec)) if (!known.has(id)) throw invalid(`${id} is not in the base`)
}

function positive(value: Json, name: string): number {
  const number = Number(value)
  if (!Number.isInteger(number) || number < 1) throw invalid(`${name} must be a whole number from 1`)
  return number
}

function isoTime(time: number): string {
  return new Date(time).toISOString()
}
