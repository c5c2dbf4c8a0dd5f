/** As text of a page. */
export function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

export function code(text: string): string {
  return `<code>${escape(text)}</code>`
}

/** One line: code in backticks. */
export function inline(text: string): string {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 1 ? code(part) : escape(part)))
    .join('')
}

export function paragraphs(text: string): string {
  return text
    .split('\n\n')
    .filter((part) => part.trim() !== '')
    .map((part) => `<p>${inline(part)}</p>`)
    .join('\n')
}

const LINE = 72

/** JSON, what is short on one line; other text as it is. */
export function block(value: unknown): string {
  return `<pre><code>${escape(typeof value === 'string' ? value : json(value))}</code></pre>`
}

function json(value: unknown, indent = ''): string {
  const flat = JSON.stringify(value, null, 1).replaceAll(/\n\s*/g, ' ').replaceAll('[ ', '[').replaceAll(' ]', ']')
  if (typeof value !== 'object' || value === null || indent.length + flat.length <= LINE) return flat
  const deeper = `${indent}  `
  if (Array.isArray(value)) {
    return `[\n${value.map((one) => deeper + json(one, deeper)).join(',\n')}\n${indent}]`
  }
  const members = Object.entries(value).map(([name, one]) => `${deeper}${JSON.stringify(name)}: ${json(one, deeper)}`)
  return `{\n${members.join(',\n')}\n${indent}}`
}

/** A place on the page. */
export function anchor(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
}
