import type { Environment } from './environment.ts'
import type { Problems } from './problems.ts'
import { Unreadable } from './quantity.ts'
import { isWebUrl } from './variables.ts'

/** The URL that clients reach this server by; null where nothing tells. */
export function readPublicUrl(environment: Environment, problems: Problems): string | null {
  const [own, alias] = [
    environment.readOptional('PUBLIC_URL', readBaseUrl),
    environment.readOptional('WEBHOOK_PUBLIC_URL', readBaseUrl),
  ]
  if (own !== undefined && alias !== undefined && own !== alias) {
    problems.add('PUBLIC_URL, WEBHOOK_PUBLIC_URL', 'both are set and differ; keep PUBLIC_URL.')
  }
  return own ?? alias ?? environment.readOptional('RENDER_EXTERNAL_URL', readBaseUrl) ?? null
}

/** A URL that paths can be put behind, without a slash at its end. */
function readBaseUrl(text: string): string | Unreadable {
  const url = text.replace(/\/+$/, '')
  if (isWebUrl(url) && !/[?#]/.test(url)) return url
  return new Unreadable('an http or https URL without user name, password and query')
}
