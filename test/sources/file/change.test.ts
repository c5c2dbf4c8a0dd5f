import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { appendFileSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Page } from '../../../lib/source.ts'
import { fileSource } from '../../../lib/sources/file/source.ts'
import { recordsOf, temporaryFolder, tinyLimits } from './files.ts'
import { planOptions } from '../../support/plan-options.ts'

const ROWS = Array.from({ length: 50 }, (_, id) => ({ id }))
const CHANGED = { name: 'Failure', code: 'upstream_changed' }

describe('a file that changes while it is read', () => {
  const changes: Record<string, (path: string) => void> = {
    truncated: (path) => truncateSync(path, 100),
    appended: (path) => appendFileSync(path, ' '),
    'rewritten with the same size': (path) => {
      writeFileSync(path, JSON.stringify(ROWS).replaceAll('{', '['))
      utimesSync(path, 1, 1)
    },
  }
  for (const [how, change] of Object.entries(changes)) {
    test(`${how} is upstream_changed, not malformed`, async () => {
      using reading = await startReading()
      change(reading.path)
      await assert.rejects(reading.rest(), CHANGED)
    })
  }

  test('replaced by rename is read to its end as it was', async () => {
    using reading = await startReading()
    writeFileSync(`${reading.path}.new`, '[{"id":"new"}]')
    renameSync(`${reading.path}.new`, reading.path)
    assert.deepEqual([...recordsOf(reading.first), ...(await reading.rest()).flatMap(recordsOf)], ROWS)
  })

  test('deleted is read to its end', async () => {
    using reading = await startReading()
    rmSync(reading.path)
    assert.deepEqual([...recordsOf(reading.first), ...(await reading.rest()).flatMap(recordsOf)], ROWS)
  })
})

describe('a file that changes between plan and pull', () => {
  test('is upstream_changed', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'a.json')
    writeFileSync(path, '[]')
    const source = fileSource('a', { path })
    const signal = new AbortController().signal
    const plan = await source.plan(planOptions(signal))
    writeFileSync(path, '[{"a":1}]')
    await assert.rejects(Array.fromAsync(source.pull({ plan, signal })), CHANGED)
  })

  test('has another identity', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'a.csv')
    const signal = new AbortController().signal
    const identity = async (nulls?: string[]) =>
      (await fileSource('a', { path, ...(nulls && { nulls }) }).plan(planOptions(signal))).identity
    writeFileSync(path, 'a\n1')
    const before = await identity()
    assert.notEqual(await identity(['NULL']), before)
    utimesSync(path, 1, 1)
    assert.notEqual(await identity(), before)
  })
})

test('a text that is no cursor is upstream_changed', async () => {
  using reading = await startReading()
  const signal = new AbortController().signal
  const plan = await reading.source.plan(planOptions(signal))
  for (const resumeFrom of ['', '7', 'null', '{"offset":1}', '{"offset":"1","state":{"record":1}}']) {
    await assert.rejects(Array.fromAsync(reading.source.pull({ plan, resumeFrom, signal })), CHANGED)
  }
})

describe('a watch', { timeout: 60_000 }, () => {
  const changes: Record<string, (path: string) => void | Promise<void>> = {
    'a write in place': (path) => writeFileSync(path, '[{"id":1}]'),
    'a replacement by rename': (path) => {
      writeFileSync(`${path}.new`, '[{"id":1}]')
      renameSync(`${path}.new`, path)
    },
    'a deletion and a new file': async (path) => {
      rmSync(path)
      await sleep(20)
      writeFileSync(path, '[{"id":1}]')
    },
  }
  for (const [how, change] of Object.entries(changes)) {
    test(`tells of ${how}, twice in a row`, async () => {
      using folder = temporaryFolder()
      const path = join(folder.path, 'a.json')
      writeFileSync(path, '[]')
      const calls = new EventEmitter()
      using _watch = fileSource('a', { path }).watch!(() => calls.emit('change'))
      await untilWatched(calls, path)
      for (let turn = 0; turn < 2; turn++) {
        const heard = once(calls, 'change')
        await change(path)
        await heard
      }
    })
  }
})

/** A watch does not tell when it begins to see: the file is touched until it does. */
async function untilWatched(calls: EventEmitter, path: string): Promise<void> {
  const touching = setInterval(() => utimesSync(path, new Date(), new Date()), 500)
  await once(calls, 'change')
  clearInterval(touching)
  // What is still on its way from the touches settles.
  await sleep(600)
}

async function startReading() {
  const folder = temporaryFolder()
  const path = join(folder.path, 'a.json')
  writeFileSync(path, JSON.stringify(ROWS))
  utimesSync(path, 5, 5)
  const source = fileSource('a', { path }, tinyLimits(20))
  const signal = new AbortController().signal
  const pages = source.pull({ plan: await source.plan(planOptions(signal)), signal })[Symbol.asyncIterator]()
  const { value: first } = await pages.next()
  return {
    path,
    source,
    first: first as Page,
    rest: () => Array.fromAsync({ [Symbol.asyncIterator]: () => pages }),
    [Symbol.dispose]() {
      void pages.return?.()
      folder[Symbol.dispose]()
    },
  }
}
