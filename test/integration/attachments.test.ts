import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Base } from '../../simulators/airtable/base.ts'
import { startSimulator, type Simulator } from '../../simulators/airtable/simulator.ts'
import { Site, until, type Process, type Server } from '../support/holdfast.ts'

const LIB = fileURLToPath(new URL('../../lib/index.ts', import.meta.url))
/** What URLs have that Airtable signs; here those of the simulator. */
const SIGNED = /\/files\/v3\/u\//
const file = { kind: 'file' } as const

interface Counts {
  readonly mirrored: number
  readonly waiting: number
  readonly failed: number
  readonly trouble: { readonly code: string } | null
}

/** A simulated base with one attachment in each record, and the processes that mirror it as `crm`. */
class Album {
  readonly site: Site
  readonly base: Base
  readonly sim: Simulator
  readonly env: Record<string, string>

  constructor(parts: { site: Site; base: Base; sim: Simulator; env: Record<string, string> }) {
    this.site = parts.site
    this.base = parts.base
    this.sim = parts.sim
    this.env = parts.env
  }

  /** `files` with `bytes` each. */
  static async open(t: TestContext, { files, bytes = 2000 }: { files: number; bytes?: number }): Promise<Album> {
    const base = new Base({ seed: 7 })
    base.createTable({
      name: 'Album',
      fields: [
        { name: 'Name', type: 'singleLineText' },
        { name: 'Files', type: 'multipleAttachments', options: { isReversed: false } },
      ],
    })
    for (let index = 0; index < files; index++) addTo(base, index, bytes)
    const sim = await startSimulator({ base })
    const site = new Site()
    t.after(async () => {
      await site[Symbol.asyncDispose]()
      await sim[Symbol.asyncDispose]()
    })
    const config = site.folder.file('airtable.config.ts')
    const options = { baseId: base.id, token: sim.token, endpointUrl: sim.url, every: 'off' }
    writeFileSync(
      config,
      `import { airtable, defineConfig } from ${JSON.stringify(LIB)}
       export default defineConfig({ sources: { crm: airtable(${JSON.stringify(options)}) } })`,
    )
    return new Album({ site, base, sim, env: { HOLDFAST_CONFIG: config, LEASE_TTL: '1000' } })
  }

  get folder(): string {
    return join(this.site.dataDir, 'sources/crm/files')
  }

  /** Names of files, without the index. */
  names(folder = this.folder): string[] {
    return existsSync(folder) ? readdirSync(folder).filter((name) => !name.startsWith('index.sqlite')) : []
  }

  /** Of all attachments that records have. */
  get ids(): string[] {
    const records = this.base.table('Album').readAll()
    return records.flatMap(({ fields }) => (fields['Files'] as { id: string }[] | undefined)?.map(({ id }) => id) ?? [])
  }

  server(env: Record<string, string> = {}): Promise<Server> {
    return this.site.server({ ...this.env, ...env })
  }

  worker(args: readonly string[] = [], env: Record<string, string> = {}): Process {
    return this.site.worker(args, { ...this.env, ...env })
  }

  /** How often each file was asked for. */
  get downloads(): number[] {
    const paths = this.sim.requests.filter(({ kind }) => kind === 'file').map(({ path }) => /att\w{14}/.exec(path)?.[0])
    return [...Map.groupBy(paths, (id) => id).values()].map(({ length }) => length)
  }

  /** That each file is whole here, under the URL that its row has. */
  async assertMirrored(server: Server): Promise<void> {
    const { records } = (await (await server.get('/api/tables/Album?limit=1000')).json()) as {
      records: { Files: { id: string; url: string; filename: string }[] }[]
    }
    const cells = records.flatMap(({ Files }) => Files)
    assert.deepEqual(cells.map(({ id }) => id).toSorted(), this.ids.toSorted())
    for (const { id, url, filename } of cells) {
      assert.equal(url, `/api/attachments/${id}`)
      const answer = await server.get(url)
      assert.equal(answer.status, 200, `${id}: ${answer.status}`)
      assert.deepEqual(Buffer.from(await answer.arrayBuffer()), this.sim.bytesOf({ id }), id)
      assert.match(answer.headers.get('content-disposition') ?? '', new RegExp(`filename="${filename}"`))
    }
    assert.deepEqual(this.names().toSorted(), this.ids.toSorted())
  }
}

