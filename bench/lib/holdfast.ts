import { linkSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TableOptions } from '../../lib/settings.ts'
import type { Progress } from '../../lib/sync-run.ts'
import type { Target } from './connection.ts'
import { freePort, Running } from './processes.ts'

export const API_KEY = 'bench-0123456789abcdef0123456789abcdef0123456789abcdef'

const REPOSITORY = resolve(import.meta.dirname, '../..')
const START_MS = 20_000
const RUN_MS = 120_000
const ENDED = new Set(['paused', 'completed', 'failed', 'rejected', 'cancelled'])

/** What `GET /api/runs/:id` says of a run that has ended. */
export interface RunReport {
  readonly id: string
  readonly result: string | null
  /** Rows that were pulled, over all tables. */
  readonly rows: number
  readonly elapsedMs: number
  readonly timings: Readonly<Record<Progress['phase'], number>>
}

interface RunOnWire {
  readonly id: string
  readonly status: string
  readonly result: string | null
  readonly started_at: string | null
  readonly finished_at: string | null
  readonly timings_ms: Partial<Record<Progress['phase'], number>> | null
  readonly error: { readonly message: string } | null
  readonly progress: { readonly tables: readonly { readonly completed: number }[] } | null
}

const NO_TIMINGS = { planning: 0, pulling: 0, verifying: 0, comparing: 0, rendering: 0, publishing: 0 }

export interface MirrorFile {
  readonly source: string
  /** Where the mirrored file is; see `place`. */
  readonly path: string
  readonly key?: readonly string[]
  /** As `SourceOptions.tables`. */
  readonly tables?: Readonly<Record<string, TableOptions>>
}

/** A data directory, the files it mirrors, and the configuration that says so. */
export class Mirror {
  readonly folder: string
  readonly files: readonly MirrorFile[]

  /** `others`: sources that are no files, as lines of the configuration by their names. */
  constructor(folder: string, files: readonly MirrorFile[], others: Readonly<Record<string, string>> = {}) {
    this.folder = folder
    this.files = files
    mkdirSync(folder, { recursive: true })
    const sources = files.map(
      ({ source, path, key, tables }) => `    ${source}: file(${JSON.stringify({ path, key, tables })}),`,
    )
    sources.push(...Object.entries(others).map(([source, line]) => `    ${source}: ${line},`))
    const library = JSON.stringify(join(REPOSITORY, 'lib/index.ts'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n')
    writeFileSync(
      join(folder, 'holdfast.config.ts'),
      `import { airtable, defineConfig, file } from ${library}\n\nexport default defineConfig({\n  sources: {\n${sources.join('\n')}\n  },\n})\n`,
    )
  }

  pointerFile(source: string): string {
    return join(this.folder, 'data/sources', source, 'active.json')
  }

  /** Starts `server.ts`; `await using` stops it. Does not wait for an answer. */
  async spawnServer(env: Readonly<Record<string, string>> = {}): Promise<Server> {
    const port = Number(env['PORT'] ?? (await freePort()))
    const running = this.#spawn('server.ts', [], { ...env, PORT: String(port) })
    return new Server(running, port)
  }

  async startServer(env: Readonly<Record<string, string>> = {}): Promise<Server> {
    const server = await this.spawnServer(env)
    await server.running.untilAnswer(server.target('/health'), START_MS)
    return server
  }

  /** Runs `sync-worker.ts --once`, the cron process. */
  async syncOnce(source: string): Promise<void> {
    await using worker = this.#spawn('sync-worker.ts', ['--once', source], {})
    const code = await worker.exit(RUN_MS)
    if (code !== 0) throw new Error(`sync-worker.ts --once ended with code ${code}: ${worker.output}`)
  }

  #spawn(entry: string, args: readonly string[], env: Readonly<Record<string, string>>): Running {
    return new Running(entry, process.execPath, [join(REPOSITORY, entry), ...args], {
      cwd: this.folder,
      env: {
        PATH: process.env['PATH'],
        HOME: process.env['HOME'],
        NODE_ENV: 'production',
        HOST: '127.0.0.1',
        DATA_DIR: join(this.folder, 'data'),
        HOLDFAST_CONFIG: join(this.folder, 'holdfast.config.ts'),
        API_KEY,
        REFRESH_CRON: 'off',
        LOG_LEVEL: 'warn',
        ...env,
      },
    })
  }
}

export class Server {
  readonly running: Running
  readonly port: number

