import assert from 'node:assert/strict'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import Airtable from 'airtable'
import { environmentKeys } from '../../lib/http/keys.ts'
import { createHttp } from '../../lib/http/server.ts'
import { SqliteChangeLog } from '../../lib/sqlite/change-log.ts'
import { Mounts } from '../../lib/sqlite/mounts.ts'
import { generateBase } from '../../simulators/airtable/generate.ts'
import { startSimulator, type Simulator } from '../../simulators/airtable/simulator.ts'
import { Mirror } from '../airtable/mirror.ts'
import { FakeEngine, httpParts, KEY } from './fakes.ts'

type Found = Airtable.Record<Airtable.FieldSet>

/** Where a client asks, and with what. */
interface Place {
  readonly url: string
  readonly key: string
}

/** A simulated base, and a Holdfast that has mirrored it. */
class Both {
  readonly sim: Simulator
  readonly mirror: Mirror
  readonly mounts: Mounts
  readonly http: ReturnType<typeof createHttp>

  static async start(): Promise<Both> {
    const sim = await startSimulator({
      base: generateBase({ seed: 7, records: 230 }),
      limiter: { perBase: 1000, perUser: 1000 },
    })
    const mirror = await Mirror.of(sim)
    await mirror.syncWell('first')
    const both = new Both(sim, mirror)
    await new Promise<void>((resolve) => both.http.server.listen(0, '127.0.0.1', resolve))
    return both
  }

  private constructor(sim: Simulator, mirror: Mirror) {
    const { publisher } = mirror.directory
    this.sim = sim
    this.mirror = mirror
    this.mounts = new Mounts(publisher.folders)
    this.http = createHttp({
      ...httpParts({ engine: new FakeEngine(['airtable']), errors: [] }),
      changes: new SqliteChangeLog(publisher.control, this.mounts),
      keys: environmentKeys([KEY]),
      snapshots: this.mounts,
      sources: ['airtable'],
    })
  }

  get here(): Place {
    return { url: `http://127.0.0.1:${(this.http.server.address() as AddressInfo).port}`, key: KEY }
  }

  get there(): Place {
    return { url: this.sim.url, key: this.sim.token }
  }

  base({ url, key }: Place): Airtable.Base {
    return new Airtable({ apiKey: key, endpointUrl: url, noRetryIfRateLimited: true }).base(this.sim.base.id)
  }

  async schema({ url, key }: Place): Promise<{ tables: { id: string; name: string }[] }> {
    const answer = await fetch(`${url}/v0/meta/bases/${this.sim.base.id}/tables`, {
      headers: { Authorization: `Bearer ${key}` },
    })
    return (await answer.json()) as { tables: { id: string; name: string }[] }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.http.server.closeAllConnections()
    await new Promise((resolve) => this.http.server.close(resolve))
    this.mounts[Symbol.dispose]()
    this.mirror[Symbol.dispose]()
    await this.sim[Symbol.asyncDispose]()
  }
}

/** All of a record but the URLs of files, which are of whoever serves them. */
function comparable(record: Found): unknown {
  const raw = (record as unknown as { _rawJson: object })._rawJson
  return JSON.parse(
    JSON.stringify(raw, (name, value: unknown) => (name === 'url' || name === 'thumbnails' ? undefined : value)),
  )
}

const byId = (records: readonly Found[]) =>
  records.toSorted((a, b) => (a.id < b.id ? -1 : 1)).map((record) => comparable(record))

