import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { EventSource } from 'eventsource'
import { API_KEY, Site, until, type Server } from '../support/holdfast.ts'
import { changedRows, digestOf, sampleRows, type SampleRow } from '../support/rows.ts'

interface Change {
  readonly table: string
  readonly key: string | null
  readonly op: 'put' | 'delete' | 'resync'
  readonly row: SampleRow | null
}
interface Page {
  readonly changes: readonly Change[]
  readonly next: string
}

const get = async (server: Server, path: string): Promise<unknown> => await (await server.get(path)).json()

/** A client's copy of the rows. */
class Copy {
  readonly rows = new Map<string, SampleRow>()
  resyncs = 0

  apply(changes: readonly Change[]): void {
    for (const { key, op, row } of changes) {
      if (op === 'resync') this.resyncs++
      else if (op === 'put') this.rows.set(key!, row!)
      else this.rows.delete(key!)
    }
  }

  get digest(): string {
    return digestOf([...this.rows.values()])
  }
}

async function publish(site: Site, rows: readonly SampleRow[]): Promise<void> {
  site.write(rows)
  const { code, output } = await site.once('wares')
  assert.equal(code, 0, output)
}

describe('changes that a worker publishes while servers serve', () => {
  test('reach pages, long polls and event streams of every process, and make the rows that are served', async () => {
    await using site = new Site()
    let rows = sampleRows(300)
    await publish(site, rows)
    const server = await site.server({ SYNC_IN_SERVER: 'false', WEB_CONCURRENCY: '2' })

    const { next } = (await get(server, '/api/changes')) as Page
    const { data } = (await get(server, '/fetch-data')) as { data: SampleRow[] }
    const copyOf = () => {
      const copy = new Copy()
      for (const row of data) copy.rows.set(row.sku, row)
      return copy
    }
    const streamed = Array.from({ length: 4 }, () => {
      const copy = copyOf()
      const source = new EventSource(`${server.url}/api/changes?stream=true&since=${next}`, {
        fetch: (url, init) => fetch(url, { ...init, headers: { ...init.headers, 'X-API-Key': API_KEY } }),
      })
      source.addEventListener('message', ({ data: text }) => {
        const frame = JSON.parse(text as string) as { type: string; changes?: Change[] }
        copy.apply(frame.changes ?? [])
      })
      return { copy, source }
    })
    const polled = copyOf()
    let since = next
    const poll = async () => {
      const page = (await get(server, `/api/changes?since=${since}&wait=60`)) as Page
      polled.apply(page.changes)
      since = page.next
    }

    const waiting = poll()
    for (let seed = 1; seed <= 3; seed++) {
      rows = [...changedRows(rows.slice(5), 0.05, seed), ...sampleRows(300 + seed).slice(-1)]
      await publish(site, rows)
    }
    await waiting
    const wanted = digestOf(rows)
    while (polled.digest !== wanted) await poll()
    for (const { copy, source } of streamed) {
      await until(() => copy.digest === wanted, { what: 'the copy of a stream', gaveUp: server.ended })
      source.close()
    }
    assert.deepEqual([polled.resyncs, ...streamed.map(({ copy }) => copy.resyncs)], [0, 0, 0, 0, 0])
    const served = (await get(server, '/fetch-data')) as { data: SampleRow[] }
    assert.equal(digestOf(served.data), wanted)
  })

  test('a client whose server is killed goes on from where it was at the next one', async () => {
    await using site = new Site()
    let rows = sampleRows(100)
    await publish(site, rows)
    const first = await site.server({ SYNC_IN_SERVER: 'false' })
    const { next } = (await get(first, '/api/changes')) as Page
    const copy = new Copy()
    for (const row of rows) copy.rows.set(row.sku, row)
    first.kill('SIGKILL')
    await first.ended
    rows = changedRows(rows, 0.5, 1)
    await publish(site, rows)
    const second = await site.server({ SYNC_IN_SERVER: 'false' })
    copy.apply(((await get(second, `/api/changes?since=${next}`)) as Page).changes)
    assert.equal(copy.digest, digestOf(rows))
  })
})
