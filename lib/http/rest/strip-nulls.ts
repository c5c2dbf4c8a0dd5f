/** Both are in every engine that runs this, and not yet in the types. */
const { parse, rawJSON } = JSON as unknown as {
  parse(
    text: string,
    reviver: (this: unknown, key: string, value: unknown, context: { source?: string }) => unknown,
  ): unknown
  rawJSON(text: string): unknown
}

/** JSON without the members that are null, at any depth. Numbers keep their digits, and lists their places. */
export function stripNulls(json: string): string {
  if (!json.includes('null')) return json
  return JSON.stringify(
    parse(json, function (_key, value, { source }) {
      if (value === null) return Array.isArray(this) ? null : undefined
      return typeof value === 'number' && source !== undefined ? rawJSON(source) : value
    }),
  )
}
