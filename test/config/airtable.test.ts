import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { loadSettings } from '../../lib/config/load-settings.ts'
import { config, folder, load, problemsOf } from './folders.ts'

const DAY_MS = 86_400_000
const BASE = 'appAbCdEfGhIjKlMn'
const TOKEN = `pat0123456789aBcD.${'0123456789abcdef'.repeat(4)}`
const ENV = { AIRTABLE_BASE_ID: BASE, AIRTABLE_PERSONAL_TOKEN: TOKEN }
const OPTIONS = `baseId: '${BASE}', token: '${TOKEN}'`

async function sourceOf(env: Record<string, string>, files: Record<string, string> = {}) {
  const { sources } = await load(env, files)
  assert.equal(sources.size, 1)
  const [id = ''] = sources.keys()
  const { descriptor, schedule } = sources.get(id)!
  assert.equal(descriptor.kind, 'airtable')
  return { id, options: descriptor.options, schedule }
}

describe('the environment of the original', () => {
  test('is a source named airtable, with what the original did by default', async () => {
    assert.deepEqual(await sourceOf(ENV), {
      id: 'airtable',
      options: { baseId: BASE, token: TOKEN, mode: 'polling', attachments: true, sweepEveryMs: DAY_MS },
      schedule: '0 * * * *',
    })
    assert.deepEqual((await load(ENV)).warnings, [])
  })

  test('does not take a removed column for an accident, unless that is asked for', async () => {
    const freezes = async (env: Record<string, string>) =>
      (await load({ ...ENV, ...env })).sources.get('airtable')?.guard.freezeColumns
    assert.equal(await freezes({}), false)
    assert.equal(await freezes({ GUARD_FREEZE_COLUMNS: 'true' }), true)
    assert.equal((await load({})).sources.get('cities')?.guard.freezeColumns, true)
  })

  test('can say everything that there is to say', async () => {
    const env = {
      ...ENV,
      AIRTABLE_ENDPOINT_URL: 'http://127.0.0.1:8080/',
      AIRTABLE_TABLES: 'Orders, tbl0123456789aBcD ,O R D E R S,',
      AIRTABLE_CALLS_PER_MONTH: '100000',
      SYNC_MODE: 'Webhook',
      FAILSAFE_REFRESH_INTERVAL: '12h',
      ENABLE_ATTACHMENT_DOWNLOAD: 'false',
      BEARER_TOKEN: 'a-key-of-the-original',
      STORAGE_PATH: './files',
      WEBHOOK_PUBLIC_URL: 'https://mirror.example/',
    }
    const cwd = folder()
    const settings = await loadSettings({ env, cwd })
    assert.deepEqual(settings.sources.get('airtable')?.descriptor.options, {
      baseId: BASE,
      token: TOKEN,
      endpointUrl: 'http://127.0.0.1:8080',
      only: ['Orders', 'tbl0123456789aBcD', 'O R D E R S'],
      mode: 'webhook',
      attachments: false,
      sweepEveryMs: DAY_MS / 2,
      callsPerMonth: 100_000,
    })
    assert.deepEqual(settings.apiKeys, ['a-key-of-the-original'])
    assert.equal(settings.storagePath, join(cwd, 'files'))
    assert.equal(settings.publicUrl, 'https://mirror.example')
    assert.deepEqual(settings.warnings, [])
  })

  test('an empty table list is all tables', async () => {
    assert.equal('only' in (await sourceOf({ ...ENV, AIRTABLE_TABLES: '' })).options, false)
  })

  test('one of the two that are needed is a problem that names the other', async () => {
    assert.deepEqual(await problemsOf({ AIRTABLE_PERSONAL_TOKEN: TOKEN }), [
      'AIRTABLE_BASE_ID: is needed beside AIRTABLE_PERSONAL_TOKEN: the id of a base: app and 14 letters or digits.',
    ])
    assert.deepEqual(await problemsOf({ AIRTABLE_BASE_ID: BASE, AIRTABLE_PERSONAL_TOKEN: ' ' }), [
      'AIRTABLE_PERSONAL_TOKEN: is needed beside AIRTABLE_BASE_ID: a personal access token.',
    ])
  })

  for (const [name, value] of [
    ['AIRTABLE_BASE_ID', 'app123'],
    ['AIRTABLE_BASE_ID', `${BASE}/tbl0123456789aBcD`],
    ['AIRTABLE_PERSONAL_TOKEN', 'pat 1234567890'],
    ['AIRTABLE_PERSONAL_TOKEN', 'key0123456789aBcD'],
    ['AIRTABLE_ENDPOINT_URL', 'api.airtable.com'],
    ['AIRTABLE_ENDPOINT_URL', 'https://api.airtable.com/v0/'],
    ['AIRTABLE_ENDPOINT_URL', 'https://me:secret@api.airtable.com'],
    ['AIRTABLE_TABLES', 'Orders,Orders'],
    ['AIRTABLE_TABLES', ' , '],
    ['AIRTABLE_CALLS_PER_MONTH', '0'],
    ['AIRTABLE_CALLS_PER_MONTH', '1e5'],
    ['SYNC_MODE', 'push'],
    ['FAILSAFE_REFRESH_INTERVAL', '0'],
    ['FAILSAFE_REFRESH_INTERVAL', 'off'],
    ['ENABLE_ATTACHMENT_DOWNLOAD', 'maybe'],
  ] as const) {
    test(`${name}=${value} is refused, and the message says what was expected`, async () => {
      const problems = await problemsOf({ ...ENV, [name]: value })
      assert.equal(problems.length, 1)
      assert.match(problems[0] ?? '', new RegExp(`^${name}: expected `))
    })
  }

  test('all problems are told at once, and none shows a token, wherever it was put', async () => {
    const problems = await problemsOf({
      AIRTABLE_BASE_ID: TOKEN,
      AIRTABLE_PERSONAL_TOKEN: 'my token',
      AIRTABLE_ENDPOINT_URL: `https://x/?token=${TOKEN}`,
      SYNC_MODE: `${TOKEN}x`,
      HOST: `${'h'.repeat(40)}/${TOKEN}`,
    })
    assert.deepEqual(problems.map((problem) => problem.replace(/:.*/, '')).toSorted(), [
      'AIRTABLE_BASE_ID', 'AIRTABLE_ENDPOINT_URL', 'AIRTABLE_PERSONAL_TOKEN', 'HOST', 'SYNC_MODE',
    ]) // prettier-ignore
    for (const problem of problems) assert.doesNotMatch(problem, /0123456789abcdef|pat0123|my token/)
  })

  test('files are kept in a folder, not in a file', async () => {
    const problems = await problemsOf({ ...ENV, STORAGE_PATH: 'file' }, { file: '' })
    assert.deepEqual(problems, ['STORAGE_PATH: expected a folder; found a file.'])
  })

  test('a server that cannot start for it ends with 78 and shows no token', () => {
    const server = fileURLToPath(new URL('../../server.ts', import.meta.url))
    const env = { PATH: process.env['PATH'], AIRTABLE_PERSONAL_TOKEN: TOKEN, SYNC_MODE: 'push', DATA_DIR: folder() }
    const { status, stdout, stderr } = spawnSync(process.execPath, [server], { cwd: folder(), env, encoding: 'utf8' })
    assert.equal(status, 78)
    assert.match(stderr, /2 problems:\n {2}AIRTABLE_BASE_ID: is needed[^\n]*\n {2}SYNC_MODE: expected one of/)
    assert.doesNotMatch(stdout + stderr, /0123456789abcdef/)
  })
})

