import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { serveReal } from './real.ts'

const SOURCES = {
  first: ['wares', 'first', 'second.only', 'here'],
  second: ['wares', 'WARES', 'only', 'there'],
  wares: ['x', 'loading'],
} as const

/** Each table has one row, which says whose it is; the source `loading` has no snapshot yet. */
async function served(t: TestContext) {
  const server = await serveReal(t, { site: { sources: [...Object.keys(SOURCES), 'loading'] } })
  for (const [source, names] of Object.entries(SOURCES)) {
    const tables = names.map((name) => ({ name, key: ['of'], columns: ['of'], rows: [[`${source}~${name}`]] }))
    await server.site.sync({ identity: source, tables }, { source })
  }
  server.mounts.look()
  return server
}

type Served = Awaited<ReturnType<typeof served>>

async function ask(server: Served, path: string): Promise<string | undefined> {
  const text = await (await server.get(path)).text()
  const { code } = text.startsWith('[') ? { code: undefined } : (JSON.parse(text) as { code?: string })
  return code ?? /"of":"([^"]*)"/.exec(text)?.[1]
}

describe('tables of several sources', () => {
  test('are each found by the name they are listed with', async (t) => {
    const server = await served(t)
    const { details } = await server.json<{ details: { name: string; source: string; table: string }[] }>('/api/tables')
    assert.equal(details.length, 10)
    for (const { name, source, table } of details) {
      const row = `${source}~${table}`
      for (const path of ['/api/tables/', '/rest/v1/']) assert.equal(await ask(server, path + name), row)
      // As most are asked for, and where the router has to decode them.
      for (const id of [row, row.replace('~', '%7E')]) assert.equal(await ask(server, `/api/tables/${name}/${id}`), row)
      assert.equal(await ask(server, `/api/tables/${name}/nothing`), 'record_not_found')
    }
  })

  test('have records by the same names', async (t) => {
    const server = await served(t)
    for (const id of ['second~only', 'second%7Eonly']) {
      assert.equal(await ask(server, `/api/tables/second.only/${id}`), 'second~only')
    }
    for (const id of ['first~second.only', 'first%7Esecond.only']) {
      assert.equal(await ask(server, `/api/tables/second.only/${id}`), 'record_not_found')
    }
  })

  const NAMES: readonly (readonly [name: string, tables: string, rest: string, fetched: string])[] = [
    // In both; /fetch-data takes the first.
    ['wares', 'bad_parameter', 'PGRST100', 'first~wares'],
    ['second.wares', 'second~wares', 'second~wares', 'second~wares'],
    ['WARES', 'second~WARES', 'second~WARES', 'second~WARES'],
    // Called like a source: its own, and that of another.
    ['first', 'first~first', 'first~first', 'first~first'],
    ['loading', 'wares~loading', 'wares~loading', 'wares~loading'],
    ['wares.x', 'wares~x', 'wares~x', 'wares~x'],
    ['there', 'second~there', 'second~there', 'second~there'],
    // Not there, or not yet.
    ['nowhere', 'no_snapshot', 'PGRST002', 'no_snapshot'],
    ['loading.x', 'no_snapshot', 'PGRST002', 'no_snapshot'],
    ['first.nowhere', 'table_not_found', 'PGRST205', 'table_not_found'],
    ['wares.wares', 'table_not_found', 'PGRST205', 'table_not_found'],
  ]
  test('are meant by plain and by qualified names alike, whatever is still on its way', async (t) => {
    const server = await served(t)
    for (const [name, tables, rest, fetched] of NAMES) {
      assert.equal(await ask(server, `/api/tables/${name}`), tables, name)
      assert.equal(await ask(server, `/rest/v1/${name}`), rest, name)
      assert.equal(await ask(server, `/fetch-data?table=${name}`), fetched, name)
    }
  })
})
