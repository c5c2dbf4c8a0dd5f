/** The ticket itself, and where a reader goes on: that changes with each reconnect. */
const FREE = new Set(['ticket', 'since'])

/** A path and query as what a ticket is good for: equal where they ask for the same, however it is encoded. */
export function targetText(path: string, query: string): string {
  const asked = [...new URLSearchParams(query)].filter(([name]) => !FREE.has(name))
  return JSON.stringify([path, asked])
}

/** The value of `ticket` in a query, and the query without it. */
export function splitTicket(query: string): { readonly ticket: string | undefined; readonly rest: string } {
  if (!query.includes('ticket=')) return { ticket: undefined, rest: query }
  const parts = query.split('&')
  const found = parts.filter((part) => part.startsWith('ticket='))
  const rest = parts.filter((part) => !part.startsWith('ticket=')).join('&')
  // Two of them are none that was ever given out.
  return { ticket: found.length === 0 ? undefined : found.map((part) => part.slice('ticket='.length)).join(','), rest }
}
