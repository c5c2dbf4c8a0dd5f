import type { JsonValue } from '../../column.ts'
import { Failure } from '../../errors.ts'
import type { SourceMemory } from '../../source-parts.ts'
import type { AirtableClient, CallOptions } from './client.ts'
import { membersOf } from './members.ts'
import { batchIn, type Batch } from './payloads.ts'
import { hearsAll, listedHook, SPECIFICATION, timeOf, type ListedHook } from './listed-hook.ts'
import { Refusal } from './refusal.ts'

/** Airtable lets one live for a week from the last time that somebody cared. */
const RENEW_BEFORE_MS = 3.5 * 86_400_000
/** How often making one is tried again when Airtable did not say whether it did. */
const MAX_ATTEMPTS = 3

/** The webhook of this source, as its memory holds it. Times are epoch milliseconds, by Airtable's clock. */
export interface KnownHook {
  readonly id: string
  readonly macSecretBase64: string
  /** Null: Airtable did not say. */
  readonly expiresAt: number | null
  /** Where it tells of changes; null: it is asked. */
  readonly notificationUrl: string | null
}

type Options = Omit<CallOptions, 'doing'>

/** The webhooks of a base, and the one among them that is this source's. Each method says how many calls it makes. */
export class Webhooks {
  readonly #client: AirtableClient
  readonly #memory: SourceMemory
  readonly #path: string
  readonly notificationUrl: string | null

  constructor(
    client: AirtableClient,
    options: { baseId: string; memory: SourceMemory; notificationUrl: string | null },
  ) {
    this.#client = client
    this.#memory = options.memory
    this.#path = `bases/${encodeURIComponent(options.baseId)}/webhooks`
    this.notificationUrl = options.notificationUrl
  }