describe('when a base is synced', () => {
  const hook = { SYNC_MODE: 'webhook', PUBLIC_URL: 'https://mirror.example' }
  for (const [what, env, schedule] of [
    ['polling: by the default schedule', { REFRESH_CRON: '*/5 * * * *' }, '*/5 * * * *'],
    ['polling: by the interval of the original', { REFRESH_INTERVAL: '86400' }, 'every 86400s'],
    ['manual: only when somebody asks', { SYNC_MODE: 'manual', REFRESH_INTERVAL: '60' }, 'off'],
    ['told by a webhook: as often as all of it is read', { ...hook, REFRESH_INTERVAL: '60' }, 'every 86400s'],
    ['told by a webhook, swept twice a day', { ...hook, FAILSAFE_REFRESH_INTERVAL: '43200' }, 'every 43200s'],
    [
      'a webhook that cannot tell: by the default schedule',
      { SYNC_MODE: 'webhook', REFRESH_INTERVAL: '60' },
      'every 60s',
    ],
    [
      'on Render: its URL can be told',
      { SYNC_MODE: 'webhook', RENDER_EXTERNAL_URL: 'https://a.onrender.com' },
      'every 86400s',
    ],
  ] as const) {
    test(what, async () => {
      assert.equal((await sourceOf({ ...ENV, ...env })).schedule, schedule)
    })
  }

  test('the configuration file decides where it says something', async () => {
    const of = async (options: string, env: Record<string, string> = {}) =>
      (await sourceOf(env, config(`{ crm: airtable({ ${OPTIONS}, ${options} }) }`))).schedule
    assert.equal(await of(`mode: 'webhook', every: '5m'`, hook), 'every 300s')
    assert.equal(await of(`mode: 'webhook', sweepEvery: '36h'`, hook), 'every 129600s')
    // A webhook that nobody looks at ends after seven days.
    assert.equal(await of(`mode: 'webhook', sweepEvery: '14d'`, hook), 'every 259200s')
    assert.equal(await of(`mode: 'webhook', sweepEvery: '1500ms'`, hook), 'every 2s')
    assert.equal(await of(`mode: 'manual'`), 'off')
    assert.equal(await of(`mode: 'manual', every: 'off'`), 'off')
    assert.equal(await of(''), '0 * * * *')
  })

  test('a webhook without a public URL is warned of', async () => {
    const { warnings } = await load({ ...ENV, SYNC_MODE: 'webhook' })
    assert.deepEqual(warnings, [
      'airtable: without PUBLIC_URL nobody can tell of changes; they are looked for by the schedule.',
    ])
  })
})

