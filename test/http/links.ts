/** The targets of a `Link` header by their relations (RFC 8288). */
export function parseLinks(header: string | null): ReadonlyMap<string, string> {
  const links = [...(header ?? '').matchAll(/<([^>]*)>; rel="([^"]*)"/g)]
  return new Map(links.map(([, target, relation]) => [relation!, target!]))
}
