import type { JsonValue } from './column.ts'

/**
 * The webhook by which an upstream tells of changes, as the source that made it keeps it in its memory (`SourceMemory`):
 * `{ "webhook": { "id", "macSecretBase64", "expiresAt", "notificationUrl" } }`.
 */
export interface KeptWebhook {
  readonly id: string
  /** What its notifications are signed with. */
  readonly secret: Buffer
}

/** What a notification is held against. */
export interface KnownWebhook extends KeptWebhook {
  /** What the upstream says it belongs to, such as Airtable's `app…`. */
  readonly baseId: string
  /** Whether the source is configured to follow it; else it is one that is left from before. */
  readonly isFollowed: boolean
}

/** The webhook in what a source keeps; undefined where there is none, or none that could be checked. */
export function webhookIn(memory: JsonValue | undefined): KeptWebhook | undefined {
  const { webhook } = membersOf(memory)
  const { id, macSecretBase64 } = membersOf(webhook)
  if (typeof id !== 'string' || typeof macSecretBase64 !== 'string') return undefined
  const secret = Buffer.from(macSecretBase64, 'base64')
  // Anybody could sign with an empty one.
  return id === '' || secret.length === 0 ? undefined : { id, secret }
}

function membersOf(value: JsonValue | undefined): Readonly<Record<string, JsonValue | undefined>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Readonly<Record<string, JsonValue>>) : {}
}