describe('airtable({ … }) in the configuration file', () => {
  test('takes durations as people write them, and seconds', async () => {
    const options = `${OPTIONS}, only: ['Orders'], mode: 'polling', attachments: false, sweepEvery: '24h', overlap: 90,
      callsPerSecond: 4, callsPerMonth: 1000, cursors: 1, endpointUrl: 'http://localhost:1/', guard: { maxLostShare: 1 },
      tables: { Orders: { indexes: ['Name'] } }`
    assert.deepEqual(await sourceOf({}, config(`{ crm: airtable({ ${options} }) }`)), {
      id: 'crm',
      options: {
        baseId: BASE,
        token: TOKEN,
        only: ['Orders'],
        mode: 'polling',
        attachments: false,
        sweepEveryMs: DAY_MS,
        overlapMs: 90_000,
        callsPerSecond: 4,
        callsPerMonth: 1000,
        cursors: 1,
        endpointUrl: 'http://localhost:1',
        guard: { maxLostShare: 1 },
        tables: { Orders: { indexes: ['Name'] } },
      },
      schedule: '0 * * * *',
    })
  })

  test('is checked as a whole: every problem with its place, and no token in any', async () => {
    const problems = await problemsOf(
      {},
      config(`{
        none: airtable({ baseId: process.env.NOT_SET_ANYWHERE, token: process.env.NOT_SET_ANYWHERE }),
        swapped: airtable({ baseId: '${TOKEN}', token: '${BASE}-----' + ' ' }),
        odd: airtable({ ${OPTIONS}, sweepEveryMs: 1, only: [], mode: '${TOKEN}', sweepEvery: 'daily', overlap: '2d' }),
        more: airtable({ ${OPTIONS}, callsPerSecond: 0, callsPerMonth: 1.5, cursors: 99, endpointUrl: '${TOKEN}' }),
        manual: airtable({ ${OPTIONS}, mode: 'manual', every: '5m' }),
        text: airtable('${TOKEN}'),
      }`),
    )
    const places = problems.map((problem) => /sources\.([\w.]+): /.exec(problem)?.[1] ?? problem)
    assert.deepEqual(places.toSorted(), [
      'manual.options.every',
      'more.options.callsPerMonth',
      'more.options.callsPerSecond',
      'more.options.cursors',
      'more.options.endpointUrl',
      'none.options.baseId',
      'none.options.token',
      'odd.options',
      'odd.options.mode',
      'odd.options.only',
      'odd.options.overlap',
      'odd.options.sweepEvery',
      'swapped.options.baseId',
      'swapped.options.token',
      'text.options',
    ])
    assert.doesNotMatch(problems.join('\n'), /0123456789abcdef/)
    assert.match(problems.join('\n'), /none\.options\.token: expected a personal access token; found none/)
  })

  test('what is set beside it has no effect only where no source is of Airtable', async () => {
    const env = { ...ENV, SYNC_MODE: 'manual' }
    const own = await load(env, config(`{ crm: airtable({ ${OPTIONS} }) }`))
    assert.deepEqual(own.warnings, [])
    const { warnings } = await load({ ...env, STORAGE_PATH: './files' }, config(`{ a: file({ path: 'a.csv' }) }`))
    assert.deepEqual(warnings, [
      'AIRTABLE_BASE_ID, AIRTABLE_PERSONAL_TOKEN, STORAGE_PATH, SYNC_MODE have no effect: holdfast.config.ts declares the sources, and none of them is an airtable({ … }).',
    ])
  })
})

