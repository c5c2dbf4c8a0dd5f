import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { lintBlueprint } from './render-rules.ts'

const ROOT = new URL('../../', import.meta.url)
const text = readFileSync(new URL('render.yaml', ROOT), 'utf8')

interface Service {
  [key: string]: unknown
  name: string
  type: string
  startCommand: string
  envVars: { key: string; value?: string; [key: string]: unknown }[]
  disk?: { mountPath: string; [key: string]: unknown }
}

function blueprint(): { services: [Service, Service]; [key: string]: unknown } {
  return parse(text) as { services: [Service, Service] }
}

const valueOf = (service: Service, key: string) => service.envVars.find((entry) => entry.key === key)?.value

describe('render.yaml', () => {
  test('keeps the rules of Render', () => {
    assert.deepEqual(lintBlueprint(blueprint()), [])
  })

  test('starts files that exist', () => {
    for (const { startCommand } of blueprint().services) {
      const path = /^node (\S+\.ts)/.exec(startCommand)?.[1]
      assert.ok(path !== undefined && existsSync(new URL(path, ROOT)), startCommand)
    }
  })

  test('runs on a Node.js that the package takes', () => {
    const { engines } = JSON.parse(readFileSync(new URL('package.json', ROOT), 'utf8')) as { engines: { node: string } }
    const major = /\d+/.exec(engines.node)?.[0]
    for (const service of blueprint().services) assert.equal(valueOf(service, 'NODE_VERSION'), major)
  })

  test('keeps its data on the disk, listens to all, and is asked for its life, not for its data', () => {
    const [web] = blueprint().services
    assert.equal(valueOf(web, 'DATA_DIR'), web.disk?.mountPath)
    assert.equal(valueOf(web, 'HOST'), '0.0.0.0')
    assert.equal(web['healthCheckPath'], '/health')
  })

  test('holds no secret', () => {
    for (const { envVars } of blueprint().services) {
      for (const entry of envVars) {
        if (/KEY|TOKEN|SECRET|PASSWORD/.test(entry.key)) assert.equal(entry.value, undefined, entry.key)
      }
    }
  })
})

