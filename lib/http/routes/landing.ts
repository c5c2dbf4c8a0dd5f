import type { Context } from '../context.ts'
import { defineRoute, type Route } from '../route.ts'

const STYLE = `
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent) }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2.5rem auto; padding: 0 1.25rem }
  h1 { font-size: 1.6rem; margin: 0 } h1 small { font-weight: 400; opacity: .6 }
  code, pre { font: .875rem/1.5 ui-monospace, monospace }
  pre { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; overflow-x: auto }
  table { border-collapse: collapse; width: 100% }
  td { border-top: 1px solid var(--line); padding: .4rem .75rem .4rem 0; vertical-align: top }
  td:first-child { opacity: .6; width: 4rem }
`

/** `GET /`: says what this is to a person who opens it in a browser. */
export function landingRoutes(context: Context, others: readonly Route[]): Route[] {
  const rows = others.map(
    ({ method, path, summary }) =>
      `<tr><td><code>${method}</code></td><td><code>${escape(path)}</code></td><td>${escape(summary)}</td></tr>`,
  )
  const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Holdfast</title>
<style>${STYLE}</style></head><body>
<h1>Holdfast <small>${escape(context.version)}</small></h1>
<p>A mirror of slow upstreams that answers at once. All but <code>/</code>, <code>/docs</code>, <code>/health</code> and
<code>/ready</code> needs a key, in <code>X-API-Key</code> or <code>Authorization: Bearer</code>; the first start prints one.
<a href="/docs">How to use it</a>; for programs, <a href="/openapi.json">/openapi.json</a>.</p>
<pre>curl -H "X-API-Key: $KEY" 'http://this-host/fetch-data?limit=5'</pre>
<table>${rows.join('')}</table></body></html>
`
  return [
    defineRoute({
      method: 'GET',
      path: '/',
      scope: null,
      summary: 'This list',
      handle: ({ exchange }) =>
        exchange.send(200, ['Content-Type', 'text/html; charset=utf-8', 'Cache-Control', 'no-cache'], page),
    }),
  ]
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
