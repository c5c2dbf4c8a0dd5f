import type { CallOptions } from './client.ts'
import type { Batch } from './payloads.ts'
import { Refusal } from './refusal.ts'
import type { State } from './state.ts'
import type { Webhooks } from './webhooks.ts'

/** How it is known what changes. */
export interface Following {
  /** Where payloads are read from; null: there is no webhook, and what was modified is looked for. */
  readonly payloads: State['payloads']
  /** The payloads that come next, as far as one call gave them. */
  readonly peeked: Batch | undefined
  /** Why payloads do not tell all that happened since; null: they do, or nobody follows them. */
  readonly gap: string | null
  readonly warnings: readonly string[]
}

export const NOT_FOLLOWED: Following = { payloads: null, peeked: undefined, gap: null, warnings: [] }

type Options = Omit<CallOptions, 'doing'>

/**
 * Goes on with the webhook that is known, and reads what it heard: one call. Where there is none, or it does not work any
 * more, another takes its place; what happened in between is then not known. `isFresh`: everything is read anyway.
 */
export async function followingOf(
  webhooks: Webhooks,
  { known, isFresh }: { known: State | undefined; isFresh: boolean },
  options: Options,
): Promise<Following> {
  const position = known?.payloads ?? null
  if (isFresh || position === null) {
    return await followAnew(webhooks, isFresh ? null : 'no webhook was followed so far', options)
  }
  const peeked = isOwn(webhooks, position.hook)
    ? await peek(webhooks, position, options)
    : 'the webhook is not known here'
  if (typeof peeked !== 'string') return { payloads: position, peeked, gap: null, warnings: [] }
  return await followAnew(webhooks, peeked, options)
}

/** Sees to it that there is a webhook, and begins behind what it has heard by now. */
export async function followAnew(webhooks: Webhooks, gap: string | null, options: Options): Promise<Following> {
  try {
    const payloads = await webhooks.ensure(options)
    return { payloads, peeked: undefined, gap, warnings: [] }
  } catch (error) {
    if (!isRefused(error)) throw error
    const warning = `Changes are looked for by when records were modified, since there can be no webhook: ${error.message}`
    return { ...NOT_FOLLOWED, warnings: [warning] }
  }
}

function isOwn({ known, notificationUrl }: Webhooks, hook: string): boolean {
  return known?.id === hook && known.notificationUrl === notificationUrl
}

/** The payloads that come next, or why there are none. */
async function peek(
  webhooks: Webhooks,
  { hook, next }: { hook: string; next: number },
  options: Options,
): Promise<Batch | string> {
  try {
    await webhooks.renew(options)
    const batch = await webhooks.payloads(hook, next, options)
    if (batch.gap === null) return batch
    await webhooks.delete(hook, options)
    return batch.gap
  } catch (error) {
    if (!isRefused(error)) throw error
    return `the webhook is gone (${error.httpStatus} ${error.type})`
  }
}

function isRefused(error: unknown): error is Refusal {
  return error instanceof Refusal && error.isOfOneThing
}
