import type { OpenApiDocument, Operation, Parameter, Reference, RequestExample, Response } from './document-types.ts'
import { NO_ORIGIN } from '../origin.ts'
import { routeAnchor } from '../route-anchor.ts'
import { COMMON_HEADERS, RATE_HEADERS, type HeaderName } from './headers.ts'
import { kindOf, schemaSection } from './page-schemas.ts'
import { STYLE } from './page-style.ts'
import { ROUTE_DOCS } from './routes/index.ts'
import { anchor, block, code, escape, inline, paragraphs } from './page-text.ts'

interface Place {
  readonly method: 'get' | 'post'
  readonly path: string
  readonly operation: Operation
}

const COMMON = ['bad_request', 'unknown_parameter', 'unauthorized', 'forbidden', 'rate_limited', 'internal']
const SILENT_HEADERS = [...COMMON_HEADERS, ...RATE_HEADERS]
const COMMON_TEXT =
  'Failures that are not listed again below, since all that need a key can have them: 400 `bad_request` and `unknown_parameter`, 401 `unauthorized`, 403 `forbidden`, 429 `rate_limited`, 500 `internal`.'

/** A document as a page to read: one file, nothing to load, no script. Examples are for `NO_ORIGIN`. */
export function docsPage(document: OpenApiDocument): string {
  const places = placesOf(document)
  const { title, version, description } = document.info
  const tags = document.tags.map((tag) => ({
    ...tag,
    places: places.filter(({ operation }) => operation.tags[0] === tag.name),
  }))
  const sections = tags.map(
    ({ name, description: about, places: own }) =>
      `<section><h2 id="${anchor(name)}">${escape(name)}</h2>\n<p>${inline(about)}</p>\n${own.map((place) => article(place, document)).join('\n')}</section>`,
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)} ${escape(version)}: the interface</title><style>${STYLE}</style></head><body><div class="page">
<nav><a href="/">${escape(title)}</a>${tags.map(({ name, places: own }) => navigation(name, own)).join('')}
<strong><a href="#schemas">Schemas</a></strong></nav>
<main><h1>${escape(title)} <small>${escape(version)}</small></h1>
${paragraphs(description)}
${paragraphs(COMMON_TEXT)}
<p>For programs: <a href="/openapi.json">/openapi.json</a> (with a key).</p>
${sections.join('\n')}
${schemaSection(document)}
<footer>What is shown is the embedded sample: <code>cities</code>.</footer></main></div></body></html>
`
}

/** In the order in which routes are written about. */
function placesOf({ paths }: OpenApiDocument): Place[] {
  const order = Object.values(ROUTE_DOCS).map(({ id }) => id)
  const rank = ({ operation }: Place) => order.indexOf(operation.operationId)
  const all = Object.entries(paths).flatMap(([path, item]) =>
    (['get', 'post'] as const).flatMap((method) => {
      const operation = item[method]
      return operation ? [{ method, path, operation }] : []
    }),
  )
  return all.toSorted((a, b) => rank(a) - rank(b))
}

function navigation(tag: string, places: readonly Place[]): string {
  const links = places.map(
    ({ method, path, operation }) =>
      `<li><a href="#${anchor(operation.operationId)}">${badge(method)}${code(path)}</a></li>`,
  )
  return `<strong><a href="#${anchor(tag)}">${escape(tag)}</a></strong><ul>${links.join('')}</ul>`
}

function badge(method: string): string {
  return `<span class="method ${method}">${method.toUpperCase()}</span>`
}

function article({ method, path, operation }: Place, document: OpenApiDocument): string {
  const [scope] = Object.values(operation.security[0] ?? {})
  const needs = scope ? `scope ${scope.join()}` : 'no key'
  const place = routeAnchor({ method: method === 'get' ? 'GET' : 'POST', path })
  return `<article id="${anchor(operation.operationId)}"><h3 id="${place}">${badge(method)}${code(path)}<span class="scope">${escape(needs)}</span></h3>
