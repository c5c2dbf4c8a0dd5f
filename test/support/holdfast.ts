import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Pointer } from '../../lib/snapshot.ts'
import { tempFolder } from './temp.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
export const API_KEY = 'test-key-0123456789'
const START_MS = 60_000

/** A real process of ours, with what it printed. */
export interface Process {
  readonly child: ChildProcess
  readonly pid: number
  output(): string
  /** Resolves with exit code or signal. */
  readonly ended: Promise<number | NodeJS.Signals>
  kill(signal: NodeJS.Signals): void
}

export interface Server extends Process {
  readonly url: string
  get(path: string, headers?: Record<string, string>): Promise<Response>
  post(path: string): Promise<Response>
}

/** A data directory with one file source `wares` in it, and the processes that a test starts on it. */
export class Site implements AsyncDisposable {
  readonly folder = tempFolder()
  readonly dataDir = this.folder.file('data')
  readonly input: string
  readonly #config = this.folder.file('holdfast.config.ts')
  readonly #processes: Process[] = []
  readonly #env: Record<string, string>

  constructor(options: { source?: string; input?: string; env?: Record<string, string> } = {}) {
    this.input = this.folder.file(options.input ?? 'wares.json')
    this.#env = options.env ?? {}
    const lib = JSON.stringify(`${ROOT}lib/index.ts`)
    const source = options.source ?? `key: ['sku']`
    writeFileSync(
      this.#config,
      `import { defineConfig, file } from ${lib}
       export default defineConfig({ sources: { wares: file({ path: ${JSON.stringify(this.input)}, ${source} }) } })`,
    )
  }

  /** Replaces the upstream's file in one step. */
  write(content: unknown): void {
    const text = typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content)
    writeFileSync(`${this.input}.new`, text)
    renameSync(`${this.input}.new`, this.input)
  }

  pointer(): Pointer | undefined {
    try {
      return JSON.parse(readFileSync(`${this.dataDir}/sources/wares/active.json`, 'utf8')) as Pointer
    } catch {
      return undefined
    }
  }

  start(script: string, args: readonly string[] = [], env: Record<string, string> = {}): Process {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: this.folder.path,
      env: { PATH: process.env.PATH, ...this.environment, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    // Not `exit`: what the process printed last may still be in the pipe by then.
    const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
    const started: Process = {
      child,
      pid: child.pid as number,
      output: () => output,
      ended,
      kill: (signal) => child.kill(signal),
    }
    this.#processes.push(started)
    return started
  }

  get environment(): Record<string, string> {
    return {
      DATA_DIR: this.dataDir,
      API_KEY,
      PORT: '0',
      HOLDFAST_CONFIG: this.#config,
      REFRESH_CRON: 'off',
      ...this.#env,
    }
  }

  worker(args: readonly string[] = [], env: Record<string, string> = {}): Process {
    return this.start(`${ROOT}sync-worker.ts`, args, env)
  }

  async server(env: Record<string, string> = {}): Promise<Server> {
    const started = this.start(`${ROOT}server.ts`, [], env)
    const url = await until(() => /Holdfast serves (http:\/\/[^"\s]+)/.exec(started.output())?.[1], {
      what: () => `a server that listens; it printed ${started.output()}`,
      gaveUp: started.ended,
    })
    const headers = { 'X-API-Key': API_KEY }
    return {
      ...started,
      url,
      get: (path, more = {}) => fetch(url + path, { headers: { ...headers, ...more } }),
      post: (path) => fetch(url + path, { method: 'POST', headers }),
    }
  }

  /** Runs `--once` to its end. */
  async once(...sources: string[]): Promise<{ code: number | NodeJS.Signals; output: string }> {
    const worker = this.worker(['--once', ...sources])
    const code = await worker.ended
    return { code, output: worker.output() }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const started of this.#processes) {
      if (started.child.exitCode !== null || started.child.signalCode !== null) continue
      started.kill('SIGKILL')
      await started.ended
    }
    this.folder[Symbol.dispose]()
  }
}

/** Looks again and again until there is a value; a test's own timeout is far behind this one. */
export async function until<T>(
  look: () => T | undefined | false | null | Promise<T | undefined | false | null>,
  options: { what: string | (() => string); ms?: number; gaveUp?: Promise<unknown> },
): Promise<T> {
  let hasEnded = false
  void options.gaveUp?.then(() => (hasEnded = true))
  const giveUpAt = performance.now() + (options.ms ?? START_MS)
  for (;;) {
    const hadEnded = hasEnded
    const found = await look()
    if (found !== undefined && found !== false && found !== null) return found
    if (hadEnded || performance.now() > giveUpAt) {
      const what = typeof options.what === 'string' ? options.what : options.what()
      throw new Error(`${hadEnded ? 'The process ended' : 'Waited in vain'} for ${what}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
