import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../lib/base/clock.ts'
import { ARRIVAL_JITTER_MS } from '../../lib/call-window.ts'
import { callLimiters } from '../../lib/sqlite/call-limiter.ts'
import { ControlDatabase } from '../../lib/sqlite/control-database.ts'
import { until } from '../support/holdfast.ts'
import { seeded, testSeed } from '../support/random.ts'
import { tempFolder } from '../support/temp.ts'
import { BASE, crowds } from '../sqlite/call-world.ts'

const CALLER = fileURLToPath(new URL('../support/calling-process.ts', import.meta.url))
const CURSORS = 3

interface Call {
  readonly pid: number
  /** Both by the one monotonic clock of the machine. */
  readonly sentAt: number
  readonly arrivedAt: number
}

test('four processes share one limit, some of them killed and one stopped and continued: no second has a sixth call', async (t) => {
  const seed = testSeed()
  const random = seeded(seed)
  const hint = `replay with HOLDFAST_SEED=${seed}`
  t.diagnostic(hint)
  using folder = tempFolder()
  const path = folder.file('control.sqlite')
  const control = new ControlDatabase(path, systemClock)
  await using upstream = await startUpstream(random)
  await using callers = new Callers(path, upstream.url)
  const { calls } = upstream
  const callsOf = ({ pid }: ChildProcess) => calls.filter((call) => call.pid === pid).length
  const more = (count: number) => {
    const enough = calls.length + count
    return until(() => calls.length >= enough, { what: () => `${enough} calls (${calls.length} came): ${hint}` })
  }
  const pick = () => callers.living[Math.floor(random() * callers.living.length)] as ChildProcess

  for (let index = 0; index < 4; index++) callers.start()
  await until(() => callers.living.every((caller) => callsOf(caller) > 0), { what: `every process to call: ${hint}` })
  for (let kill = 0; kill < 2; kill++) {
    await more(4 + Math.floor(random() * 6))
    await sleep(random() * 300)
    await callers.kill(pick())
    callers.start()
  }
  const stopped = pick()
  stopped.kill('SIGSTOP')
  await sleep(1500 + random() * 1000)
  const before = callsOf(stopped)
  stopped.kill('SIGCONT')
  await until(() => callsOf(stopped) > before, { what: `the process that was stopped to call again: ${hint}` })
  await more(10)
  await until(() => callers.living.every((caller) => callsOf(caller) > 0), { what: `every process to call: ${hint}` })
  await callers[Symbol.asyncDispose]()

  // What was under way for longer than a call may be was held up by this machine, behind the limiter.
  const arrivals = calls.map(({ sentAt, arrivedAt }) => Math.min(arrivedAt, sentAt + ARRIVAL_JITTER_MS))
  const sorted = arrivals.toSorted((a, b) => a - b)
  const closest = Math.min(...sorted.slice(BASE.calls).map((last, index) => last - (sorted[index] as number)))
  const slowest = Math.max(...calls.map(({ sentAt, arrivedAt }) => arrivedAt - sentAt))
  t.diagnostic(
    `${calls.length} calls; six of them within ${closest.toFixed(1)} ms; under way for ${slowest.toFixed(1)} ms`,
  )
  assert.deepEqual(crowds(arrivals), [], hint)

  const counted = callLimiters(control)([BASE], { account: 'plan', calls: null }).usage().calls
  control.close()
  assert.ok(counted >= calls.length, `${counted} were counted, ${calls.length} came, ${hint}`)
  assert.ok(
    counted <= calls.length + callers.killed * CURSORS,
    `${counted} were counted, ${calls.length} came, ${hint}`,
  )
})

/** Answers a call after a while that `random` tells, and writes down when it came. */
async function startUpstream(random: () => number): Promise<AsyncDisposable & { url: string; calls: Call[] }> {
  const calls: Call[] = []
  const server = createServer((request, response) => {
    const arrivedAt = systemClock.monotonic()
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://upstream')
    if (pathname === '/open') return void response.end()
    calls.push({ pid: Number(searchParams.get('process')), sentAt: Number(searchParams.get('sent')), arrivedAt })
    setTimeout(() => response.end(), random() * 200)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

class Callers implements AsyncDisposable {
  readonly #arguments: readonly string[]
  living: ChildProcess[] = []
  killed = 0

  constructor(path: string, url: string) {
    this.#arguments = [CALLER, path, url, String(CURSORS)]
  }

  start(): void {
    this.living.push(spawn(process.execPath, this.#arguments, { stdio: 'inherit', env: { PATH: process.env.PATH } }))
  }

  async kill(caller: ChildProcess): Promise<void> {
    this.living = this.living.filter((other) => other !== caller)
    this.killed++
    const ended = once(caller, 'exit')
    caller.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const caller of this.living) await this.kill(caller)
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}
