import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Value } from '../../lib/column.ts'
import { createHttp, type HttpParts } from '../../lib/http/server.ts'
import { environmentKeys } from '../../lib/http/keys.ts'
import { SqliteMirroredFiles } from '../../lib/sqlite/mirrored-files.ts'
import { SqliteChangeLog } from '../../lib/sqlite/change-log.ts'
import { ReaderPool } from '../../lib/sqlite/reader-pool.ts'
import { Mounts, type QuerySettings } from '../../lib/sqlite/mounts.ts'
import { TestSite, wares, type SiteOptions, type UpstreamTable } from '../sqlite/site.ts'
import { AUTH, FakeEngine, httpParts, KEY } from './fakes.ts'

export type Rows = readonly Readonly<Record<string, Value>>[]

/** A listening server over real snapshots on disk. */
export interface RealServer {
  readonly url: string
  readonly port: number
  readonly http: ReturnType<typeof createHttp>
  readonly site: TestSite
  readonly mounts: Mounts
  readonly errors: unknown[]
  /** Publishes these rows as the table `wares`, and has the server see it. */
  publish(rows: Rows, table?: Partial<UpstreamTable>): Promise<void>
  get(path: string, headers?: Record<string, string>): Promise<Response>
  json<T = Record<string, unknown>>(path: string, headers?: Record<string, string>): Promise<T>
}

export interface RealOptions extends Omit<Partial<HttpParts>, 'settings' | 'snapshots' | 'sources'> {
  readonly settings?: Partial<HttpParts['settings']>
  readonly site?: SiteOptions
  readonly queries?: QuerySettings
}

export async function serveReal(t: TestContext, options: RealOptions = {}): Promise<RealServer> {
  const { settings, site: siteOptions = {}, queries, ...parts } = options
  const site = new TestSite(siteOptions)
  const sources = siteOptions.sources ?? ['wares']
  const errors: unknown[] = []
  // None is started before a query needs it.
  const readers = new ReaderPool({ queryReaders: 1, queryDeadlineMs: 60_000, answerMaxBytes: 4e6 })
  const mounts = new Mounts(site.publisher.folders, undefined, queries ?? { readers, answerMaxBytes: 4e6 })
  const files = new SqliteMirroredFiles(site.publisher.folders, null)
  const http = createHttp({
    ...httpParts({ engine: new FakeEngine(sources), errors, ...(settings && { settings }) }),
    changes: new SqliteChangeLog(site.database, mounts),
    files,
    keys: environmentKeys([KEY]),
    clock: site.clock,
    ...parts,
    snapshots: mounts,
    sources,
  })
  await new Promise<void>((resolve) => http.server.listen(0, '127.0.0.1', resolve))
  const { port } = http.server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  t.after(async () => {
    http.server.closeAllConnections()
    await new Promise((resolve) => http.server.close(resolve))
    mounts[Symbol.dispose]()
    readers[Symbol.dispose]()
    files[Symbol.dispose]()
    site[Symbol.dispose]()
  })
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(url + path, { headers: { ...AUTH, ...headers }, redirect: 'manual' })
  return {
    url, port, http, site, mounts, errors, get,
    async publish(rows, table) {
      const run = await site.sync(wares(rows, table))
      if (run.status !== 'completed') throw new Error(`not published: ${run.error?.message ?? run.status}`)
      mounts.look()
    },
    async json<T>(path: string, headers?: Record<string, string>) {
      return (await (await get(path, headers)).json()) as T
    },
  } // prettier-ignore
}