  constructor(running: Running, port: number) {
    this.running = running
    this.port = port
  }

  target(path: string, headers: Readonly<Record<string, string>> = {}): Target {
    return { port: this.port, path, headers: { 'x-api-key': API_KEY, ...headers } }
  }

  async head(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Headers> {
    const response = await this.#fetch(path, { method: 'HEAD', headers: { 'accept-encoding': 'identity', ...headers } })
    if (response.status !== 200) throw new Error(`HEAD ${path}: status ${response.status}`)
    return response.headers
  }

  /** Waits for the run that a server starts by itself when a source has no snapshot, or asks for one. */
  async firstRun(source: string): Promise<RunReport> {
    const run = await this.#newest(source)
    return await this.finished(run === undefined ? await this.refresh(source) : `/api/runs/${run.id}`)
  }

  /** The newest run of a source, if it has ended. */
  async newestRun(source: string): Promise<RunReport | undefined> {
    const run = await this.#newest(source)
    return run !== undefined && ENDED.has(run.status) ? report(run) : undefined
  }

  /** Asks for a run, or joins the one that is there. */
  async refresh(source: string): Promise<string> {
    const response = await this.#fetch(`/refresh?source=${source}`, { method: 'POST' })
    const location = response.headers.get('location')
    const body = await response.text()
    if (response.status !== 202 || location === null)
      throw new Error(`POST /refresh: status ${response.status}: ${body.slice(0, 300)}`)
    return location
  }

  async finished(location: string): Promise<RunReport> {
    for (const giveUpAt = Date.now() + RUN_MS; Date.now() < giveUpAt;) {
      const run = await this.#get<RunOnWire>(location)
      if (ENDED.has(run.status)) {
        if (run.status !== 'completed') throw new Error(`run ${run.id} is ${run.status}: ${run.error?.message}`)
        return report(run)
      }
      await sleep(50)
    }
    throw new Error(`${location} did not end within ${RUN_MS} ms`)
  }

  /** Refreshes until a run has published; runs that find nothing new do not count. */
  async publish(source: string): Promise<RunReport> {
    for (let tries = 0; tries < 3; tries++) {
      const run = await this.finished(await this.refresh(source))
      if (run.result === 'published') return run
    }
    throw new Error('the file changed, but nothing was published')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.running.stop()
  }

  async #newest(source: string): Promise<RunOnWire | undefined> {
    const { runs } = await this.#get<{ runs: RunOnWire[] }>(`/api/runs?source=${source}&limit=1`)
    return runs[0]
  }

  async #get<T>(path: string): Promise<T> {
    const response = await this.#fetch(path, {})
    const text = await response.text()
    if (response.status !== 200) throw new Error(`GET ${path}: status ${response.status}: ${text.slice(0, 300)}`)
    return JSON.parse(text) as T
  }

  #fetch(path: string, options: { method?: string; headers?: Record<string, string> }): Promise<Response> {
    const headers = { 'x-api-key': API_KEY, ...options.headers }
    return fetch(`http://127.0.0.1:${this.port}${path}`, { ...options, headers, signal: AbortSignal.timeout(30_000) })
  }
}

function report(run: RunOnWire): RunReport {
  if (run.started_at === null || run.finished_at === null) throw new Error(`run ${run.id} ended, but has no times`)
  return {
    id: run.id,
    result: run.result,
    rows: run.progress?.tables.reduce((sum, table) => sum + table.completed, 0) ?? 0,
    elapsedMs: Date.parse(run.finished_at) - Date.parse(run.started_at),
    timings: { ...NO_TIMINGS, ...run.timings_ms },
  }
}

/** Puts a version of a file in place of another in one step, without copying it. */
export function place(version: string, path: string): void {
  mkdirSync(join(path, '..'), { recursive: true })
  const temporary = `${path}.new`
  rmSync(temporary, { force: true })
  linkSync(version, temporary)
  renameSync(temporary, path)
  rmSync(temporary, { force: true })
}
