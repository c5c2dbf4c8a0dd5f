import { readdirSync, readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { createServer } from 'node:net'
import { API_KEY, type Server } from './holdfast.ts'

/** The processes that serve, of a server that has several. */
export function servingPids({ pid }: { readonly pid: number }): number[] {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).flatMap((task) =>
    readFileSync(`${tasks}/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
  )
}

/** Also false while it waits to be reaped. */
export function isRunning(pid: number): boolean {
  try {
    return !/\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

export async function isFree(port: number): Promise<boolean> {
  const server = createServer()
  const { promise, resolve } = Promise.withResolvers<boolean>()
  server.once('error', () => resolve(false))
  server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  return await promise
}

/** What a request id says of the process that made it. */
export function processOf(requestId: unknown): string {
  const match = /^(.+)-[0-9a-z]+$/.exec(String(requestId))
  if (match === null) throw new Error(`an odd request id: ${String(requestId)}`)
  return match[1] as string
}

export interface Answered {
  readonly process: string
  readonly snapshot: string | undefined
}

/** One connection that is kept; all of its requests are answered by one process. */
export class Connection implements Disposable {
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor({ url }: Server) {
    this.#url = url
  }

  get(path: string): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const sent = request(this.#url + path, { agent: this.#agent, headers: { 'X-API-Key': API_KEY } }, (response) => {
        response.on('error', reject)
        response.resume().on('end', () => {
          const { 'x-request-id': id, 'snapshot-id': snapshot } = response.headers
          if (response.statusCode !== 200) return reject(new Error(`status ${response.statusCode}`))
          resolve({ process: processOf(id), snapshot: snapshot as string | undefined })
        })
      })
      sent.on('error', reject).end()
    })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

/** Kept connections to at least so many processes. */
export async function connectToAll(
  server: Server,
  processes: number,
): Promise<{ connection: Connection; process: string }[]> {
  const found: { connection: Connection; process: string }[] = []
  const seen = new Set<string>()
  while (seen.size < processes || found.length < 2 * processes) {
    const connection = new Connection(server)
    const { process } = await connection.get('/health')
    seen.add(process)
    found.push({ connection, process })
  }
  return found
}
