import { createHmac } from 'node:crypto'

/** As long as Airtable waits. */
const ANSWER_WITHIN_MS = 25_000

export interface PingResult {
  /** Null: nobody answered. */
  readonly status: number | null
  /** What came of it, for people. */
  readonly text: string
}

/** Tells a server what Airtable would tell it when something changed in a base. */
export async function sendPing(ping: {
  readonly url: string
  readonly baseId: string
  readonly hook: { readonly id: string; readonly macSecretBase64: string }
  readonly isUnsigned?: boolean
}): Promise<PingResult> {
  const { url, baseId, hook, isUnsigned = false } = ping
  const body = JSON.stringify({ base: { id: baseId }, webhook: { id: hook.id }, timestamp: new Date().toISOString() })
  const mac = createHmac('sha256', Buffer.from(hook.macSecretBase64, 'base64')).update(body).digest('hex')
  const began = performance.now()
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        ...(!isUnsigned && { 'X-Airtable-Content-MAC': `hmac-sha256=${mac}` }),
      },
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    })
    await response.body?.cancel()
    return { status: response.status, text: `${response.status} after ${Math.round(performance.now() - began)} ms` }
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error)
    return { status: null, text: `no answer: ${cause.message}` }
  }
}
