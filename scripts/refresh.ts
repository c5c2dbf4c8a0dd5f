/**
 * Asks a running Holdfast to sync, for a platform's cron job: `npx node scripts/refresh.ts [--wait] [source…]`.
 * Prints the run's id. With `--wait` it follows the run to its end. Exit codes: 0 done, 1 refused or failed,
 * 2 not well called.
 *
 *   HOLDFAST_HOSTPORT   where it listens inside the private network: `holdfast:10000`
 *   API_KEY             a key with scope `sync`
 *   REFRESH_TIMEOUT     seconds for everything, waiting included; 900 without it
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'

const ATTEMPT_MS = 15_000
const LOOK_EVERY_MS = 2000
const FIRST_RETRY_MS = 1000
const LONGEST_RETRY_MS = 15_000
/** Not `paused`: an interrupted run is taken up again by itself. */
const ENDED = new Set(['completed', 'failed', 'rejected', 'cancelled'])

interface RunView {
  readonly status: string
  readonly result?: string | null
  readonly error?: { readonly code: string; readonly message: string } | null
}

class Stop extends Error {
  readonly exitCode: number
  constructor(exitCode: number, message: string) {
    super(message)
    this.exitCode = exitCode
  }
}

try {
  await main()
} catch (error) {
  console.error(`refresh: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = error instanceof Stop ? error.exitCode : 1
}

async function main(): Promise<void> {
  const { sources, isWaiting } = readArguments()
  const base = readBase()
  const key = process.env['API_KEY']
  if (key === undefined || key === '') throw new Stop(2, 'API_KEY is not set; it must be a key with scope `sync`.')
  const deadline = AbortSignal.timeout(readTimeout() * 1000)
  const call = (path: string, method = 'GET') =>
    callUntil(deadline, new URL(path, base), { method, headers: { 'X-API-Key': key } })

  for (const source of sources) {
    const query = source === undefined ? '' : `?source=${encodeURIComponent(source)}`
    const answer = (await call(`/refresh${query}`, 'POST')) as { status?: string; run?: unknown }
    const { run } = answer
    if (typeof run !== 'string') throw new Stop(1, 'the answer names no run; is this Holdfast?')
    console.log(`${run} ${answer.status ?? ''}`.trim())
    if (isWaiting) await follow(run, call, deadline)
  }
}

async function follow(run: string, call: (path: string) => Promise<unknown>, deadline: AbortSignal): Promise<void> {
  for (;;) {
    const view = (await call(`/api/runs/${encodeURIComponent(run)}`)) as RunView
    if (ENDED.has(view.status)) {
      console.log(`${run} ${view.status}${view.result ? ` (${view.result})` : ''}`)
      if (view.status === 'completed') return
      throw new Stop(1, `run ${run} was ${view.status}${view.error ? `: ${view.error.message}` : '.'}`)
    }
    await sleep(LOOK_EVERY_MS, undefined, { signal: deadline }).catch(() => {
      throw new Stop(1, `run ${run} is still ${view.status}; the time is up. It goes on without us.`)
    })
  }
}

/** Tries again, later each time, while nobody listens (a deploy is under way) or the server says to. */
async function callUntil(deadline: AbortSignal, url: URL, request: RequestInit): Promise<unknown> {
  for (let wait = FIRST_RETRY_MS; ; wait = Math.min(wait * 2, LONGEST_RETRY_MS)) {
    let trouble: string
    try {
      const signal = AbortSignal.any([deadline, AbortSignal.timeout(ATTEMPT_MS)])
      const response = await fetch(url, { ...request, signal, redirect: 'error' })
      if (response.ok) return await response.json()
      trouble = await describe(response)
      if (response.status !== 429 && response.status < 502) throw new Stop(1, `${url.pathname} was refused: ${trouble}`)
    } catch (error) {
      if (error instanceof Stop) throw error
      trouble = reasonOf(error)
    }
    const pause = wait * (0.5 + Math.random() / 2)
    await sleep(pause, undefined, { signal: deadline }).catch(() => {
      throw new Stop(1, `${url.host} gave no good answer in time; the last was: ${trouble}`)
    })
  }
}

async function describe(response: Response): Promise<string> {
  const problem = (await response.json().catch(() => undefined)) as { code?: string; detail?: string } | undefined
  return `${response.status} ${problem?.code ?? response.statusText}${problem?.detail ? `: ${problem.detail}` : ''}`
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message
}

function readArguments(): { sources: readonly (string | undefined)[]; isWaiting: boolean } {
  try {
    const { values, positionals } = parseArgs({ options: { wait: { type: 'boolean' } }, allowPositionals: true })
    return { sources: positionals.length > 0 ? positionals : [undefined], isWaiting: values.wait === true }
  } catch (error) {
    throw new Stop(2, `${error instanceof Error ? error.message : String(error)} Usage: refresh.ts [--wait] [source…]`)
  }
}

/** A platform hands over host and port; the URL is put together here, as its file cannot. */
function readBase(): URL {
  const address = process.env['HOLDFAST_HOSTPORT'] ?? ''
  const url = URL.parse(/^https?:\/\//.test(address) ? address : `http://${address}`)
  if (address !== '' && url !== null && url.hostname !== '') return url
  throw new Stop(2, 'HOLDFAST_HOSTPORT is not set to host and port, such as `holdfast:10000`.')
}

function readTimeout(): number {
  const text = process.env['REFRESH_TIMEOUT'] || '900'
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : 0
  if (seconds >= 1) return seconds
  throw new Stop(2, 'REFRESH_TIMEOUT must be whole seconds, 1 to 999999.')
}
