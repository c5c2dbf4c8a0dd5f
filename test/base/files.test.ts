import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { bootId } from '../../lib/base/boot.ts'
import { systemClock } from '../../lib/base/clock.ts'
import { disk } from '../../lib/base/files.ts'
import { tempFolder } from '../support/temp.ts'

describe('the disk', () => {
  test('replaces a file in one step and leaves nothing beside it, also where the folder is yet to be made', () => {
    using folder = tempFolder()
    const path = folder.file('new/active.json')
    disk.replace('step', path, 'one')
    disk.replace('step', path, 'two „ü“')
    assert.equal(readFileSync(path, 'utf8'), 'two „ü“')
    assert.deepEqual(readdirSync(folder.file('new')), ['active.json'])
  })

  test('keeps the old text when it cannot write the new one', () => {
    using folder = tempFolder()
    mkdirSync(folder.file('taken'))
    writeFileSync(folder.file('taken/inside'), 'old')
    assert.throws(() => disk.replace('step', folder.file('taken'), 'new'))
    assert.deepEqual(readdirSync(folder.path), ['taken'])
    assert.equal(readFileSync(folder.file('taken/inside'), 'utf8'), 'old')
  })

  test('syncs files and folders, and says when there is nothing to sync', () => {
    using folder = tempFolder()
    writeFileSync(folder.file('a'), 'x')
    disk.sync('step', folder.file('a'))
    disk.sync('step', folder.path)
    assert.throws(() => disk.sync('step', folder.file('b')), { code: 'ENOENT' })
  })

  test('renames, and removes whether or not there is anything', () => {
    using folder = tempFolder()
    writeFileSync(folder.file('a'), 'x')
    disk.rename('step', folder.file('a'), folder.file('b'))
    assert.ok(!existsSync(folder.file('a')))
    disk.remove('step', folder.file('b'))
    disk.remove('step', folder.file('b'))
    assert.deepEqual(readdirSync(folder.path), [])
    assert.throws(() => disk.rename('step', folder.file('a'), folder.file('b')), { code: 'ENOENT' })
  })
})

describe('the clock', () => {
  test('sleeps until its time or its signal, whichever comes first, and never rejects', async () => {
    await systemClock.sleep(1)
    await systemClock.sleep(1e9, AbortSignal.abort())
    const ending = new AbortController()
    const sleeping = systemClock.sleep(1e9, ending.signal)
    ending.abort(new Error('not thrown'))
    await sleeping
    assert.ok(Math.abs(systemClock.now() - Date.now()) < 60_000)
  })
})

test('the name of this boot is the same each time it is asked for', () => {
  assert.match(bootId(), /^\S+$/)
  assert.equal(bootId(), bootId())
})