/** Each breaks one rule of a file that keeps them all. */
const BROKEN: [what: string, expected: RegExp, change: (file: ReturnType<typeof blueprint>) => void][] = [
  ['an unknown key at the top', /unknown key `service`/, (file) => (file['service'] = [])],
  [
    'services that are no list',
    /services: must be a list/,
    (file) => ((file as Record<string, unknown>)['services'] = {}),
  ],
  ['two services of one name', /name of two services/, ({ services: [web, cron] }) => (cron.name = web.name)],
  ['an unknown type', /has type "website"/, ({ services: [web] }) => (web.type = 'website')],
  ['the type redis', /is now `keyvalue`/, ({ services: [web] }) => (web.type = 'redis')],
  [
    'a key-value store without ipAllowList',
    /ipAllowList/,
    ({ services }) => services.push({ type: 'keyvalue', name: 'kv' } as unknown as Service),
  ],
  ['the deprecated `env`', /`env` is now `runtime`/, ({ services: [web] }) => (web['env'] = 'node')],
  ['the deprecated `autoDeploy`', /now `autoDeployTrigger`/, ({ services: [web] }) => (web['autoDeploy'] = true)],
  ['a bare off', /autoDeployTrigger/, ({ services: [web] }) => (web['autoDeployTrigger'] = false)],
  [
    'an unknown key of a service',
    /`healthCheckInterval` is not known/,
    ({ services: [web] }) => (web['healthCheckInterval'] = 5),
  ],
  ['no runtime', /needs a `runtime`/, ({ services: [web] }) => delete web['runtime']],
  ['an unknown runtime', /runtime "nodejs"/, ({ services: [web] }) => (web['runtime'] = 'nodejs')],
  ['no build command', /needs a `buildCommand`/, ({ services: [web] }) => delete web['buildCommand']],
  ['no start command', /needs a `startCommand`/, ({ services: [web] }) => (web.startCommand = '')],
  ['a health path that is no path', /starts with \//, ({ services: [web] }) => (web['healthCheckPath'] = 'health')],
  [
    'a health path on a cron service',
    /`healthCheckPath` is not known for type cron/,
    ({ services: [, cron] }) => (cron['healthCheckPath'] = '/health'),
  ],
  ['a shutdown delay out of bounds', /1 to 300/, ({ services: [web] }) => (web['maxShutdownDelaySeconds'] = 301)],
  ['a disk on a free service', /paid `plan`/, ({ services: [web] }) => (web['plan'] = 'free')],
  ['a disk without a plan', /paid `plan`/, ({ services: [web] }) => delete web['plan']],
  [
    'a disk on a cron service',
    /`disk` is not known for type cron/,
    ({ services: [web, cron] }) => (cron.disk = web.disk!),
  ],
  ['a disk on a static site', /static, which has no disk/, ({ services: [web] }) => (web['runtime'] = 'static')],
  ['a disk and two instances', /exactly one instance/, ({ services: [web] }) => (web['numInstances'] = 2)],
  [
    'a disk and autoscaling',
    /no autoscaling/,
    ({ services: [web] }) => (web['scaling'] = { minInstances: 1, maxInstances: 2 }),
  ],
  ['a disk without a name', /`disk` needs a name/, ({ services: [web] }) => delete web.disk!['name']],
  ['a disk over the source', /cannot be/, ({ services: [web] }) => (web.disk!.mountPath = '/opt/render/project/src/')],
  ['a disk at a relative path', /absolute path/, ({ services: [web] }) => (web.disk!.mountPath = 'data')],
  ['a disk of no size', /sizeGB/, ({ services: [web] }) => (web.disk!['sizeGB'] = 0.5)],
  ['an unknown key of a disk', /`disk.size` is not known/, ({ services: [web] }) => (web.disk!['size'] = 1)],
  ['no schedule', /needs a `schedule`/, ({ services: [, cron] }) => delete cron['schedule']],
  ['a schedule of six fields', /five fields/, ({ services: [, cron] }) => (cron['schedule'] = '0 0 * * * *')],
  ['a schedule out of bounds', /five fields/, ({ services: [, cron] }) => (cron['schedule'] = '0 24 * * *')],
  ['a free cron service', /no free plan/, ({ services: [, cron] }) => (cron['plan'] = 'free')],
  ['a variable without a key', /needs a `key`/, ({ services: [web] }) => web.envVars.push({ value: 'x' } as never)],
  ['a variable without a value', /exactly one of/, ({ services: [web] }) => web.envVars.push({ key: 'X' })],
  [
    'a variable with two values',
    /exactly one of/,
    ({ services: [web] }) => web.envVars.push({ key: 'X', value: 'x', sync: false }),
  ],
  [
    'a value that is a boolean',
    /quote true, false and off/,
    ({ services: [web] }) => web.envVars.push({ key: 'X', value: true as never }),
  ],
  [
    'a value that counts on interpolation',
    /nothing is inserted/,
    ({ services: [web] }) => web.envVars.push({ key: 'X', value: 'http://${HOST}' }),
  ],
  [
    'a generated value that is text',
    /`generateValue` is true/,
    ({ services: [web] }) => web.envVars.push({ key: 'X', generateValue: 'yes' }),
  ],
  [
    'a placeholder that is true',
    /`sync` is false/,
    ({ services: [web] }) => web.envVars.push({ key: 'X', sync: true }),
  ],
  ['a variable set twice', /sets HOST twice/, ({ services: [web] }) => web.envVars.push({ key: 'HOST', value: '::' })],
  ['a group next to a value', /stands alone/, ({ services: [web] }) => web.envVars.push({ key: 'X', fromGroup: 'g' })],
  [
    'a reference to nobody',
    /which is not here/,
    ({ services: [, cron] }) => cron.envVars.push(from({ type: 'web', name: 'x', property: 'host' })),
  ],
  [
    'a reference with the wrong type',
    /is not that of holdfast/,
    ({ services: [, cron] }) => cron.envVars.push(from({ type: 'pserv', name: 'holdfast', property: 'host' })),
  ],
  [
    'a reference to a url',
    /`property` is one of host, port, hostport/,
    ({ services: [, cron] }) => cron.envVars.push(from({ type: 'web', name: 'holdfast', property: 'url' })),
  ],
  [
    'a reference to nothing',
    /`property` or `envVarKey`/,
    ({ services: [, cron] }) => cron.envVars.push(from({ type: 'web', name: 'holdfast' })),
  ],
  [
    'a reference to a variable that is not set',
    /has no variable "NOPE"/,
    ({ services: [, cron] }) => cron.envVars.push(from({ type: 'web', name: 'holdfast', envVarKey: 'NOPE' })),
  ],
  [
    'an address of a cron service',
    /cannot receive/,
    ({ services: [web] }) => web.envVars.push(from({ type: 'cron', name: 'holdfast-refresh', property: 'host' })),
  ],
  ['an address of a free service', /cannot receive/, ({ services: [web] }) => (web['plan'] = 'free')],
  [
    'a placeholder in a group',
    /`value` or `generateValue` only/,
    (file) => (file['envVarGroups'] = [{ name: 'g', envVars: [{ key: 'X', sync: false }] }]),
  ],
]

function from(reference: Record<string, string>) {
  return { key: 'REFERENCE', fromService: reference }
}

describe('the rules of Render refuse', () => {
  for (const [what, expected, change] of BROKEN) {
    test(what, () => {
      const file = blueprint()
      change(file)
      assert.match(lintBlueprint(file).join('\n'), expected)
    })
  }
})
