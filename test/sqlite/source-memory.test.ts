import assert from 'node:assert/strict'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { disk, type Files } from '../../lib/base/files.ts'
import { Failure } from '../../lib/errors.ts'
import { SourceFolder } from '../../lib/sqlite/pointer.ts'
import { sourceMemory } from '../../lib/sqlite/source-memory.ts'
import { TestSite, wares } from './site.ts'
import { tempFolder } from '../support/temp.ts'

const VALUE = { webhook: { id: 'ach1', macSecretBase64: 'c2VjcmV0', expiresAt: 1, notificationUrl: null } }

describe('what a source keeps', () => {
  test('is read as it was written, by whoever opens it next', () => {
    using temp = tempFolder()
    const folder = new SourceFolder(temp.path, 'crm')
    const memory = sourceMemory(folder)
    assert.equal(memory.read(), undefined)
    memory.write(VALUE)
    assert.deepEqual(memory.read(), VALUE)
    memory.write({ ...VALUE, more: ['ü', null] })
    assert.deepEqual(sourceMemory(new SourceFolder(temp.path, 'crm')).read(), { ...VALUE, more: ['ü', null] })
    assert.deepEqual(readdirSync(folder.path), ['source.json'], 'nothing is left beside it')
  })

  test('is readable by its owner only, even where somebody had opened it to others', () => {
    using temp = tempFolder()
    const folder = new SourceFolder(temp.path, 'crm')
    const memory = sourceMemory(folder)
    memory.write(VALUE)
    const modeOf = () => statSync(folder.file('source.json')).mode & 0o777
    assert.equal(modeOf(), 0o600)
    chmodSync(folder.file('source.json'), 0o644)
    memory.write(VALUE)
    assert.equal(modeOf(), 0o600)
  })

  test('is the old or the new, whole, wherever writing it ends', () => {
    using temp = tempFolder()
    const folder = new SourceFolder(temp.path, 'crm')
    sourceMemory(folder).write(VALUE)
    for (const [broken, expected] of [
      ['memory:replace', VALUE],
      ['memory:sync-folder', { next: true }],
    ] as const) {
      const fail = (step: string) => {
        if (step === broken) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      }
      const files: Files = {
        ...disk,
        sync: (step, path) => (fail(step), disk.sync(step, path)),
        replace: (step, path, text, mode) => (fail(step), disk.replace(step, path, text, mode)),
      }
      assert.throws(() => sourceMemory(folder, files).write({ next: true }), /no space/)
      assert.deepEqual(sourceMemory(folder).read(), expected)
    }
  })

  test('that is damaged is told of without showing what it holds', () => {
    using temp = tempFolder()
    const folder = new SourceFolder(temp.path, 'crm')
    writeFileSync(folder.file('source.json'), '{"webhook":{"macSecretBase64":"c2VjcmV0')
    const isTold = (error: unknown) =>
      error instanceof Failure &&
      error.code === 'disk_failed' &&
      !/c2VjcmV0/.test(`${error.message} ${String(error.cause)}`)
    assert.throws(() => sourceMemory(folder).read(), isTold)
  })

  test('outlives publishes, resets and what they clean up', async () => {
    using site = new TestSite()
    const memory = sourceMemory(site.folder())
    memory.write(VALUE)
    const written = readFileSync(site.folder().file('source.json'))
    for (let sku = 0; sku < 4; sku++) {
      await site.sync(wares([{ sku }]))
      site.clock.move(86_400_000)
    }
    await site.control.reset('wares')
    assert.ok(existsSync(site.folder().file('source.json')))
    assert.deepEqual(readFileSync(site.folder().file('source.json')), written)
  })
})
