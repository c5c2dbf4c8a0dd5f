import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { loadSettings } from '../../lib/config/load-settings.ts'
import { Failure } from '../../lib/errors.ts'
import { config, folder, load, problemsOf } from './folders.ts'

describe('the environment', () => {
  test('with nothing configured, the sample is mirrored every hour', async () => {
    const cwd = folder()
    const settings = await loadSettings({ env: {}, cwd })

    assert.equal(settings.host, '127.0.0.1')
    assert.equal(settings.port, 3000)
    assert.equal(settings.dataDir, join(cwd, 'data'))
    assert.deepEqual(settings.apiKeys, [])
    assert.equal(settings.schedule, '0 * * * *')
    assert.equal(settings.syncInServer, true)
    assert.equal(settings.readyMaxAgeMs, null)
    assert.equal(settings.leaseTtlMs, 10_000)
    assert.deepEqual(settings.guard, { maxLostShare: 0.5, freezeColumns: true })
    assert.deepEqual(settings.changeLog, {
      maxAgeMs: 604_800_000,
      maxEntries: 1_000_000,
      maxBytes: 268_435_456,
      maxBatch: 100_000,
    })
    assert.deepEqual(settings.warnings, [])
    assert.deepEqual([...settings.sources.keys()], ['cities'])
    const { descriptor, schedule } = settings.sources.get('cities')!
    assert.equal(descriptor.kind, 'file')
    assert.match(descriptor.options.path, /cities\.json$/)
    assert.equal(descriptor.options.table, 'cities')
    assert.deepEqual(descriptor.options.tables, {
      cities: { indexes: ['country', 'name', ['country', 'name']], search: ['name'] },
    })
    assert.equal(schedule, '0 * * * *')
    assert.deepEqual([settings.publicUrl, settings.storagePath], [null, null])
  })

  test('an empty value is no value', async () => {
    const settings = await load({ PORT: '', API_KEY: '', REFRESH_INTERVAL: '', DATA_DIR: ' ' })
    assert.equal(settings.port, 3000)
    assert.deepEqual(settings.apiKeys, [])
  })

  test('keys come from three variables, each once', async () => {
    const settings = await load({ API_KEY: 'first-key', API_KEYS: 'second-key, first-key,', BEARER_TOKEN: 'third-key' })
    assert.deepEqual(settings.apiKeys, ['first-key', 'second-key', 'third-key'])
  })

  test('durations and sizes take units', async () => {
    const settings = await load({
      LEASE_TTL: '1500',
      READY_MAX_AGE: '1.5h',
      CHANGE_LOG_MAX_AGE: '90',
      BODY_CACHE_BYTES: '128MB',
      SSE_MAX_BYTES: '64MiB',
      GUARD_MAX_LOST_SHARE: '25%',
    })
    assert.equal(settings.leaseTtlMs, 1500)
    assert.equal(settings.readyMaxAgeMs, 5_400_000)
    assert.equal(settings.changeLog.maxAgeMs, 90_000)
    assert.equal(settings.bodyCacheBytes, 128_000_000)
    assert.equal(settings.sseMaxBytes, 67_108_864)
    assert.equal(settings.guard.maxLostShare, 0.25)
  })

  for (const [env, schedule] of [
    [{ REFRESH_CRON: '*/5 * * * *' }, '*/5 * * * *'],
    [{ REFRESH_CRON: 'off' }, 'off'],
    [{ REFRESH_INTERVAL: '300' }, 'every 300s'],
    [{ REFRESH_INTERVAL: '5m' }, 'every 300s'],
    [{ REFRESH_INTERVAL: '30d' }, 'every 2592000s'],
    [{ REFRESH_INTERVAL: 'OFF' }, 'off'],
  ] as const) {
    test(`${JSON.stringify(env)} is the schedule "${schedule}"`, async () => {
      assert.equal((await load(env)).schedule, schedule)
    })
  }

  for (const [name, value] of [
    ['PORT', '65536'],
    ['PORT', '-1'],
    ['PORT', '0x10'],
    ['PORT', '3e3'],
    ['HOST', 'http://localhost'],
    ['SYNC_IN_SERVER', 'maybe'],
    ['LOG_LEVEL', 'loud'],
    ['WEB_CONCURRENCY', '0'],
    ['WEB_CONCURRENCY', '65'],
    ['READY_MAX_AGE', 'NaN'],
    ['READY_MAX_AGE', '0'],
    ['BODY_CACHE_BYTES', '1e9'],
    ['BODY_CACHE_BYTES', '999999999999999TB'],
    ['SSE_MAX_BYTES', '-1'],
    ['MAX_STREAMS', '0'],
    ['LEASE_TTL', '25d'],
    ['LEASE_TTL', 'Infinity'],
    ['REFRESH_CRON', '61 * * * *'],
    ['REFRESH_CRON', '0 0 31 2 *'],
    ['REFRESH_INTERVAL', '0'],
    ['REFRESH_INTERVAL', '1500ms'],
    ['REFRESH_INTERVAL', '99999999999'],
    ['GUARD_MAX_LOST_SHARE', '1.01'],
    ['GUARD_FREEZE_COLUMNS', '2'],
    ['CHANGE_LOG_MAX_AGE', '-7d'],
    ['CHANGE_LOG_MAX_BATCH', '1000001'],
    ['ALERT_WEBHOOK_URL', 'file:///etc/passwd'],
    ['HOLDFAST_CONFIG', './nowhere.ts'],
    ['API_KEY', 'a b c d e f'],
  ] as const) {
    test(`${name}=${value} is refused, and the message says what was expected`, async () => {
      const problems = await problemsOf({ [name]: value })
      assert.equal(problems.length, 1)
      assert.match(problems[0] ?? '', new RegExp(`^${name}: expected `))
    })
  }

  test('all problems are told at once', async () => {
    const problems = await problemsOf({
      PORT: 'x',
      HOST: '/',
      LEASE_TTL: '1',
      REFRESH_CRON: '0 * * * *',
      REFRESH_INTERVAL: '5',
    })
    assert.deepEqual(problems.map((problem) => problem.replace(/:.*/, '')).toSorted(), [
      'HOST',
      'LEASE_TTL',
      'PORT',
      'REFRESH_CRON, REFRESH_INTERVAL',
    ])
  })

  test('a batch can be no larger than the change log, and its default follows', async () => {
    assert.equal((await load({ CHANGE_LOG_MAX_ENTRIES: '500' })).changeLog.maxBatch, 500)
    assert.equal((await problemsOf({ CHANGE_LOG_MAX_ENTRIES: '500', CHANGE_LOG_MAX_BATCH: '501' })).length, 1)
  })

  test('SQLITE_PATH is another name of DATA_DIR, and must not say something else', async () => {
    assert.match((await load({ SQLITE_PATH: './elsewhere' })).dataDir, /elsewhere$/)
    assert.match((await load({ SQLITE_PATH: './same', DATA_DIR: 'same' })).dataDir, /same$/)
    assert.match((await problemsOf({ SQLITE_PATH: './one', DATA_DIR: './two' }))[0] ?? '', /differ/)
    assert.match((await problemsOf({ DATA_DIR: 'file' }, { file: '' }))[0] ?? '', /found a file/)
  })

  test('CONSOLA_LEVEL is another name of LOG_LEVEL, in numbers, and must not say something else', async () => {
    for (const [number, level] of [
      ['-999', 'silent'],
      ['0', 'error'],
      ['1', 'warn'],
      ['3', 'info'],
      ['5', 'trace'],
    ] as const) {
      assert.equal((await load({ CONSOLA_LEVEL: number })).logLevel, level)
    }
    assert.equal((await load({ CONSOLA_LEVEL: '4', LOG_LEVEL: 'DEBUG' })).logLevel, 'debug')
    assert.match((await problemsOf({ CONSOLA_LEVEL: '4', LOG_LEVEL: 'info' }))[0] ?? '', /differ; keep LOG_LEVEL/)
    assert.match((await problemsOf({ CONSOLA_LEVEL: 'toString' }))[0] ?? '', /^CONSOLA_LEVEL: expected one of/)
  })

  test('the public URL has two names, and that of Render where neither is set', async () => {
    const render = { RENDER_EXTERNAL_URL: 'https://holdfast.onrender.com' }
    assert.equal((await load(render)).publicUrl, 'https://holdfast.onrender.com')
    assert.equal(
      (await load({ ...render, PUBLIC_URL: 'https://x.example/base//' })).publicUrl,
      'https://x.example/base',
    )
    assert.equal((await load({ ...render, WEBHOOK_PUBLIC_URL: 'https://y.example/' })).publicUrl, 'https://y.example')
    const same = { PUBLIC_URL: 'https://x.example', WEBHOOK_PUBLIC_URL: 'https://x.example/' }
    assert.equal((await load(same)).publicUrl, 'https://x.example')
    assert.match((await problemsOf({ ...same, PUBLIC_URL: 'https://z.example' }))[0] ?? '', /differ; keep PUBLIC_URL/)
    for (const url of [
      'x.example',
      'ftp://x.example',
      'https://u:p@x.example',
      'https://x.example/?a',
      'https://x.example/#a',
    ]) {
      assert.match((await problemsOf({ PUBLIC_URL: url }))[0] ?? '', /^PUBLIC_URL: expected an http or https URL/, url)
    }
  })

  test('variables of parts that are not here yet lead to one warning each part', async () => {
    const env = {
      PMA_URL: 'http://x',
      ZERO_REPLICA_FILE: 'x',
      UPSTREAM_DB: '',
    }
    const { warnings } = await load(env)
    assert.deepEqual(warnings, [
      'PMA_URL has no effect: the phpMyAdmin source is not available in this version.',
      'ZERO_REPLICA_FILE has no effect: the postgres source is not available in this version.',
    ])
  })

  test('whatever a numeric variable holds, it is a number in range or a problem', async () => {
    const text = fc.oneof(
      fc.string(),
      fc.double().map(String),
      fc.bigInt().map(String),
      fc.stringMatching(/^[0-9.eE+-]{1,12}[a-zA-Z]{0,3}$/),
    )
    const cwd = folder()
    await fc.assert(
      fc.asyncProperty(text, async (value) => {
        try {
          const settings = await loadSettings({ env: { PORT: value, LEASE_TTL: value, SSE_MAX_BYTES: value }, cwd })
          assert.ok(Number.isInteger(settings.port) && settings.port >= 0 && settings.port <= 65_535)
          assert.ok(
            Number.isInteger(settings.leaseTtlMs) && settings.leaseTtlMs >= 100 && settings.leaseTtlMs < 2 ** 31,
          )
          assert.ok(Number.isSafeInteger(settings.sseMaxBytes) && settings.sseMaxBytes >= 0)
        } catch (error) {
          assert.ok(error instanceof Failure && error.code === 'config_invalid')
        }
      }),
    )
  })
})

