import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { parse } from 'yaml'

const ROOT = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
const exists = (path: string) => existsSync(new URL(path, ROOT))

const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ')
const instructions = dockerfile
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#'))
  .map((line) => {
    const [name = '', ...rest] = line.trim().split(/\s+/)
    return { name, rest: rest.join(' ') }
  })
const last = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'))
const all = (name: string) => last.filter((instruction) => instruction.name === name).map(({ rest }) => rest)

describe('the Dockerfile', () => {
  test('copies only what exists and what reaches the builder', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    for (const { name, rest } of instructions) {
      if (name !== 'COPY' || rest.startsWith('--from')) continue
      for (const path of rest.split(' ').slice(0, -1)) {
        assert.ok(exists(path), `${path} is copied and does not exist`)
        assert.ok(allowed.includes(path), `${path} is copied and kept out by .dockerignore`)
      }
    }
  })

  test('runs an entry file, as somebody who is not root, on the Node.js that the package takes', () => {
    assert.deepEqual(all('CMD'), ['["node", "server.ts"]'])
    assert.ok(exists('server.ts'))
    assert.deepEqual(all('USER'), ['node'])
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } }
    const major = /\d+/.exec(engines.node)?.[0]
    for (const { name, rest } of instructions)
      if (name === 'FROM') assert.match(rest, new RegExp(`^node:${major}-slim`))
  })

  test('listens to all, keeps its data on a volume, and is asked for its life', () => {
    assert.match(all('ENV').join(' '), /HOST=0\.0\.0\.0/)
    assert.match(all('ENV').join(' '), /DATA_DIR=\/data/)
    assert.deepEqual(all('VOLUME'), ['/data'])
    assert.match(all('HEALTHCHECK').join(' '), /\/health/)
  })

  test('takes no development packages and no secret', () => {
    assert.match(dockerfile, /npm ci --omit=dev/)
    assert.doesNotMatch(dockerfile, /(?:KEY|TOKEN|SECRET|PASSWORD)=/)
  })
})

describe('compose.yaml', () => {
  const { services, volumes } = parse(read('compose.yaml')) as {
    services: Record<'web' | 'worker', { environment: Record<string, string>; volumes: string[]; command?: string[] }>
    volumes: Record<string, unknown>
  }

  test('web and worker share the volume, and the worker does all syncing', () => {
    assert.deepEqual(services.web.volumes, services.worker.volumes)
    assert.ok(services.web.volumes.every((volume) => Object.keys(volumes).some((name) => volume === `${name}:/data`)))
    assert.equal(services.web.environment['SYNC_IN_SERVER'], 'false')
    assert.deepEqual(services.worker.command, ['node', 'sync-worker.ts'])
    assert.ok(exists('sync-worker.ts'))
  })

  test('holds no secret', () => {
    for (const service of Object.values(services)) {
      for (const [name, value] of Object.entries(service.environment)) {
        if (/KEY|TOKEN|SECRET|PASSWORD/.test(name)) assert.match(value, /^\$\{\w+:-\}$/)
      }
    }
  })
})