describe('names of the original that mean nothing here', () => {
  test('are told, each with why not, where the original is what is meant', async () => {
    const env = {
      WEBHOOK_AUTO_SETUP: 'false',
      WEBHOOK_RATE_LIMIT: '30',
      WEBHOOK_TIMESTAMP_WINDOW: '300',
      WEBHOOK_IDEMPOTENCY_TTL: '86400',
      WEBHOOK_SECRET: 'a-secret-of-before',
      SQLITE_V1_PATH: 'data/airboost-v1.sqlite',
      API_DEFAULT_LIMIT: '200',
      CACHE_TTL: '60',
      CONSOLA_FANCY: 'true',
      NODE_ENV: 'production',
    }
    const { warnings } = await load({ ...ENV, ...env })
    assert.deepEqual(
      warnings.map((warning) => warning.replace(/ ha(?:s|ve) no effect: .+\.$/, '')),
      [
        'WEBHOOK_AUTO_SETUP',
        'WEBHOOK_RATE_LIMIT',
        'WEBHOOK_IDEMPOTENCY_TTL, WEBHOOK_TIMESTAMP_WINDOW',
        'WEBHOOK_SECRET',
        'SQLITE_V1_PATH',
        'API_DEFAULT_LIMIT',
        'CACHE_TTL',
        'CONSOLA_FANCY',
      ],
    )
    assert.doesNotMatch(warnings.join(), /a-secret-of-before/)
    assert.deepEqual((await load(env)).warnings, [], 'they may be those of another program')
  })

  test('are not told where they ask for what happens anyway', async () => {
    assert.deepEqual(
      (await load({ ...ENV, WEBHOOK_AUTO_SETUP: 'TRUE', CONSOLA_FANCY: '0', CACHE_TTL: '' })).warnings,
      [],
    )
  })

  test('without a token or a base, what would describe the source is told', async () => {
    assert.deepEqual((await load({ SYNC_MODE: 'webhook', ENABLE_ATTACHMENT_DOWNLOAD: 'false' })).warnings, [
      'ENABLE_ATTACHMENT_DOWNLOAD, SYNC_MODE have no effect: there is no source for them without AIRTABLE_PERSONAL_TOKEN and AIRTABLE_BASE_ID.',
    ])
  })
})