describe("Airtable's client reads the same from Holdfast as from the base", () => {
  let both: Both
  before(async () => void (both = await Both.start()))
  after(async () => await both[Symbol.asyncDispose]())

  test('the schema', async () => {
    assert.deepEqual(await both.schema(both.here), await both.schema(both.there))
  })

  test('every record of every table, under names and under ids', async () => {
    const { tables } = await both.schema(both.there)
    assert.ok(tables.length > 3)
    for (const { id, name } of tables) {
      for (const returnFieldsByFieldId of [false, true]) {
        const [here, there] = await Promise.all(
          [both.here, both.there].map((place) => both.base(place)(name).select({ returnFieldsByFieldId }).all()),
        )
        assert.deepEqual(byId(here!), byId(there!), name)
      }
      const [first] = await both.base(both.there)(id).select({ maxRecords: 1 }).firstPage()
      assert.deepEqual(comparable(await both.base(both.here)(id).find(first!.id)), comparable(first!), name)
    }
  })

  test('the records that formulas keep', async () => {
    const formulas = [
      "{Status} = 'Paid'", "{Status} != 'Paid'", "NOT({Status} = 'Paid')", "OR({Status} = 'Paid', {Status} = 'Packed')", 'Gift', 'NOT(Gift)', '{Gift} = TRUE()', 'Quantity > 3', 'Quantity >= 3',
      'Quantity < 3', 'Quantity = 0', 'Quantity = BLANK()', 'Quantity', "AND(Gift, Quantity > 2, {Status} != 'Cancelled')", 'XOR(Gift, Quantity > 2)', "Notes = ''", 'Notes', 'LEN(Notes) > 20',
      "FIND('a', Notes) > 0", "FIND('Web', {Channels})", "{Channels} = 'Web'", "{Channels} = ''", "{Channels} & '' = 'Web, Phone'", 'Amount > 100', 'ROUND({Unit price} * Quantity) > 200', 'Amount / Quantity > 50',
      '{Unit price} + 1 > 30', '-Quantity < -4', "LOWER({Status}) = 'paid'", "UPPER({Status}) = 'PAID'", "Number & '-' & {Status} = 'x'", "IS_AFTER({Ordered at}, '2024-06-01')",
      "IS_BEFORE({Ordered at}, DATETIME_PARSE('2024-06-01T12:00:00Z'))", "IS_BEFORE({Ship by}, '2024-06-01')", "DATETIME_DIFF({Ship by}, {Ordered at}, 'days') > 2", "IS_AFTER({Ship by}, DATEADD({Ordered at}, 3, 'days'))",
      "IS_AFTER(CREATED_TIME(), '2024-03-01')", "IS_AFTER(LAST_MODIFIED_TIME(), '2024-03-01')", "{Ship by} = BLANK()", '{Ordered at}', 'IF(Gift, Quantity > 2, Quantity > 5)', '1', '0', "'a'", 'MAX(Quantity, 3) > 3',
      'SUM(Quantity, 1) > 4', 'AND({Customer}, Gift)', 'NOT({Customer})',
    ] // prettier-ignore
    const ids = async (place: Place, filterByFormula: string) =>
      (
        await both
          .base(place)('Orders')
          .select({ filterByFormula, fields: ['Number'] })
          .all()
      )
        .map(({ id }) => id)
        .toSorted()
    const kept = new Set<number>()
    for (const formula of formulas) {
      const found = await ids(both.here, formula)
      assert.deepEqual(found, await ids(both.there, formula), formula)
      kept.add(found.length)
    }
    assert.ok(kept.size > 20, 'too many of them keep the same')
    const [first, second] = await ids(both.here, '1')
    const some = `OR(RECORD_ID() = '${first}', RECORD_ID() = '${second}')`
    assert.deepEqual(await ids(both.there, some), await ids(both.here, some))
  })

  test('the order that sorts give', async () => {
    for (const sort of [
      [{ field: 'Number' }],
      [{ field: 'Quantity', direction: 'desc' }, { field: 'Number' }],
      [{ field: 'Gift' }, { field: 'Amount', direction: 'desc' }, { field: 'Number', direction: 'desc' }],
      [{ field: 'Ordered at' }, { field: 'Number' }],
    ] as const) {
      const [here, there] = await Promise.all(
        [both.here, both.there].map((place) => both.base(place)('Orders').select({ sort: [...sort], pageSize: 40 }).all()),
      )
      assert.deepEqual(here!.map(({ id }) => id), there!.map(({ id }) => id), JSON.stringify(sort))
    }
  }) // prettier-ignore
})
