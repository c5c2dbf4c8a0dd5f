import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Site, until } from '../support/holdfast.ts'
import { changedRows, sampleRows, type SampleRow } from '../support/rows.ts'
import { WatchfulReader } from '../support/watchful-reader.ts'

const PUBLISHES = 50

test(`readers during ${PUBLISHES} syncs in a row see one snapshot, old or new, and no error`, async () => {
  await using site = new Site()
  let rows: SampleRow[] = sampleRows(3000)
  site.write(rows)
  assert.equal((await site.once('wares')).code, 0)
  const server = await site.server({ SYNC_IN_SERVER: 'false' })
  const worker = site.worker()
  const readers: WatchfulReader[] = [new WatchfulReader(server), new WatchfulReader(server)]
  const versions = new Set<string>()
  const know = () => readers.forEach((reader) => versions.add(reader.know(rows)))
  know()

  for (let round = 1; round <= PUBLISHES; round++) {
    // The number of rows changes too, so that a count in between would show.
    rows = changedRows([...rows, ...sampleRows(3000 + round).slice(-1)], 0.02, round)
    know()
    site.write(rows)
    const before = site.pointer()?.snapshot
    await server.post('/refresh')
    await until(() => site.pointer()?.snapshot !== before, {
      what: () => `publish ${round}: ${worker.output().slice(-2000)}`,
    })
  }

  await until(() => readers.every((reader) => reader.seen.has([...versions].at(-1) ?? '')), {
    what: 'both readers to see the last one',
  })
  for (const reader of readers) {
    await reader[Symbol.asyncDispose]()
    assert.ok(reader.answers > PUBLISHES / 2, `${reader.answers} answers`)
  }
})
