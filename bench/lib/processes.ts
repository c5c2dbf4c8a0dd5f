import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Connection, requestBytes, type Target } from './connection.ts'

const STOP_MS = 12_000
const END_MS = 3_000
const KEPT_OUTPUT = 4_000

/** Every process started here that may still be there, so that none outlives the bench. */
const running = new Set<ChildProcess>()

/** A process of our own: killed by its pid when `await using` ends. */
export class Running {
  readonly child: ChildProcess
  readonly name: string
  /** When it was started, on the clock of `performance.now()`. */
  readonly startedAt: number
  #output = ''

  constructor(
    name: string,
    command: string,
    args: readonly string[],
    options: { env?: NodeJS.ProcessEnv; cwd?: string; ipc?: boolean } = {},
  ) {
    this.name = name
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe', ...(options.ipc === true ? (['ipc'] as const) : [])]
    this.startedAt = performance.now()
    this.child = spawn(command, args, { stdio, env: options.env ?? process.env, cwd: options.cwd })
    this.child.on('error', (error) => (this.#output += `${error.message}\n`))
    running.add(this.child)
    this.child.once('exit', () => running.delete(this.child))
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (bytes: Buffer) => (this.#output = (this.#output + bytes.toString()).slice(-KEPT_OUTPUT)))
    }
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.name} did not start: ${this.#output}`)
    return this.child.pid
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  /** The last of what it printed. */
  get output(): string {
    return this.#output.trim()
  }

  async exit(timeoutMs: number): Promise<number> {
    if (!this.hasEnded) await once(this.child, 'exit', { signal: AbortSignal.timeout(timeoutMs) })
    return this.child.exitCode ?? -1
  }

  async stop(): Promise<void> {
    if (this.hasEnded || this.child.pid === undefined) return
    const ended = once(this.child, 'exit')
    this.child.kill('SIGTERM')
    if ((await Promise.race([ended, sleep(STOP_MS, 'late', { ref: false })])) !== 'late') return
    this.child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /**
   * Asks until the answer is a 200 that is read whole, every 2 ms.
   *
   * @returns milliseconds from the start of the process
   */
  async untilAnswer(target: Target, timeoutMs: number): Promise<number> {
    const request = requestBytes(target)
    let last = 'no connection'
    while (performance.now() - this.startedAt < timeoutMs) {
      if (this.hasEnded) throw new Error(`${this.name} ended with code ${this.child.exitCode}: ${this.output}`)
      try {
        using connection = await Connection.open(target.port)
        const { head } = await connection.send(request)
        if (head.status === 200) return performance.now() - this.startedAt
        last = `status ${head.status}`
      } catch (error) {
        last = (error as Error).message
      }
      await sleep(2)
    }
    throw new Error(`${this.name} gave no 200 for ${target.path} within ${timeoutMs} ms (${last}): ${this.output}`)
  }
}

/** Asks first: nginx has children of its own, which only it can end. */
export async function endAll(): Promise<void> {
  for (const child of running) child.kill('SIGTERM')
  for (const giveUpAt = Date.now() + END_MS; running.size > 0 && Date.now() < giveUpAt;) await sleep(20)
  for (const child of running) child.kill('SIGKILL')
}

/** A port of the loopback that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Resident memory of a process in megabytes (Linux). */
export function residentMb(pid: number, which: 'now' | 'peak'): number {
  const field = which === 'now' ? 'VmRSS' : 'VmHWM'
  const match = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
  return (Number(match?.[1]) * 1024) / 1e6
}

/** Lets `peak` begin again at `now`. */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}