function addTo(base: Base, index: number, bytes = 2000): string {
  const photo = base.attachments.create({ filename: `photo-${index}.png`, type: 'image/png', size: bytes })
  return base.table('Album').create({ Name: `photo ${index}`, Files: [photo] }).id
}

async function countsOf(server: Server): Promise<Counts | null> {
  const { sources } = (await (await server.get('/status')).json()) as { sources: { attachments: Counts | null }[] }
  return sources[0]?.attachments ?? null
}

async function untilCounted(server: Server, isIt: (counts: Counts) => boolean): Promise<void> {
  let counts: Counts | null = null
  const look = async () => ((counts = await countsOf(server)) !== null && isIt(counts) ? true : undefined)
  await until(look, { what: () => `other counts than ${JSON.stringify(counts)}` })
}

describe('attachments of a base', () => {
  test('are mirrored beside its rows: byte for byte, once, under URLs that stay, and no signed URL is left', async (t) => {
    const album = await Album.open(t, { files: 12 })
    const server = await album.server()
    await untilCounted(server, ({ mirrored }) => mirrored === 12)
    await album.assertMirrored(server)
    assert.deepEqual(
      album.downloads,
      Array.from({ length: 12 }, () => 1),
    )

    const [id = ''] = album.ids
    const { headers } = await server.get(`/api/attachments/${id}`)
    const table = await server.get('/api/tables/Album')
    addTo(album.base, 12)
    await server.post('/refresh')
    await untilCounted(server, ({ mirrored }) => mirrored === 13)
    await album.assertMirrored(server)
    assert.deepEqual(
      album.downloads,
      Array.from({ length: 13 }, () => 1),
    )
    const again = await server.get(`/api/attachments/${id}`, { 'If-None-Match': headers.get('etag') ?? '' })
    assert.equal(again.status, 304)

    server.kill('SIGTERM')
    assert.equal(await server.ended, 0)
    assert.doesNotMatch(server.output() + (await table.text()), SIGNED)
    for (const name of readdirSync(album.site.dataDir, { recursive: true, encoding: 'utf8' })) {
      const path = join(album.site.dataDir, name)
      if (!/\.(sqlite|json)/.test(name)) continue
      assert.doesNotMatch(readFileSync(path, 'latin1'), SIGNED, name)
    }
  })

  test('that are removed are gone for readers with the publish', async (t) => {
    const album = await Album.open(t, { files: 2 })
    const server = await album.server()
    await untilCounted(server, ({ mirrored }) => mirrored === 2)
    const [gone = ''] = album.ids
    const [record] = album.base.table('Album').readAll()
    album.base.table('Album').update(record?.id ?? '', { Files: [] })
    await server.post('/refresh')
    await until(async () => (await server.get(`/api/attachments/${gone}`)).status === 404, {
      what: 'the file to be gone',
    })
    assert.ok(existsSync(join(album.folder, gone)), 'it stays on disk for a rollback')
  })

  test('are there when a worker that is told to sync once has ended', async (t) => {
    const album = await Album.open(t, { files: 8 })
    const worker = album.worker(['--once'])
    assert.equal(await worker.ended, 0, worker.output())
    assert.deepEqual(album.names().toSorted(), album.ids.toSorted())
    addTo(album.base, 8)
    const again = album.worker(['--once', 'crm'])
    assert.equal(await again.ended, 0, again.output())
    const server = await album.server({ SYNC_IN_SERVER: 'false' })
    await album.assertMirrored(server)
  })

  test('lie under STORAGE_PATH, where it is set', async (t) => {
    const album = await Album.open(t, { files: 3 })
    const env = { STORAGE_PATH: album.site.folder.file('storage') }
    const worker = album.worker(['--once'], env)
    assert.equal(await worker.ended, 0, worker.output())
    assert.deepEqual(album.names(join(env.STORAGE_PATH, 'crm')).toSorted(), album.ids.toSorted(), worker.output())
    assert.deepEqual(album.names(), [])
    const server = await album.server({ ...env, SYNC_IN_SERVER: 'false' })
    const [id = ''] = album.ids
    assert.equal((await server.get(`/api/attachments/${id}`)).status, 200)
  })

  test('are fetched once, though a server and two workers are at it', async (t) => {
    const album = await Album.open(t, { files: 60 })
    album.sim.fault({ match: file, kind: 'slow', delayMs: 50, times: 60 })
    const server = await album.server()
    album.worker()
    album.worker()
    await untilCounted(server, ({ mirrored }) => mirrored === 60)
    await album.assertMirrored(server)
    assert.deepEqual(
      album.downloads,
      Array.from({ length: 60 }, () => 1),
    )
  })

  test('whose URLs are refused are asked for by their records again', async (t) => {
    const album = await Album.open(t, { files: 6 })
    album.sim.fault({ match: file, kind: 'forbidden', times: 4 })
    album.sim.fault({ match: file, kind: 'cut', times: 2 })
    const server = await album.server()
    await untilCounted(server, ({ mirrored }) => mirrored === 6)
    await album.assertMirrored(server)
  })

  test('that the upstream refuses for good are told of; all else is served', async (t) => {
    const album = await Album.open(t, { files: 3 })
    const [refused = ''] = album.ids
    album.sim.fault({ match: { ...file, path: refused }, kind: 'forbidden', times: 100 })
    const server = await album.server()
    await untilCounted(server, ({ mirrored, failed }) => mirrored === 2 && failed === 1)
    const answer = await server.get(`/api/attachments/${refused}`)
    assert.equal(answer.status, 502)
    assert.equal(((await answer.json()) as { code: string }).code, 'attachment_failed')
    const { warnings } = (await (await server.get('/status')).json()) as { warnings: string[] }
    assert.match(warnings.join('\n'), /could not be fetched: 1/)
  })
})

