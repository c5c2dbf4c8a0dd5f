import type { Context } from '../context.ts'
import { originOf } from '../origin.ts'
import { defineRoute, type Route } from '../route.ts'
import { routeAnchor } from '../route-anchor.ts'

/** As `/docs` has them, which takes longer to load than this page may. The first that fits counts. */
const GROUPS: readonly (readonly [name: string, paths: RegExp])[] = [
  ['Attachments', /^\/api\/attachments/],
  ['Exports', /^\/api\/(?:exports|tables\/:table\/export)/],
  ['Tables', /^\/(?:api\/tables|fetch-data|rest\/)/],
  ['Airtable', /^\/v0\//],
  ['Changes', /^\/api\/changes/],
  ['Schema', /^\/api\/(?:types|mappings|stats)/],
  ['Sync', /^\/(?:refresh|webhooks|api\/(?:refresh|sources|runs))/],
  ['Keys', /^\/api\/(?:keys|tickets)/],
  ['Operation', /^/],
]
const ORDER = ['Tables', 'Airtable', 'Changes', 'Attachments', 'Exports', 'Schema', 'Sync', 'Keys', 'Operation']

const STYLE = `
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent) }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2.5rem auto; padding: 0 1.25rem }
  h1 { font-size: 1.6rem; margin: 0 } h1 small { font-weight: 400; opacity: .6 }
  h2 { font-size: 1rem; margin: 2rem 0 .4rem }
  code, pre { font: .875rem/1.5 ui-monospace, monospace }
  pre { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; overflow-x: auto }
  a { color: light-dark(#0a5ea8, #7fb8f0); text-decoration: none } a:hover { text-decoration: underline }
  table { border-collapse: collapse; width: 100%; table-layout: fixed }
  td { border-top: 1px solid var(--line); padding: .35rem .75rem .35rem 0; vertical-align: top; overflow-wrap: anywhere }
  td:first-child { opacity: .6; width: 3.5rem } td:nth-child(2) { width: 19rem }
  @media (max-width: 40rem) { td:nth-child(2) { width: 45% } }
`

/** `GET /`: says what this is to a person who opens it in a browser. */
export function landingRoutes(context: Context, others: readonly Route[]): Route[] {
  const groups = Map.groupBy(others, ({ path }) => GROUPS.find(([, paths]) => paths.test(path))![0])
  const lists = ORDER.map((name) => `<h2>${name}</h2>\n<table>${listOf(groups.get(name) ?? [])}</table>\n`).join('')
  const pageFor = (origin: string) => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Holdfast</title>
<style>${STYLE}</style></head><body>
<h1>Holdfast <small>${escape(context.version)}</small></h1>
<p>A mirror of slow upstreams that answers at once. All but <code>/</code>, <code>/docs</code>, <code>/health</code> and
<code>/ready</code> needs a key, in <code>X-API-Key</code> or <code>Authorization: Bearer</code>; the first start prints one.
<a href="/docs">How to use it</a>; for programs, <a href="/openapi.json">/openapi.json</a>.</p>
<pre>curl -H "X-API-Key: $KEY" '${escape(origin)}/fetch-data?limit=5'</pre>
${lists}</body></html>
`
  return [
    defineRoute({
      method: 'GET',
      path: '/',
      scope: null,
      summary: 'This list',
      handle: ({ exchange }) =>
        exchange.send(
          200,
          ['Content-Type', 'text/html; charset=utf-8', 'Cache-Control', 'no-cache'],
          pageFor(originOf(exchange.request)),
        ),
    }),
  ]
}

/** What is there for completeness only comes last. */
function listOf(routes: readonly Route[]): string {
  const isLast = ({ path }: Route) => Number(path.startsWith('/rest/v1/rpc'))
  return routes
    .toSorted((a, b) => isLast(a) - isLast(b))
    .map((route) => {
      const path = `<a href="/docs#${routeAnchor(route)}"><code>${escape(route.path)}</code></a>`
      return `<tr><td><code>${route.method}</code></td><td>${path}</td><td>${escape(route.summary)}</td></tr>`
    })
    .join('\n')
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
