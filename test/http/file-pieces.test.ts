import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { filePieces } from '../../lib/http/file-pieces.ts'

const SIZE = 9_000_001
const LARGE_BYTES = 2 * 1024 * 1024
const SMALL_BYTES = 128 * 1024
const MAX_LARGE_READERS = 16

async function fileOf(t: TestContext, content: Buffer): Promise<{ handle: FileHandle; path: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-pieces-'))
  const path = join(folder, 'file')
  writeFileSync(path, content)
  const handle = await open(path)
  t.after(async () => {
    await handle.close()
    rmSync(folder, { recursive: true })
  })
  return { handle, path }
}

/** All of it, each piece copied before the next one takes its place. */
async function all(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const copies: Buffer[] = []
  for await (const piece of pieces) copies.push(Buffer.from(piece))
  return Buffer.concat(copies)
}

describe('the pieces of a file', () => {
  test('are the range that was asked for, whatever its length', async (t) => {
    const content = randomBytes(SIZE)
    const { handle } = await fileOf(t, content)
    const lengths = [0, 1, SMALL_BYTES, SMALL_BYTES + 1, 2 * SMALL_BYTES + 1, LARGE_BYTES, 3_000_000, SIZE - 7]
    for (const length of lengths) {
      const range = await all(filePieces(handle, 7, length))
      assert.ok(range.equals(content.subarray(7, 7 + length)), `${length} bytes`)
    }
    assert.ok((await all(filePieces(handle, 0, SIZE))).equals(content))
  })

  test('begin small and grow', async (t) => {
    const { handle } = await fileOf(t, randomBytes(SIZE))
    const lengths: number[] = []
    for await (const { length } of filePieces(handle, 0, SIZE)) lengths.push(length)
    assert.deepEqual(
      lengths.slice(0, 4),
      [2, 4, 8, 16].map((times) => times * SMALL_BYTES),
    )
    assert.equal(Math.max(...lengths), LARGE_BYTES)
  })

  test('need no more memory than there are bytes', async (t) => {
    const { handle } = await fileOf(t, randomBytes(1000))
    for await (const { buffer } of filePieces(handle, 0, 1000)) assert.equal(buffer.byteLength, 1000)
  })

  test('use large buffers for so many readers, small ones for the others, and the same ones again', async (t) => {
    const content = randomBytes(SIZE)
    const { handle } = await fileOf(t, content)
    const begin = async () => {
      const reader = filePieces(handle, 0, SIZE)
      const { value } = await reader.next()
      return { reader, first: value!.buffer }
    }
    const seen = new Set<unknown>()
    const rounds = 3
    for (let round = 0; round < rounds; round++) {
      const large = await Promise.all(Array.from({ length: MAX_LARGE_READERS }, begin))
      for (const { first } of large) assert.equal(first.byteLength, LARGE_BYTES)
      const other = await begin()
      assert.equal(other.first.byteLength, SMALL_BYTES)
      assert.ok((await all(other.reader)).equals(content.subarray(SMALL_BYTES)), 'it goes on by small pieces')
      const buffers = new Set<unknown>(large.map(({ first }) => first))
      assert.equal(buffers.size, MAX_LARGE_READERS, 'nobody reads into the buffer of another')
      for (const buffer of buffers) seen.add(buffer)
      // Those of a reader that leaves early are let go: something may still be under way to it.
      for (const { reader } of large.slice(2)) await reader.return()
      for (const { reader } of large.slice(0, 2)) await all(reader)
    }
    assert.ok(seen.size < rounds * MAX_LARGE_READERS, 'some are kept')
  })

  test('are fewer than announced only as a failure', async (t) => {
    const { handle, path } = await fileOf(t, randomBytes(SIZE))
    const reader = filePieces(handle, 0, SIZE)
    await reader.next()
    truncateSync(path, 1_000_000)
    await assert.rejects(all(reader), /a file became shorter while it was sent/)
  })
})
