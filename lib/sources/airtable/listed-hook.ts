import type { JsonValue } from '../../column.ts'
import { membersOf } from './members.ts'

/** What a webhook of ours hears: everything. */
export const SPECIFICATION = { options: { filters: { dataTypes: ['tableData', 'tableFields', 'tableMetadata'] } } }

/** A webhook as Airtable lists it. */
export interface ListedHook {
  readonly id: string
  readonly notificationUrl: string | null
  readonly isEnabled: boolean
  readonly areNotificationsEnabled: boolean
  readonly next: number
  readonly expiresAt: number | null
  readonly specification: JsonValue | undefined
  readonly lastResult: JsonValue | undefined
}

export function listedHook(hook: JsonValue): ListedHook {
  const members = membersOf(hook)
  const { id, notificationUrl, cursorForNextPayload: next } = members
  return {
    id: typeof id === 'string' ? id : '',
    notificationUrl: typeof notificationUrl === 'string' ? notificationUrl : null,
    isEnabled: members['isHookEnabled'] !== false,
    areNotificationsEnabled: members['areNotificationsEnabled'] !== false,
    next: typeof next === 'number' ? next : 1,
    expiresAt: timeOf(members['expirationTime']),
    specification: members['specification'],
    lastResult: members['lastNotificationResult'],
  }
}

/** Whether it hears of everything in the base. */
export function hearsAll({ specification }: ListedHook): boolean {
  const filters = membersOf(membersOf(membersOf(specification)['options'])['filters'])
  const { dataTypes, ...narrower } = filters
  const heard = new Set(Array.isArray(dataTypes) ? (dataTypes as readonly JsonValue[]) : [])
  return SPECIFICATION.options.filters.dataTypes.every((type) => heard.has(type)) && Object.keys(narrower).length === 0
}

/** Epoch milliseconds. */
export function timeOf(value: unknown): number | null {
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? null : time
}
