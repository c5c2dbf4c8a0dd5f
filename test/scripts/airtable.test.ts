import assert from 'node:assert/strict'
import { rmSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { generateBase } from '../../simulators/airtable/generate.ts'
import { startSimulator, type Simulator } from '../../simulators/airtable/simulator.ts'
import { Site, until } from '../support/holdfast.ts'

const SCRIPT = fileURLToPath(new URL('../../scripts/airtable.ts', import.meta.url))
const PUBLIC_URL = 'https://mirror.example'
const SPECIFICATION = { options: { filters: { dataTypes: ['tableData'] } } }

interface Scene extends AsyncDisposable {
  readonly sim: Simulator
  readonly site: Site
  webhooks(...args: string[]): Promise<{ code: number | NodeJS.Signals; output: string }>
}

async function scene(env: Record<string, string> = {}): Promise<Scene> {
  const base = generateBase({ seed: 20, tables: 1, records: 20 })
  const sim = await startSimulator({ base, webhooks: { ping: false } })
  const site = new Site({
    env: {
      HOLDFAST_CONFIG: '',
      AIRTABLE_PERSONAL_TOKEN: sim.token,
      AIRTABLE_BASE_ID: base.id,
      AIRTABLE_ENDPOINT_URL: sim.url,
      SYNC_MODE: 'webhook',
      PUBLIC_URL,
      ...env,
    },
  })
  rmSync(site.folder.file('holdfast.config.ts'))
  return {
    sim,
    site,
    async webhooks(...args) {
      const started = site.start(SCRIPT, ['webhooks', ...args])
      const code = await started.ended
      assert.ok(!started.output().includes(sim.token), 'the token was printed')
      return { code, output: started.output() }
    },
    async [Symbol.asyncDispose]() {
      await site[Symbol.asyncDispose]()
      await sim.close()
    },
  }
}

describe('scripts/airtable.ts webhooks', () => {
  test('makes one, lists it among others, and deletes it', async () => {
    await using one = await scene()
    const { sim, webhooks } = one
    sim.webhooks.create(sim.base, { notificationUrl: 'https://other.example/', specification: SPECIFICATION })
    const made = await webhooks('create')
    assert.equal(made.code, 0, made.output)
    const own = sim.webhooks.of(sim.base)[1]!
    assert.equal(made.output, `${own.id} is made; it tells ${PUBLIC_URL}/webhooks/airtable/airtable.\n`)
    assert.equal((await webhooks('create')).output, made.output.replace('is made', 'works already'))

    const { output } = await webhooks('list')
    assert.match(output, /^ach\w{14} {2}other {2}on {5}https:\/\/other\.example\/ +\d{4}-/m)
    assert.match(output, new RegExp(`^${own.id}  own    on     ${PUBLIC_URL}/webhooks/airtable/airtable  `, 'm'))
    const lines = (await webhooks('list', '--json')).output.trim().split('\n')
    const [, wire] = lines.map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual([wire?.id, wire?.own, wire?.enabled, wire?.next_payload], [own.id, true, true, 1])

    assert.deepEqual(await webhooks('delete'), { code: 0, output: `${own.id} is deleted.\n` })
    assert.equal(sim.webhooks.of(sim.base).length, 1)
    const nothing = await webhooks('delete')
    assert.deepEqual(nothing, { code: 1, output: 'The source airtable has no webhook.\n' })
    const other = sim.webhooks.of(sim.base)[0]!
    assert.equal((await webhooks('delete', other.id)).code, 0)
    assert.equal((await webhooks('delete', other.id)).output, `The base has no webhook ${other.id}.\n`)
    assert.equal((await webhooks('list')).output, 'The base has no webhook.\n')
  })

  test('tries a running server: what is signed is taken, what is not is refused', async () => {
    await using one = await scene()
    const { sim, site, webhooks } = one
    assert.match((await webhooks('test')).output, /no webhook that signs/)
    const server = await site.server()
    await until(() => sim.webhooks.of(sim.base).length === 1, { what: 'a webhook' })
    await until(async () => (await server.get('/ready')).status === 200, { what: 'a snapshot' })
    const tried = await webhooks('test', '--url', server.url)
    assert.equal(tried.code, 0, tried.output)
    assert.match(tried.output, /signed {4}204 after \d+ ms\n {2}unsigned {2}4\d\d after/)
    const payloads = () => sim.count({ kind: 'payloads' })
    await until(() => payloads() > 0, { what: 'a run that the signed one asked for' })

    const nobody = await webhooks('test', '--url', 'http://127.0.0.1:9')
    assert.equal(nobody.code, 1)
    assert.match(nobody.output, /no answer/)
  })

  test('says what would not work', async () => {
    await using one = await scene({ SYNC_MODE: 'polling', PUBLIC_URL: '' })
    const { sim, webhooks } = one
    const made = await webhooks('create')
    assert.match(made.output, /tells nobody/)
    assert.match(made.output, /Without PUBLIC_URL/)
    assert.match(made.output, /does not follow it: its mode is polling/)
    sim.revokeToken(sim.token)
    const refused = await webhooks('list')
    assert.equal(refused.code, 1)
    assert.match(refused.output, /Airtable refused to list webhooks \(401/)
  })

  test('is told apart from what it does not know', async () => {
    await using one = await scene()
    const { site, webhooks } = one
    for (const [args, said] of [
      [[], /Say what to do with webhooks/],
      [['forget'], /no command webhooks forget/],
      [['list', 'ach1'], /does not take ach1/],
      [['create', '--json'], /does not take json/],
      [['list', '--all'], /--all/],
      [['list', '--source', 'crm'], /--source crm: there is airtable/],
    ] as const) {
      const { code, output } = await webhooks(...args)
      assert.equal(code, 64, output)
      assert.match(output, said)
      assert.match(output, /Usage: /)
    }
    const help = site.start(SCRIPT, ['--help'])
    assert.equal(await help.ended, 0)
  })

  test('asks which source where there are several', async () => {
    await using one = await scene()
    const { sim, site } = one
    const lib = JSON.stringify(fileURLToPath(new URL('../../lib/index.ts', import.meta.url)))
    const source = JSON.stringify({ baseId: sim.base.id, token: sim.token, endpointUrl: sim.url, mode: 'webhook' })
    const config = site.folder.file('two.config.ts')
    writeFileSync(
      config,
      `import { airtable, defineConfig } from ${lib}
       export default defineConfig({ sources: { one: airtable(${source}), two: airtable(${source}) } })`,
    )
    const env = { HOLDFAST_CONFIG: config, AIRTABLE_PERSONAL_TOKEN: '', AIRTABLE_BASE_ID: '' }
    const asked = site.start(SCRIPT, ['webhooks', 'create'], env)
    assert.equal(await asked.ended, 64)
    assert.match(asked.output(), /Say which --source: one, two/)
    const told = site.start(SCRIPT, ['webhooks', 'create', '--source', 'two'], env)
    assert.equal(await told.ended, 0, told.output())
    assert.equal(sim.webhooks.of(sim.base)[0]?.notificationUrl, `${PUBLIC_URL}/webhooks/airtable/two`)
  })
})
