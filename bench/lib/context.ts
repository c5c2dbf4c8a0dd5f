import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Mirror, place } from './holdfast.ts'
import { Load } from './load.ts'
import { startNginx, type Nginx } from './nginx.ts'
import { writeOrders, type OrdersVersion } from './orders.ts'
import { freePort, Running } from './processes.ts'

const REFERENCES = resolve(import.meta.dirname, '../references')

export interface Reference extends AsyncDisposable {
  readonly running: Running
  readonly port: number
}

/** What rows share: the files, a mirror that has them, the load generator. Made when first asked for. */
export class Context {
  readonly isQuick: boolean
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  readonly load: Load
  readonly #log: (text: string) => void
  readonly #versions = new Map<OrdersVersion, string>()
  #orders: Promise<OrdersMirror> | undefined

  private constructor(options: { isQuick: boolean; log: (text: string) => void }, load: Load) {
    this.isQuick = options.isQuick
    this.#log = options.log
    this.load = load
  }

  static async create(options: { isQuick: boolean; log: (text: string) => void }): Promise<Context> {
    return new Context(options, await Load.start())
  }

  /** How often, or how long: the first figure for a full bench, the second for `--quick`. */
  amount(full: number, quick: number): number {
    return this.isQuick ? quick : full
  }

  log(text: string): void {
    this.#log(text)
  }

  /** A version of the orders file. */
  ordersFile(version: OrdersVersion): string {
    const known = this.#versions.get(version)
    if (known !== undefined) return known
    const path = join(this.folder, `orders-${version}.json`)
    this.log(`writing ${path}`)
    writeOrders(path, version)
    this.#versions.set(version, path)
    return path
  }

  /** The mirror of the orders file, with a snapshot. No server runs on it: a row starts its own. */
  orders(): Promise<OrdersMirror> {
    this.#orders ??= OrdersMirror.create(this)
    return this.#orders
  }

  /** A folder of its own for a row. */
  scratch(): string {
    return mkdtempSync(join(this.folder, 'row-'))
  }

  nginx(root: string): Promise<Nginx> {
    return startNginx(root, this.scratch())
  }

  /** Starts a server of `bench/references/`; does not wait for an answer. */
  async spawnReference(file: string, env: Readonly<Record<string, string>> = {}): Promise<Reference> {
    const port = await freePort()
    const running = new Running(file, process.execPath, [join(REFERENCES, file)], {
      env: { PATH: process.env['PATH'], NODE_ENV: 'production', PORT: String(port), ...env },
    })
    return { running, port, [Symbol.asyncDispose]: () => running.stop() }
  }

  async startReference(file: string, path: string, env: Readonly<Record<string, string>> = {}): Promise<Reference> {
    const reference = await this.spawnReference(file, env)
    await reference.running.untilAnswer(
      { port: reference.port, path, headers: { 'x-api-key': env['API_KEY'] ?? '' } },
      10_000,
    )
    return reference
  }

  /** Runs a program of `bench/references/` to its end. */
  async runReference(file: string, args: readonly string[]): Promise<string> {
    await using running = new Running(file, process.execPath, [join(REFERENCES, file), ...args])
    const code = await running.exit(120_000)
    if (code !== 0) throw new Error(`${file} ended with code ${code}: ${running.output}`)
    return running.output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.load[Symbol.asyncDispose]()
    rmSync(this.folder, { recursive: true, force: true })
  }
}

export class OrdersMirror extends Mirror {
  readonly #context: Context
  readonly #path: string
  #version: OrdersVersion = 'a'

  private constructor(context: Context, path: string) {
    super(join(context.folder, 'mirror'), [{ source: 'orders', path, key: ['id'] }])
    this.#context = context
    this.#path = path
    place(context.ordersFile('a'), path)
  }

  static async create(context: Context): Promise<OrdersMirror> {
    const mirror = new OrdersMirror(context, join(context.folder, 'upstream/orders.json'))
    context.log('mirroring the orders file for the first time')
    await using server = await mirror.startServer()
    await server.firstRun('orders')
    return mirror
  }

  /** Replaces the file by the other version: one row in a hundred differs. */
  change(): void {
    this.#version = this.#version === 'a' ? 'b' : 'a'
    place(this.#context.ordersFile(this.#version), this.#path)
  }
}
