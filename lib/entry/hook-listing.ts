import { textTable } from '../base/text-table.ts'
import type { ListedHook } from '../sources/airtable/listed-hook.ts'

const HEAD = ['id', 'whose', 'state', 'tells', 'expires', 'last time']

/** The webhooks of a base as a table for people; `own` is the id of the source's. */
export function hookTable(hooks: readonly ListedHook[], own: string | undefined): string {
  if (hooks.length === 0) return 'The base has no webhook.\n'
  return textTable([HEAD, ...hooks.map((hook) => rowOf(hook, own))])
}

/** The same for programs, one line each. */
export function hookLines(hooks: readonly ListedHook[], own: string | undefined): string {
  return hooks.map((hook) => `${JSON.stringify(wireOf(hook, own))}\n`).join('')
}

function wireOf(hook: ListedHook, own: string | undefined) {
  return {
    id: hook.id,
    own: hook.id === own,
    notification_url: hook.notificationUrl,
    enabled: hook.isEnabled,
    notifies: hook.areNotificationsEnabled,
    expires_at: hook.expiresAt === null ? null : new Date(hook.expiresAt).toISOString(),
    next_payload: hook.next,
    last_result: hook.lastResult ?? null,
  }
}

function rowOf(hook: ListedHook, own: string | undefined): string[] {
  const { success } = (hook.lastResult ?? {}) as { success?: unknown }
  return [
    hook.id,
    hook.id === own ? 'own' : 'other',
    hook.isEnabled ? (hook.areNotificationsEnabled ? 'on' : 'silent') : 'off',
    hook.notificationUrl ?? '-',
    hook.expiresAt === null ? '-' : `${new Date(hook.expiresAt).toISOString().slice(0, 16)}Z`,
    typeof success === 'boolean' ? (success ? 'taken' : 'failed') : '-',
  ]
}
