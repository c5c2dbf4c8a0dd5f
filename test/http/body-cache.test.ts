import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { BodyCache, type BodyLease } from '../../lib/http/body-cache.ts'
import { LoadingFile } from '../../lib/http/loading-file.ts'
import { until } from './fakes.ts'

/** More than is read before anyone is answered. */
const LARGE = 12_000_000

function folder(t: TestContext): (name: string, size: number) => string {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-bodies-'))
  t.after(() => rmSync(path, { recursive: true }))
  return (name, size) => {
    writeFileSync(join(path, name), Buffer.alloc(size, name))
    return join(path, name)
  }
}

function take(cache: BodyCache, file: string, owner: string): Promise<BodyLease | undefined> {
  return cache.take(file, owner, async () => statSync(file).size)
}

describe('the body cache', () => {
  test('loads a body once, however many ask at the same time', async (t) => {
    const file = folder(t)('a', 1000)
    const cache = new BodyCache(5000)
    const leases = await Promise.all(Array.from({ length: 50 }, () => take(cache, file, 'o')))
    assert.equal(new Set(leases.map((lease) => lease?.bytes)).size, 1)
    assert.equal(cache.heldBytes, 1000)
  })

  test('drops the least recently used first', async (t) => {
    const make = folder(t)
    const [a, b, c] = [make('a', 400), make('b', 400), make('c', 400)]
    const cache = new BodyCache(1000)
    for (const file of [a, b, a, c]) (await take(cache, file, 'o'))![Symbol.dispose]()
    assert.ok(cache.peek(a) && cache.peek(c))
    assert.equal(cache.peek(b), undefined)
    assert.equal(cache.heldBytes, 800)
  })

  test('never evicts or outgrows what is being read: what does not fit is refused', async (t) => {
    const make = folder(t)
    const cache = new BodyCache(1000)
    const reading = (await take(cache, make('a', 800), 'old'))!
    assert.equal(await take(cache, make('b', 800), 'new'), undefined)
    cache.drop('old')
    assert.equal(cache.heldBytes, 800, 'still in the hands of a reader')
    assert.equal(await take(cache, make('b', 800), 'new'), undefined)
    reading[Symbol.dispose]()
    reading[Symbol.dispose]()
    assert.equal(cache.heldBytes, 0)
    assert.ok(await take(cache, make('b', 800), 'new'))
  })

  test('a body larger than all of it is refused', async (t) => {
    assert.equal(await take(new BodyCache(10), folder(t)('a', 11), 'o'), undefined)
  })

  test('a file that is gone fails, and is tried again the next time', async (t) => {
    const make = folder(t)
    const file = make('a', 10)
    rmSync(file)
    const cache = new BodyCache(100)
    await assert.rejects(take(cache, file, 'o'), { code: 'ENOENT' })
    assert.equal(cache.heldBytes, 0)
    make('a', 10)
    assert.equal((await take(cache, file, 'o'))!.size, 10)
  })

  test('lends a body while it is still being read, and whole once it is', async (t) => {
    const file = folder(t)('a', LARGE)
    const cache = new BodyCache(2 * LARGE)
    const leases = await Promise.all([take(cache, file, 'o'), take(cache, file, 'o')])
    assert.deepEqual(
      leases.map((lease) => lease!.bytes),
      [undefined, undefined],
    )
    assert.equal(cache.peek(file), undefined)
    const sums = await Promise.all(leases.map((lease) => total(lease!.pieces())))
    assert.deepEqual(sums, [LARGE, LARGE])
    assert.equal(cache.peek(file)!.bytes, leases[0]!.bytes)
    assert.equal(cache.heldBytes, LARGE)
  })

  test('counts what is still being read, though it was dropped and nobody wants it any more', async (t) => {
    const cache = new BodyCache(2 * LARGE)
    const lease = (await take(cache, folder(t)('a', LARGE), 'old'))!
    cache.drop('old')
    lease[Symbol.dispose]()
    assert.equal(lease.bytes, undefined, 'it is still being read')
    assert.deepEqual([cache.heldBytes, cache.lingeringBytes], [LARGE, LARGE])
    await until(() => cache.heldBytes === 0)
    assert.equal(cache.lingeringBytes, 0)
  })
})

describe('a file on its way into memory', () => {
  test('fails its readers when it ends too early, those that come later too', async (t) => {
    const content = new LoadingFile(folder(t)('a', LARGE), LARGE + 1)
    await content.begun
    for (let reader = 0; reader < 2; reader++) await assert.rejects(total(content.pieces()), /shorter/)
    await assert.rejects(content.done, /shorter/)
    assert.equal(content.bytes, undefined)
  })

  test('may be empty', async (t) => {
    const content = new LoadingFile(folder(t)('a', 0), 0)
    await content.begun
    assert.equal(await total(content.pieces()), 0)
    assert.equal(content.bytes?.length, 0)
    await content.done
  })
})

async function total(pieces: AsyncIterable<Buffer>): Promise<number> {
  let sum = 0
  for await (const piece of pieces) sum += piece.length
  return sum
}