${paragraphs(operation.description)}
${parametersOf(operation.parameters ?? [], document)}
${bodyOf(operation)}
${requestsOf(operation)}
${answersOf(operation, document)}</article>`
}

function parametersOf(all: readonly (Parameter | Reference)[], document: OpenApiDocument): string {
  const rows = all.map((one) => {
    const { name, in: where, schema, description = '' } = parameterOf(one, document)
    const place = where === 'query' ? '' : ` <span class="kind">${where}</span>`
    return `<tr><th>${code(name)}${place}</th><td>${inline(description)} <span class="kind">${kindOf(schema)}</span></td></tr>`
  })
  return rows.length === 0 ? '' : `<h4>Parameters</h4><table>${rows.join('')}</table>`
}

function parameterOf(one: Parameter | Reference, { components }: OpenApiDocument): Parameter {
  return '$ref' in one ? components.parameters[lastOf(one.$ref)]! : one
}

function bodyOf({ requestBody }: Operation): string {
  const media = requestBody?.content['application/json']
  return media?.schema ? `<h4>Body</h4><p>JSON, and may be left out: ${kindOf(media.schema)}</p>` : ''
}

function requestsOf({ 'x-examples': examples = [], security }: Operation): string {
  const isOpen = security.length === 0
  const show = ({ summary, failure, ...request }: RequestExample) =>
    `<div class="example"><span>${inline(summary)}${failure === undefined ? '' : `: ${code(failure)}`}</span>${block(curl(request, isOpen))}</div>`
  const good = examples.filter(({ failure }) => failure === undefined).map(show)
  const failing = examples.filter(({ failure }) => failure !== undefined).map(show)
  return (
    (good.length === 0 ? '' : `<h4>Requests</h4>${good.join('')}`) +
    (failing.length === 0 ? '' : `<details><summary>Requests that fail</summary>${failing.join('')}</details>`)
  )
}

/** A line to try a request with. */
function curl({ method, path, headers = {}, body, type }: Omit<RequestExample, 'summary'>, isOpen: boolean): string {
  const options = [
    ...(type === 'text/event-stream' ? ['-N'] : []),
    ...(method === 'POST' ? ['-X POST'] : []),
    ...(isOpen ? [] : ['-H "X-API-Key: $KEY"']),
    ...Object.entries(headers).map(([name, value]) => `-H '${name}: ${value}'`),
    ...(body === undefined ? [] : [`-H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`]),
  ]
  return `curl ${options.map((option) => `${option} `).join('')}'${NO_ORIGIN}${path.replaceAll("'", '%27')}'`
}

function answersOf({ responses }: Operation, document: OpenApiDocument): string {
  const rows = Object.entries(responses)
    .toSorted(([a], [b]) => Number(a) - Number(b))
    .map(([status, one]) => {
      const response = '$ref' in one ? document.components.responses[lastOf(one.$ref)]! : one
      const about = '$ref' in one ? specificFailures(response.description) : response.description
      if (about === '') return ''
      const content = '$ref' in one ? '' : contentOf(response)
      return `<tr><th><code>${status}</code></th><td>${paragraphs(about)}${content}</td></tr>`
    })
  return `<h4>Answers</h4><table>${rows.join('')}</table>`
}

/** Without those that every route can answer with: the page says so once. */
function specificFailures(description: string): string {
  return description
    .split('\n\n')
    .filter((line) => !COMMON.some((common) => line.startsWith(`\`${common}\``)))
    .join('\n\n')
}

function contentOf({ content = {}, headers = {} }: Response): string {
  const types = Object.entries(content).map(([type, { schema, examples = {}, 'x-frames': frames }], place) => {
    const kind = frames ? kindOf(frames) : schema?.$ref ? kindOf(schema) : ''
    const shown = Object.values(examples).map(
      ({ summary, value }, index) =>
        `<details${place + index === 0 ? ' open' : ''}><summary>${inline(summary)}</summary>${block(value)}</details>`,
    )
    return `<p class="kind">${code(type)} ${kind}</p>${shown.join('')}`
  })
  const names = Object.keys(headers).filter((name) => !SILENT_HEADERS.includes(name as HeaderName))
  return types.join('') + (names.length === 0 ? '' : `<p class="kind">Headers: ${names.map(escape).join(', ')}</p>`)
}

function lastOf(ref: string): string {
  return ref.slice(ref.lastIndexOf('/') + 1)
}