describe('.env', () => {
  test('is read, and the real environment wins', async () => {
    const env: Record<string, string> = { PORT: '4000' }
    const settings = await loadSettings({
      env,
      cwd: folder({ '.env': 'PORT=5000\nHOST="0.0.0.0"\n# LOG_LEVEL=debug\n' }),
    })
    assert.equal(settings.port, 4000)
    assert.equal(settings.host, '0.0.0.0')
    assert.equal(settings.logLevel, 'info')
    assert.equal(env['HOST'], '0.0.0.0', 'the configuration file must find it too')
  })

  test('that cannot be read is a problem', async () => {
    const cwd = folder()
    mkdirSync(join(cwd, '.env'))
    await assert.rejects(loadSettings({ env: {}, cwd }), /\.env: cannot be read \(EISDIR\)/)
  })
})

describe('the configuration file', () => {
  test('declares the sources, in order, with their own schedules and guards', async () => {
    const cwd = folder(
      config(`{
        towns: file({ path: './towns.csv', key: ['id'], types: { zip: 'text' }, nulls: ['NULL'], every: 60, guard: { maxLostShare: 0.1 } }),
        raw: file({ path: '/srv/raw.dat', format: 'ndjson', every: 'off' }),
        more: file({ path: 'more.json.gz' }),
      }`),
    )
    const { sources } = await loadSettings({ env: { REFRESH_CRON: '5 * * * *', GUARD_FREEZE_COLUMNS: 'false' }, cwd })

    assert.deepEqual(
      [...sources],
      [
        [
          'towns',
          {
            descriptor: {
              kind: 'file',
              options: {
                path: join(cwd, 'towns.csv'),
                key: ['id'],
                types: { zip: 'text' },
                nulls: ['NULL'],
                every: 60,
                guard: { maxLostShare: 0.1 },
              },
            },
            schedule: 'every 60s',
            guard: { maxLostShare: 0.1, freezeColumns: false },
          },
        ],
        [
          'raw',
          {
            descriptor: { kind: 'file', options: { path: '/srv/raw.dat', format: 'ndjson', every: 'off' } },
            schedule: 'off',
            guard: { maxLostShare: 0.5, freezeColumns: false },
          },
        ],
        [
          'more',
          {
            descriptor: { kind: 'file', options: { path: join(cwd, 'more.json.gz') } },
            schedule: '5 * * * *',
            guard: { maxLostShare: 0.5, freezeColumns: false },
          },
        ],
      ],
    )
  })

  test('may be named, and lie elsewhere', async () => {
    const elsewhere = folder({ 'mirror.mts': config("{ a: file({ path: 'a.csv' }) }")['holdfast.config.ts'] })
    const { sources } = await loadSettings({ env: { HOLDFAST_CONFIG: join(elsewhere, 'mirror.mts') }, cwd: folder() })
    assert.deepEqual(sources.get('a')?.descriptor, { kind: 'file', options: { path: join(elsewhere, 'a.csv') } })
  })

  test('is checked as a whole: every problem with its place', async () => {
    const problems = await problemsOf(
      { PORT: 'x' },
      config(`{
        Bad: file({ path: 'a.csv' }),
        one: file({ path: 'a.csv', key: [], colour: 'red' }),
        two: file({ path: 'a.dat' }),
        three: { kind: 'carrier-pigeon', options: {} },
        four: file({ path: 'a.json', nulls: ['NULL'] }),
        five: file({ path: 'a.csv', types: { n: 'float' }, guard: { maxLostShare: 2 } }),
        six: file({ path: 'a.csv', key: ['a', 'a'] }),
      }`),
    )
    const places = problems.map((problem) => /^(?:PORT|holdfast\.config\.ts: [^:]*)/.exec(problem)?.[0] ?? problem)
    assert.deepEqual(places.toSorted(), [
      'PORT',
      'holdfast.config.ts: sources.Bad',
      'holdfast.config.ts: sources.five.options.guard.maxLostShare',
      'holdfast.config.ts: sources.five.options.types.n',
      'holdfast.config.ts: sources.four.options.nulls',
      'holdfast.config.ts: sources.one.options',
      'holdfast.config.ts: sources.one.options.key',
      'holdfast.config.ts: sources.six.options.key',
      'holdfast.config.ts: sources.three.kind',
      'holdfast.config.ts: sources.two.options.format',
    ])
  })

  test('a schedule that cannot be used is named', async () => {
    const problems = await problemsOf(
      {},
      config(`{
        a: file({ path: 'a.csv', every: 'sometimes' }),
        b: file({ path: 'b.csv', every: NaN }),
        c: file({ path: 'c.csv', every: '0 0 31 2 *' }),
        d: file({ path: 'd.csv', every: '@daily' }),
      }`),
    )
    const named = problems.map(
      (problem) => /^holdfast\.config\.ts: sources\.(\w)\.options\.every: expected/.exec(problem)?.[1] ?? problem,
    )
    assert.deepEqual(named.toSorted(), ['a', 'b', 'c'])
  })

  for (const [what, text, expected] of [
    ['does not parse', 'export default {', /could not be run: SyntaxError/],
    ['throws', "throw new Error('no such team')", /could not be run: Error: no such team/],
    ['exports nothing', 'export const config = {}', /no default export/],
    ['declares no source', 'export default { sources: {} }', /at least one source/],
    ['asks for a source that does not exist', "import { pigeon } from 'holdfast'\nexport default pigeon", /pigeon/],
  ] as const) {
    test(`that ${what} is a problem`, async () => {
      assert.match((await problemsOf({}, { 'holdfast.config.ts': text })).join('\n'), expected)
    })
  }

  test('no secret is shown, wherever it turns up', async () => {
    const secrets = {
      API_KEY: 'hunter2hunter2,',
      API_KEYS: 'correct-horse,battery staple',
      BEARER_TOKEN: 'with blank inside',
      ALERT_WEBHOOK_URL: 'ftp://hooks.example/T0KEN',
      AIRTABLE_PERSONAL_TOKEN: 'pat.abcdefgh',
    }
    const text = `throw new Error('refused: ' + process.env.HOLDFAST_TEST_TOKEN + ' pat.abcdefgh correct-horse')`
    process.env['HOLDFAST_TEST_TOKEN'] = 'token-of-the-test'
    const env = { ...secrets, HOLDFAST_TEST_TOKEN: 'token-of-the-test', HOST: 'pat.abcdefgh/' }
    const told = (await problemsOf(env, { 'holdfast.config.ts': text })).join('\n')
    delete process.env['HOLDFAST_TEST_TOKEN']

    for (const secret of [...Object.values(secrets).flatMap((value) => value.split(',')), 'token-of-the-test']) {
      if (secret !== '') assert.ok(!told.includes(secret), `${secret} in ${told}`)
    }
    assert.match(told, /<HOLDFAST_TEST_TOKEN> <AIRTABLE_PERSONAL_TOKEN> <API_KEYS>/)
  })
})
