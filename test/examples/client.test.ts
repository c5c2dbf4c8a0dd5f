import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, test, type TestContext } from 'node:test'
import { promisify } from 'node:util'
import { clientText, type OpenApi } from '../../examples/client/client-text.ts'
import { createClient, HoldfastError } from '../../examples/client/holdfast-client.ts'
import { KEY } from '../http/fakes.ts'
import { serveReal } from '../http/real.ts'
import { tempFolder } from '../support/temp.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const FOLDER = `${ROOT}examples/client/`
const run = promisify(execFile)

/** A server with a table like that of the embedded sample. */
async function serveCities(t: TestContext) {
  const server = await serveReal(t, { site: { sources: ['cities'] } })
  const columns = ['name', 'lat', 'lng', 'country', 'admin1', 'admin2']
  const rows = [
    ['Bern', '46.94809', '7.44744', 'CH', 'BE', '246'],
    ['Berneck', '47.42634', '9.61148', 'CH', 'SG', ''],
    ['Vaduz', '47.14151', '9.52154', 'LI', '11', ''],
  ]
  const types = { lat: 'decimal', lng: 'decimal' } as const
  await server.site.sync({ identity: '1', tables: [{ name: 'cities', columns, rows, types }] }, { source: 'cities' })
  server.mounts.look()
  return server
}

async function typeCheck(folder: string): Promise<string> {
  const options = JSON.parse(readFileSync(`${ROOT}tsconfig.json`, 'utf8')) as { compilerOptions: object }
  const compilerOptions = { ...options.compilerOptions, typeRoots: [`${ROOT}node_modules/@types`] }
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  writeFileSync(`${folder}/package.json`, '{"type":"module"}')
  try {
    await run(`${ROOT}node_modules/.bin/tsc`, ['--noEmit', '-p', folder])
    return ''
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

describe('examples/client', () => {
  test('the client that is checked in is what the sample’s document gives', async (t) => {
    const server = await serveCities(t)
    const text = clientText(await server.json<OpenApi & Record<string, unknown>>('/openapi.json'))
    if (process.env.UPDATE_CLIENT === 'true') writeFileSync(`${FOLDER}holdfast-client.ts`, text)
    assert.equal(
      readFileSync(`${FOLDER}holdfast-client.ts`, 'utf8'),
      text,
      'the interface has changed: UPDATE_CLIENT=true node --test test/examples/client.test.ts writes the client anew',
    )
  })

  test('it reads records, rows, state and changes, and tells failures by their codes', async (t) => {
    const { url } = await serveCities(t)
    const client = createClient({ url, key: KEY })
    const page = await client.tables.cities.list({
      where: { country: 'eq.CH', name: ['like.B*', 'neq.Bern'] },
      fields: ['name'],
    })
    assert.deepEqual(
      page.records.map(({ name }) => name),
      ['Berneck'],
    )
    const all = await Array.fromAsync(client.tables.cities.all({ pageSize: 1 }))
    assert.deepEqual(all.map(({ name }) => String(name)).toSorted(), ['Bern', 'Berneck', 'Vaduz'])
    assert.deepEqual(await client.tables.cities.get(all[0]!._id), all[0])
    assert.equal(await client.tables.cities.get('nobody'), undefined)
    assert.deepEqual(await client.rest.cities.select({ columns: ['name', 'lat'], where: { country: 'eq.LI' } }), [
      { name: 'Vaduz', lat: '47.14151' },
    ])
    assert.equal((await client.listSources()).sources[0]?.source, 'cities')
    const changes = await client.changes().next()
    assert.deepEqual(changes.value?.changes, [])
    await assert.rejects(
      client.getRun({ id: 'r0' }),
      (error) => error instanceof HoldfastError && error.code === 'run_not_found',
    )
  })

  test('the example runs from beginning to end', async (t) => {
    const { url } = await serveCities(t)
    const { stdout } = await run(process.execPath, [`${FOLDER}example.ts`, url], { env: { HOLDFAST_KEY: KEY } })
    assert.match(stdout, /^2 places in Switzerland begin with Ber:\n {2}Bern at 46\.94809/)
    assert.match(stdout, /There is no such run: run_not_found\./)
  })

  test('the example says in one line that nobody answers, or that the key is wrong', async (t) => {
    const { url } = await serveCities(t)
    const script = `${FOLDER}example.ts`
    const attempts: [string, RegExp][] = [
      [url, /^http:\S+ says unauthorized: .*\n$/],
      ['http://127.0.0.1:1', /^http:\S+ does not answer: .+\n$/],
    ]
    for (const [place, words] of attempts) {
      await assert.rejects(run(process.execPath, [script, place], { env: { HOLDFAST_KEY: 'wrong' } }), (error) => {
        const { code, stderr } = error as { code: number; stderr: string }
        assert.match(stderr, words)
        return code === 1
      })
    }
  })

  test('generate.ts makes one that type-checks, whatever tables and columns are called', async (t) => {
    const server = await serveReal(t)
    await server.publish([{ sku: 'a', 'a.b "c"': 'x', limit: 'y', __proto__x: 'z', größe: 1 }], { name: 'Wäres "2"/*' })
    using folder = tempFolder()
    const out = folder.file('holdfast-client.ts')
    await run(process.execPath, [`${FOLDER}generate.ts`, server.url, out], { env: { HOLDFAST_KEY: KEY } })
    writeFileSync(
      folder.file('use.ts'),
      `import { createClient } from './holdfast-client.ts'
const { tables } = createClient({ url: ${JSON.stringify(server.url)}, key: ${JSON.stringify(KEY)} })
const { records } = await tables['Wäres "2"/*'].list({ where: { 'a.b "c"': 'eq.x', limit: 'eq.y' }, fields: ['a.b "c"', 'größe'] })
const size: string | number | null = records[0]!.größe
console.log(records[0]!['a.b "c"'], size)
// @ts-expect-error -- it was not asked for
console.log(records[0]!.sku)
// @ts-expect-error -- there is no such column
await tables['Wäres "2"/*'].list({ where: { nothing: 'eq.x' } }).catch(() => console.log('refused'))
`,
    )
    assert.equal(await typeCheck(folder.path), '')
    const { stdout } = await run(process.execPath, [folder.file('use.ts')])
    assert.equal(stdout, 'x 1\nundefined\nrefused\n')
  })

  test('the example and what is checked in type-check without this repository', async () => {
    using folder = tempFolder()
    for (const name of ['example.ts', 'holdfast-client.ts']) cpSync(FOLDER + name, folder.file(name))
    assert.equal(await typeCheck(folder.path), '')
  })
})
