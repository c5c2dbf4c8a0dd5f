import { randomBytes } from 'node:crypto'
import { Failure, toFailure } from '../../errors.ts'
import type { KnownWebhook } from '../../webhook.ts'
import type { Context } from '../context.ts'
import { FailedAttempts } from '../rate-limit.ts'
import { defineRoute, type Call, type Route } from '../route.ts'
import { isSignedWith, macOf } from '../webhook-signature.ts'

const MAC_HEADER = 'x-airtable-content-mac'
const TELL_EVERY_MS = 60_000

/**
 * `POST /webhooks/airtable/:source`: where Airtable says that something changed. It tells no more than that, so however
 * often it is told, what follows is one run: an old ping or one that comes twice does no harm.
 */
export function webhookRoutes(context: Context): Route[] {
  const pings = new Pings(context)
  return [
    defineRoute({
      method: 'POST',
      path: '/webhooks/airtable/:source',
      scope: null,
      takesBytes: true,
      summary: 'For Airtable: says, signed, that a base has changed',
      handle: (call) => pings.take(call),
    }),
  ]
}

class Pings {
  readonly #context: Context
  readonly #failed: FailedAttempts
  /** Where there is no webhook the same is done with this, so that the time it takes does not tell. */
  readonly #nobodys = randomBytes(32)
  readonly #toldAt = new Map<string, number>()

  constructor(context: Context) {
    this.#context = context
    this.#failed = new FailedAttempts(context.clock)
  }

  async take({ exchange, params, bytes }: Call): Promise<void> {
    const source = params.source!
    const mac = macOf(exchange.header(MAC_HEADER))
    const webhook = mac && this.#context.webhookOf(source)
    const isSigned = mac !== undefined && isSignedWith(webhook?.secret ?? this.#nobodys, bytes, mac)
    if (webhook === undefined || !isSigned || !isOf(webhook, bytes)) {
      if (webhook !== undefined) this.#tell(source)
      this.#failed.count(exchange.request.socket.remoteAddress ?? '', 'without a valid signature')
      throw new Failure('bad_signature', 'This is not signed by a webhook that Holdfast has made here.')
    }
    if (webhook.isFollowed) await this.#request(source)
    exchange.empty(204)
  }

  /** @throws Failure `ping_not_recorded`, upon which the sender tries again */
  async #request(source: string): Promise<void> {
    const { engine, log } = this.#context
    try {
      await engine.request(source, 'webhook')
    } catch (error) {
      const { code, message, cause } = toFailure(error)
      // Whoever starts it again has it look at all that happened since.
      if (code === 'source_paused') return
      log.error({ source, code, reason: message, err: cause }, 'a ping could not be recorded')
      throw new Failure('ping_not_recorded', 'No run could be asked for. Send it again later.', { cause: error })
    }
  }

  /** A webhook whose pings are all refused looks like one that never fires. */
  #tell(source: string): void {
    const { clock, log } = this.#context
    const now = clock.now()
    if (Math.abs(now - (this.#toldAt.get(source) ?? -Infinity)) < TELL_EVERY_MS) return
    this.#toldAt.set(source, now)
    log.warn({ source }, 'a ping was refused: the webhook that is kept here has not signed it')
  }
}

/** Whether a ping speaks of this webhook: `{"base":{"id"},"webhook":{"id"},"timestamp"}`. */
function isOf({ baseId, id }: KnownWebhook, bytes: Buffer): boolean {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const { base, webhook } = JSON.parse(text) as { base?: { id?: unknown }; webhook?: { id?: unknown } }
    return base?.id === baseId && webhook?.id === id
  } catch {
    return false
  }
}