  get known(): KnownHook | undefined {
    const { webhook } = membersOf(this.#memory.read())
    const { id, macSecretBase64, expiresAt, notificationUrl } = membersOf(webhook)
    if (typeof id !== 'string' || typeof macSecretBase64 !== 'string') return undefined
    return {
      id,
      macSecretBase64,
      expiresAt: typeof expiresAt === 'number' ? expiresAt : null,
      notificationUrl: typeof notificationUrl === 'string' ? notificationUrl : null,
    }
  }

  /** One call. */
  async list(options: Options): Promise<ListedHook[]> {
    const answer = await this.#client.call({ method: 'GET', path: this.#path }, { ...options, doing: 'list webhooks' })
    const { webhooks } = answer
    if (!Array.isArray(webhooks)) {
      throw new Failure('upstream_malformed', 'Airtable listed its webhooks in a way that is not known here.')
    }
    return (webhooks as readonly JsonValue[]).map(listedHook)
  }

  /**
   * Sees to it that there is one that works, and no other that tells the same URL: what is broken, or whose secret is not
   * known, is deleted. Gives its id and the number of the payload that comes next. One call where all is well; two to
   * make it.
   *
   * @throws `Refusal` where the token may not, or there are too many
   */
  async ensure(options: Options): Promise<{ hook: string; next: number }> {
    for (let attempt = 1; ; attempt++) {
      const listed = await this.list(options)
      const own = this.#ownOf(listed)
      for (const other of this.#strayOf(listed, own)) await this.delete(other.id, options)
      if (own !== undefined) {
        await this.#care(own, options)
        return { hook: own.id, next: own.next }
      }
      try {
        const made = await this.create(options)
        return { hook: made.id, next: 1 }
      } catch (error) {
        // Perhaps it was made, and only the answer was lost: then it is found, and deleted, since its secret was lost too.
        const isUnclear = error instanceof Failure && error.code === 'upstream_unavailable'
        if (!isUnclear || attempt === MAX_ATTEMPTS) throw error
      }
    }
  }

  /** One call, whose answer alone tells the secret. */
  async create(options: Options): Promise<KnownHook> {
    const { notificationUrl } = this
    const body = { ...(notificationUrl !== null && { notificationUrl }), specification: SPECIFICATION }
    const answer = await this.#client.call(
      { method: 'POST', path: this.#path, body },
      { ...options, isOnce: true, doing: 'make a webhook, which needs the scope webhook:manage' },
    )
    const { id, macSecretBase64, expirationTime } = answer
    if (typeof id !== 'string' || typeof macSecretBase64 !== 'string') {
      throw new Failure(
        'upstream_malformed',
        'Airtable made a webhook, and told of it in a way that is not known here.',
      )
    }
    const made = { id, macSecretBase64, expiresAt: timeOf(expirationTime), notificationUrl }
    this.#remember(made)
    return made
  }

  /** One call. One that is not there is deleted already. */
  async delete(id: string, options: Options): Promise<void> {
    const path = `${this.#path}/${encodeURIComponent(id)}`
    try {
      await this.#client.call({ method: 'DELETE', path }, { ...options, doing: `delete webhook ${id}` })
    } catch (error) {
      if (!(error instanceof Refusal) || error.httpStatus !== 404) throw error
    }
    if (this.known?.id === id) this.#remember(undefined)
  }

  /** Makes the known one live on where that is due. No call, or one. @throws `Refusal` when it is gone */
  async renew(options: Options): Promise<void> {
    const { known } = this
    if (known === undefined || known.expiresAt === null) return
    if (known.expiresAt - this.#client.upstreamNow < RENEW_BEFORE_MS) await this.#refresh(known, options)
  }

  /** One page of payloads from this number on. One call, which makes the webhook live on. */
  async payloads(id: string, from: number, options: Options): Promise<Batch> {
    const path = `${this.#path}/${encodeURIComponent(id)}/payloads`
    const doing = `list the payloads of webhook ${id}`
    return batchIn(
      await this.#client.call({ method: 'GET', path, query: { cursor: from } }, { ...options, doing }),
      from,
    )
  }

  /** The one whose secret is known; where there is no URL it needs none, so any that hears the same will do. */
  #ownOf(listed: readonly ListedHook[]): ListedHook | undefined {
    const { known, notificationUrl } = this
    const isGood = (hook: ListedHook) => hook.isEnabled && hook.notificationUrl === notificationUrl
    const own = listed.find((hook) => hook.id === known?.id && isGood(hook))
    return own ?? (notificationUrl === null ? listed.find((hook) => isGood(hook) && hearsAll(hook)) : undefined)
  }

  #strayOf(listed: readonly ListedHook[], own: ListedHook | undefined): ListedHook[] {
    const { known, notificationUrl } = this
    return listed.filter(
      (hook) =>
        hook.id !== own?.id &&
        (hook.id === known?.id || (notificationUrl !== null && hook.notificationUrl === notificationUrl)),
    )
  }

  async #care(own: ListedHook, options: Options): Promise<void> {
    const { known } = this
    const secret = known?.id === own.id ? known.macSecretBase64 : ''
    const hook: KnownHook = {
      id: own.id,
      macSecretBase64: secret,
      expiresAt: own.expiresAt,
      notificationUrl: own.notificationUrl,
    }
    if (known?.id !== hook.id || known.expiresAt !== hook.expiresAt) this.#remember(hook)
    await this.renew(options)
    if (own.areNotificationsEnabled || own.notificationUrl === null) return
    const path = `${this.#path}/${encodeURIComponent(own.id)}/enableNotifications`
    const doing = `let webhook ${own.id} tell of changes again`
    await this.#client.call({ method: 'POST', path, body: { enable: true } }, { ...options, doing })
  }

  async #refresh(known: KnownHook, options: Options): Promise<void> {
    const path = `${this.#path}/${encodeURIComponent(known.id)}/refresh`
    const doing = `let webhook ${known.id} live on`
    const answer = await this.#client.call({ method: 'POST', path, body: {} }, { ...options, doing })
    this.#remember({ ...known, expiresAt: timeOf(answer['expirationTime']) })
  }

  #remember(webhook: KnownHook | undefined): void {
    const { webhook: _before, ...others } = membersOf(this.#memory.read())
    this.#memory.write({ ...others, ...(webhook && { webhook: { ...webhook } }) })
  }
}
