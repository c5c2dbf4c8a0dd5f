import type { JsonValue } from '../../column.ts'

/** The members of a JSON object; none of anything else. */
export function membersOf(value: JsonValue | undefined): Readonly<Record<string, JsonValue | undefined>> {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Readonly<Record<string, JsonValue>>) : {}
}
