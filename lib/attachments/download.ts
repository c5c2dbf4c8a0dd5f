import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { Failure } from '../errors.ts'
import type { FileFacts } from '../files.ts'
import { Deadline, type DeadlineLimits } from './deadline.ts'

export interface DownloadLimits extends DeadlineLimits {
  readonly maxRedirects: number
  /** Of a file whose size nobody knows beforehand. */
  readonly maxBytes: number
}

export const DOWNLOAD_LIMITS: DownloadLimits = {
  stallMs: 30_000,
  minBytesPerSecond: 20_000,
  graceMs: 60_000,
  maxRedirects: 5,
  maxBytes: 5 * 2 ** 30,
}

export interface Download {
  readonly url: string
  /** Where the bytes go: a file that is not there yet. It may be left behind when this fails. */
  readonly path: string
  /** How many there must be; null: nobody knows. */
  readonly bytes: number | null
  readonly limits: DownloadLimits
  readonly signal: AbortSignal
}

/**
 * Fetches a file and writes it to disk as it comes: however large it is, a few pieces are in memory. Resolves when all
 * of it is synced to disk, with as many bytes as it must have.
 *
 * @throws Failure `upstream_refused` (another offer may help), `upstream_unavailable`, `upstream_malformed`,
 *   `disk_failed`; or the signal's reason. None of them holds the URL
 */
export async function download({ url, path, bytes, limits, signal }: Download): Promise<FileFacts> {
  using deadline = new Deadline(limits, { bytes: bytes ?? limits.maxBytes, signal })
  try {
    await using file = await open(path, 'wx')
    const response = await get(url, limits.maxRedirects, deadline.signal)
    const body = bodyOf(response, bytes)
    const digest = createHash('sha256')
    const most = bytes ?? limits.maxBytes
    let count = 0
    const measured = async function* (): AsyncGenerator<Uint8Array, void> {
      for await (const chunk of body) {
        deadline.touch()
        count += chunk.length
        if (count > most) throw wrongSize(bytes, `more than ${most}`)
        digest.update(chunk)
        yield chunk
      }
      if (bytes !== null && count !== bytes) throw wrongSize(bytes, String(count))
    }
    await file.writeFile(measured(), { signal: deadline.signal })
    await file.sync()
    return { bytes: count, sha256: digest.digest('base64') }
  } catch (error) {
    signal.throwIfAborted()
    throw deadline.signal.aborted ? deadline.signal.reason : asFailure(error)
  }
}

/** Follows redirects, a few, and only from http to https if to another scheme at all. */
async function get(first: string, maxRedirects: number, signal: AbortSignal): Promise<Response> {
  let url = webUrl(first, undefined)
  for (let hop = 0; ; hop++) {
    // Compressed, its length would say nothing. No key goes out: whoever has the URL may read the file.
    const response = await fetch(url, { redirect: 'manual', headers: { 'Accept-Encoding': 'identity' }, signal })
    const location = response.headers.get('location')
    const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null
    if (response.status === 200) return response
    await response.body?.cancel().catch(() => undefined)
    if (!isRedirect) throw refusal(response)
    if (hop === maxRedirects) throw malformed(`The upstream redirected more than ${maxRedirects} times.`)
    url = webUrl(location, url)
  }
}

function webUrl(text: string, base: URL | undefined): URL {
  const url = URL.parse(text, base?.href)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw malformed('The upstream offered a file at an address that is none of http or https.')
  }
  if (base?.protocol === 'https:' && url.protocol === 'http:') {
    throw malformed('The upstream redirected from https to http.')
  }
  return url
}

function bodyOf(response: Response, bytes: number | null): ReadableStream<Uint8Array> | AsyncIterable<Uint8Array> {
  const isPlain = response.headers.get('content-encoding') === null
  const length = isPlain ? response.headers.get('content-length') : null
  if (bytes !== null && length !== null && Number(length) !== bytes) {
    void response.body?.cancel().catch(() => undefined)
    throw wrongSize(bytes, length)
  }
  if (bytes === null && length === null && response.headers.get('transfer-encoding') === null) {
    void response.body?.cancel().catch(() => undefined)
    throw malformed('The upstream said nowhere how large the file is: whether it is whole cannot be told.')
  }
  return response.body ?? (async function* () {})()
}

function refusal({ status, headers }: Response): Failure {
  const facts = { status }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const seconds = Number(headers.get('retry-after'))
    return new Failure('upstream_unavailable', `The upstream answered ${status} for the file.`, {
      facts: { ...facts, ...(seconds > 0 && { retry_after_seconds: Math.min(600, seconds) }) },
    })
  }
  if (status >= 400) {
    return new Failure('upstream_refused', `The upstream answered ${status} for the file.`, { facts })
  }
  return malformed(`The upstream answered ${status} for the file.`)
}

function wrongSize(expected: number | null, found: string): Failure {
  if (expected === null) return malformed(`The file has ${found} bytes, which is more than is mirrored.`)
  return malformed(`The file should have ${expected} bytes; what came had ${found}.`)
}

function malformed(message: string): Failure {
  return new Failure('upstream_malformed', message)
}

const DISK_CALLS = new Set(['open', 'write', 'fsync', 'close', 'mkdir', 'rename', 'statfs', 'stat'])

/** What fetch and the disk throw, in our words. */
function asFailure(error: unknown): unknown {
  if (error instanceof Failure || !(error instanceof Error)) return error
  const { syscall, code } = error as NodeJS.ErrnoException
  if (syscall !== undefined && DISK_CALLS.has(syscall)) {
    return new Failure('disk_failed', `The disk refused an operation (${code}): a file could not be written.`, {
      facts: { cause: code ?? 'unknown' },
      cause: error,
    })
  }
  const reason = codeOf(error.cause) ?? codeOf(error)
  return new Failure('upstream_unavailable', `The file could not be fetched (${reason ?? 'the connection broke'}).`)
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
