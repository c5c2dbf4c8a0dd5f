import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { Failure } from '../../lib/errors.ts'
import type { QueryReaders } from '../../lib/sqlite/reader-pool.ts'
import { testSeed } from '../support/random.ts'
import { AUTH } from './fakes.ts'
import { ask } from './raw.ts'
import { serveReal } from './real.ts'
import { serveBase, withLists, type AirtableList } from './v0-site.ts'

const SEED = testSeed()
const RUNS = Number(process.env.HOLDFAST_FORMULA_RUNS ?? 300)

const ODD = `x"'); DROP TABLE wares; --`
const INJECTIONS = [
  `'; DROP TABLE wares; --`, `" OR 1=1 --`, `') OR ('1'='1`, `\u0000`, `\\'`, `%' ESCAPE '`, `]] UNION SELECT 1`, `\${7*7}`, `{{7*7}}`, `x' || (SELECT group_concat(name) FROM sqlite_schema) || 'x`,
  `?1`, `:a`, `@a`, `$a`, `/*`, `X'00'`, `hf_f_len(1)`, `NULL`, `\ud800`,
] // prettier-ignore

describe('a hostile reader of /v0', () => {
  test('has nothing of what it sends become SQL', async (t) => {
    const server = withLists(await serveReal(t))
    const rows = INJECTIONS.map((text, index) => ({ sku: `${index}`, name: text.toWellFormed(), [ODD]: text.toWellFormed() }))
    await server.publish([...rows, { sku: 'plain', name: 'plain', [ODD]: null }])
    const quoted = (text: string) => `'${text.replaceAll(/['\\]/g, '\\$&')}'`
    for (const text of INJECTIONS.filter((one) => one.isWellFormed())) {
      const formulas = [
        `name = ${quoted(text)}`,
        `{${ODD}} = ${quoted(text)}`,
        `EXACT(name & '', ${quoted(text)})`,
        `FIND(${quoted(text)}, name) = 1`,
        `AND(LEN(SUBSTITUTE(name, ${quoted(text)}, '')) = 0, name = ${quoted(text)})`,
        `SWITCH(name, ${quoted(text)}, 1, 0)`,
      ]
      for (const formula of formulas) {
        const answer = await server.post('/v0/wares/wares/listRecords', { filterByFormula: formula })
        const { records } = (await answer.json()) as AirtableList
        // A text that holds NUL is refused, whatever it is for.
        if (text.includes('\u0000')) continue
        assert.deepEqual(records?.map(({ fields }) => fields.name), [text], formula)
      }
    }
    for (const name of INJECTIONS) {
      const encoded = encodeURIComponent(name.toWellFormed())
      for (const path of [
        `/v0/wares/${encoded}`, `/v0/${encoded}/wares`, `/v0/wares/wares/${encoded}`, `/v0/wares/wares?fields[]=${encoded}`, `/v0/wares/wares?sort[0][field]=${encoded}`,
        `/v0/wares/wares?view=${encoded}`, `/v0/wares/wares?offset=${encoded}`, `/v0/wares/wares?filterByFormula=${encoded}`, `/v0/wares/wares?${encoded}=1`,
      ]) {
        const { status } = await ask(server.port, path, { headers: AUTH })
        assert.ok(status >= 400 && status < 500, `${status} ${path}`)
      }
    }
    assert.equal((await server.list('/v0/wares/wares')).records.length, rows.length + 1)
    assert.deepEqual(server.errors, [])
  }) // prettier-ignore

  test(`gets an answer to any text as a formula, and never a failure of ours (seed ${SEED})`, async (t) => {
    const { post, errors } = await serveBase(t)
    const piece = fc.oneof(
      fc.constantFrom(
        'AND(', 'OR(', 'NOT(', 'IF(', 'LEN(', 'SUM(', 'REPT(', 'DATEADD(', 'SWITCH(', 'ARRAYJOIN(', 'YEAR(', 'VALUE(', 'REGEX_MATCH(', ')', ',', '=', '!=', '<', '>=', '&', '+', '-', '*',
        '/', '{Name}', '{Tags}', '{Due}', 'Done', 'Hours', '{People}', 'Rate', "'a'", '"b"', "'days'", '1', '-2', '1e400', '.5', 'BLANK()', 'NOW()', 'RECORD_ID()', '{', '}', "'", '"', '\\', ' ', '\n',
      ),
      fc.string({ unit: 'binary', maxLength: 3 }),
    ) // prettier-ignore
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { minLength: 1, maxLength: 12 }), async (pieces) => {
        const answer = await post('/v0/crm/Tasks/listRecords', { filterByFormula: pieces.join('') })
        const body = (await answer.json()) as { records?: unknown[]; error?: { type: string } }
        if (answer.status === 200) assert.ok(Array.isArray(body.records))
        else assert.ok(answer.status === 422 && body.error !== undefined, `${answer.status}`)
      }),
      { seed: SEED, numRuns: RUNS },
    )
    assert.deepEqual(errors, [])
  })

  test('cannot nest, repeat or lengthen anything beyond its bounds', async (t) => {
    const { post, get, errors } = await serveBase(t)
    const bodies: object[] = [
      { filterByFormula: '('.repeat(60_000) },
      { filterByFormula: 'NOT('.repeat(15_000) },
      { filterByFormula: '-'.repeat(60_000) + '1' },
      { filterByFormula: '{'.repeat(60_000) },
      { filterByFormula: `"${'\\'.repeat(20_000)}` },
      { filterByFormula: '1' + '+1'.repeat(29_000) },
      { filterByFormula: '1' + '&1'.repeat(29_000) },
      { filterByFormula: `OR(${'Name=1,'.repeat(8000)}1)` },
      { filterByFormula: 'a'.repeat(60_000) },
      { filterByFormula: '9'.repeat(60_000) },
      { filterByFormula: `REGEX_MATCH(Name, '${'(a*)*'.repeat(2000)}')` },
      { fields: Array.from({ length: 600 }, (_, index) => `f${index}`) },
      { sort: Array.from({ length: 30 }, () => ({ field: 'Name' })) },
      { view: 'v'.repeat(60_000) },
      { offset: `itr${'A'.repeat(30_000)}/rec${'A'.repeat(30_000)}` },
    ]
    for (const body of bodies) {
      const answer = await post('/v0/crm/Tasks/listRecords', body)
      const { error } = (await answer.json()) as { error: { message: string } }
      assert.equal(answer.status, 422, JSON.stringify(body).slice(0, 60))
      assert.ok(error.message.length < 2000, 'what it says is short')
    }
    const paths = [
      `/v0/${'a'.repeat(7000)}/b`, `/v0/crm/${'%20'.repeat(2000)}`, `/v0/crm/Tasks/${'r'.repeat(7000)}`, `/v0/crm/Tasks?${'fields[]=Name&'.repeat(1000)}`, `/v0/crm/Tasks?sort[99999][field]=Name`,
      '/v0/crm/Tasks?sort[__proto__][field]=Name', '/v0/crm/Tasks?__proto__=1', '/v0/crm/Tasks?constructor=1', '/v0/__proto__/constructor', '/v0/crm/__proto__', '/v0/crm/Tasks/__proto__',
      '/v0/crm/Tasks?fields[]=__proto__', '/v0/crm/Tasks?filterByFormula=constructor()', '/v0/crm/Tasks?filterByFormula={__proto__}', '/v0/meta/bases/__proto__/tables',
    ] // prettier-ignore
    for (const path of paths) {
      const { status } = await get(path)
      assert.ok(status >= 400 && status < 500, `${status} ${path.slice(0, 60)}`)
    }
    assert.deepEqual(errors, [])
  })

  test('cannot say with an offset that a list began when there is no time', async (t) => {
    const { get, list, errors } = await serveBase(t)
    for (const formula of ['LEN(DATETIME_FORMAT(NOW())) > 0', "TODAY() & Name != 'x'"]) {
      const path = `/v0/crm/Tasks?pageSize=1&filterByFormula=${encodeURIComponent(formula)}`
      const [, place] = (await list(path)).offset!.split('/')
      const from = (startedAt: unknown) => `itr${Buffer.from(JSON.stringify(['crm', startedAt])).toString('base64url')}`
      for (const startedAt of [8.64e15 + 1, 9e15, -9e15, -1, 0.5, '0', null]) {
        const answer = await get(`${path}&offset=${encodeURIComponent(`${from(startedAt)}/${place}`)}`)
        assert.equal(answer.status, 422, `${startedAt}`)
        assert.match(await answer.text(), /INVALID_OFFSET_VALUE/)
      }
      assert.equal((await get(`${path}&offset=${encodeURIComponent(`${from(8.64e15)}/${place}`)}`)).status, 200)
    }
    assert.deepEqual(errors, [])
  })

  test('cannot make a text of any length, nor keep it', async (t) => {
    const { post } = await serveBase(t)
    const blown = ["REPT('x', 1e9)", "SUBSTITUTE(REPT('x', 100000), 'x', REPT('y', 100000))", `CONCATENATE(${Array.from({ length: 50 }, () => "REPT('x', 9999)").join()})`]
    for (const formula of blown) {
      const answer = await post('/v0/crm/Tasks/listRecords', { filterByFormula: `ISERROR(${formula})` })
      assert.equal(((await answer.json()) as AirtableList).records.length, 3, formula)
    }
  }) // prettier-ignore

  test('cannot have a dear formula tried where others are answered', async (t) => {
    const left: string[] = []
    const readers: QueryReaders = {
      run: (job) => {
        left.push(JSON.stringify(job.query.where))
        throw new Failure('readers_busy', 'Nobody is there.')
      },
    }
    const server = withLists(await serveReal(t, { queries: { readers } }))
    const text = 'Lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod '.repeat(27)
    await server.publish(Array.from({ length: 110 }, (_, index) => ({ sku: `${index}`, text })))
    const formulas = [
      "REGEX_MATCH(text, '(?:.?){900}[0-9]$')",
      `LEN(${'SUBSTITUTE('.repeat(20)}text${", 'o', 'oo')".repeat(20)}) > 1`,
      `LEN(CONCATENATE(${Array.from({ length: 90 }, (_, index) => `REPT(text, ${index})`).join()})) > 1`,
    ]
    for (const [index, formula] of formulas.entries()) {
      const answer = await server.post('/v0/wares/wares/listRecords', { filterByFormula: formula })
      assert.equal(answer.status, 503, formula)
      assert.equal(((await answer.json()) as { error: { type: string } }).error.type, 'RETRIABLE_ERROR')
      assert.equal(left.length, index + 1, formula)
    }
    const answer = await server.post('/v0/wares/wares/listRecords', { filterByFormula: "FIND('Lorem', text) = 1" })
    assert.equal(((await answer.json()) as AirtableList).records.length, 100)
  })
})