describe('a process that ends in the middle of a file', () => {
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    test(`by ${signal} leaves nothing half under its name, and the next one goes on`, async (t) => {
      const album = await Album.open(t, { files: 12, bytes: 300_000 })
      album.sim.fault({ match: file, kind: 'stall', skip: 4, times: 5 })
      const first = await album.server()
      await until(() => album.downloads.length >= 9 && album.names().some((name) => name.endsWith('.part')), {
        what: () => `files that stall; there are ${album.names().join(', ')}`,
      })
      first.kill(signal)
      assert.equal(await first.ended, signal === 'SIGTERM' ? 0 : signal)
      const left = album.names()
      for (const name of left.filter((one) => !one.endsWith('.part'))) {
        assert.deepEqual(readFileSync(join(album.folder, name)), album.sim.bytesOf({ id: name }), name)
      }
      assert.equal(
        left.some((name) => name.endsWith('.part')),
        signal === 'SIGKILL',
      )

      const second = await album.server()
      await untilCounted(second, ({ mirrored }) => mirrored === 12)
      await album.assertMirrored(second)
    })
  }

  test('is followed by another that runs already', async (t) => {
    const album = await Album.open(t, { files: 8, bytes: 300_000 })
    album.sim.fault({ match: file, kind: 'stall', times: 5 })
    const first = album.worker()
    await until(() => album.downloads.length >= 5, { what: () => `downloads; ${first.output()}` })
    const server = await album.server()
    first.kill('SIGKILL')
    await first.ended
    await untilCounted(server, ({ mirrored }) => mirrored === 8)
    await album.assertMirrored(server)
  })
})

describe('a volume that is full', () => {
  test('holds up files alone: rows are served, /status says why, and it goes on once there is room', async (t) => {
    const album = await Album.open(t, { files: 8, bytes: 1_000_000 })
    const storage = album.site.folder.file('storage')
    mkdirSync(storage)
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=5m', 'tmpfs', storage], { stdio: 'ignore' })
    } catch {
      assert.ok(process.env.CI === undefined, 'CI can mount a volume of its own, and does not skip this')
      return t.skip('skipped: no volume of its own can be mounted here')
    }
    try {
      const server = await album.server({ STORAGE_PATH: storage })
      await untilCounted(server, ({ trouble, mirrored }) => trouble?.code === 'disk_failed' && mirrored >= 2)
      const answer = (await (await server.get('/api/tables/Album')).json()) as { records: unknown[] }
      assert.equal(answer.records.length, 8)
      for (const name of album.names(join(storage, 'crm'))) {
        assert.deepEqual(readFileSync(join(storage, 'crm', name)), album.sim.bytesOf({ id: name }), name)
      }
      execFileSync('mount', ['-o', 'remount,size=20m', storage], { stdio: 'ignore' })
      addTo(album.base, 8)
      await server.post('/refresh')
      await untilCounted(server, ({ mirrored, trouble }) => mirrored === 9 && trouble === null)
      server.kill('SIGTERM')
      await server.ended
    } finally {
      execFileSync('umount', ['-l', storage])
    }
  })
})
