import assert from 'node:assert/strict'
import type { IncomingHttpHeaders } from 'node:http'
import { describe, test } from 'node:test'
import type { Column } from '../../lib/column.ts'
import { Failure } from '../../lib/errors.ts'
import { restProblemOf } from '../../lib/http/rest/problem.ts'
import { readRestRequest, type RestRequest } from '../../lib/http/rest/request.ts'
import { textShapeOf, writeRest } from '../../lib/http/rest/write.ts'
import type { Answer, Condition } from '../../lib/query.ts'
import { rowToJson } from '../../lib/row-json.ts'

const MAX_ROWS = 1000
const read = (query = '', headers: IncomingHttpHeaders = {}) => readRestRequest(query, headers, { maxRows: MAX_ROWS })
const eq = (name: string, value: string): Condition => ({
  kind: 'test',
  operand: { column: name, path: [], asText: false },
  test: { op: 'eq', value },
})

interface RestError {
  readonly code: string
  readonly details: string | null
  readonly hint: string | null
  readonly message: string
}

/** What a client gets of a failure. */
function refusal(run: () => unknown): RestError & { status: number; headers: readonly string[] } {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof Failure, String(error))
    const { status, headers, body } = restProblemOf(error, 'request-1')
    return { ...(JSON.parse(body) as RestError), status, headers }
  }
  return assert.fail('nothing was refused')
}

const COLUMNS: readonly Column[] = [
  { name: 'id', type: 'integer' },
  { name: 'name', type: 'text' },
  { name: 'data', type: 'json' },
  { name: 'on', type: 'boolean' },
]
const ROWS = [
  [1, 'a,b', '{"x":null,"y":[null,1.10],"z":{"n":null}}', 1],
  [2, '', null, 0],
  [3, null, '12345678901234567890', null],
]

function answerOf(rows: readonly (readonly unknown[])[], facts: Partial<Answer> = {}): Answer {
  const known = rows.map(() => ({ id: '1', createdAt: 0, modifiedAt: 0 }))
  return {
    columns: COLUMNS,
    length: rows.length,
    text: null,
    rows,
    facts: known,
    last: null,
    hasMore: false,
    total: null,
    isEstimate: false,
    ...facts,
  }
}

/** Writes rows in the form that the request asks the query for. */
function write(rows: readonly (readonly unknown[])[], request: RestRequest, facts: Partial<Answer> = {}) {
  const answer = answerOf(rows, facts)
  if (textShapeOf(request.representation).text === undefined) return writeRest(answer, request)
  const text = Buffer.from(rows.map(rowToJson(COLUMNS)).join(','))
  return writeRest({ ...answer, text, rows: [], facts: [] }, request)
}

function headersOf({ headers }: { headers: readonly string[] }): Record<string, string> {
  return Object.fromEntries(headers.flatMap((name, index) => (index % 2 ? [] : [[name, headers[index + 1]!]])))
}

describe('a request', () => {
  test('without anything asks for all columns of as many rows as there may be in an answer', () => {
    assert.deepEqual(read(), {
      representation: { format: 'json', isSingular: false, stripsNulls: false },
      applied: [],
      query: {
        outputs: ['*'],
        where: null,
        order: [],
        byKey: false,
        isNameless: true,
        offset: 0,
        limit: MAX_ROWS,
        after: null,
        count: 'none',
      },
    })
  })

  test('applies every filter, also several on one column, and and, or and their negations', () => {
    const { query } = read('a=eq.1&a=eq.2&or=(a.eq.3)&not.and=(a.eq.4)&b+c=eq.%2B+%C3%BC')
    assert.deepEqual(query.where, {
      kind: 'and',
      of: [
        eq('a', '1'),
        eq('a', '2'),
        { kind: 'or', of: [eq('a', '3')] },
        { kind: 'not', of: { kind: 'and', of: [eq('a', '4')] } },
        eq('b c', '+ ü'),
      ],
    })
  })

  test('reads select and order', () => {
    const { query } = read('select=a,b:c&order=a.desc')
    assert.deepEqual(query.outputs.length, 2)
    assert.deepEqual(query.order, [
      { operand: { column: 'a', path: [], asText: false }, descending: true, nulls: 'first' },
    ])
  })

  test('says what cannot be read, and where', () => {
    const cases: readonly (readonly [string, string, RegExp])[] = [
      ['a=5', 'PGRST100', /"a" cannot be read at position 1: expected an operator/],
      ['select=a,', 'PGRST100', /"select" cannot be read at position 3/],
      ['order=', 'PGRST100', /order must be given as text/],
      ['order=a&order=b', 'PGRST100', /order must be given once/],
      ['limit=x', 'PGRST100', /limit must be given as a whole number/],
      ['offset=-1', 'PGRST100', /offset must be given as a whole number/],
      ['offset=99999999999999999', 'PGRST100', /offset must be given/],
      ['or=a.eq.1', 'PGRST100', /"or" cannot be read at position 1/],
      ['a=%ff', 'PGRST100', /percent-encoding/],
      ['select=rel(*)', 'PGRST127', /not embedded/],
      ['rel.order=a', 'PGRST127', /not embedded/],
    ]
    for (const [query, code, says] of cases) {
      const error = refusal(() => read(query))
      assert.deepEqual([query, error.code, error.status], [query, code, 400])
      assert.match(error.message, says)
    }
    assert.equal(refusal(() => read('a=5')).details, 'a, position 1')
  })
})

describe('Accept', () => {
  test('chooses the representation that is liked best of those there are', () => {
    const cases: readonly (readonly [string, string])[] = [
      ['*/*', 'application/json; charset=utf-8'],
      ['application/json', 'application/json; charset=utf-8'],
      ['text/csv', 'text/csv; charset=utf-8; header=present'],
      ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'application/json; charset=utf-8'],
      ['application/json;q=0.5, text/csv', 'text/csv; charset=utf-8; header=present'],
      ['text/csv;q=0, application/json;q=0.1', 'application/json; charset=utf-8'],
      ['application/vnd.pgrst.object+json', 'application/vnd.pgrst.object+json; charset=utf-8'],
      ['application/vnd.pgrst.object', 'application/vnd.pgrst.object+json; charset=utf-8'],
      [
        'Application/Vnd.Pgrst.Object+JSON; nulls=stripped',
        'application/vnd.pgrst.object+json;nulls=stripped; charset=utf-8',
      ],
      [
        'application/vnd.pgrst.array+json;nulls=stripped',
        'application/vnd.pgrst.array+json;nulls=stripped; charset=utf-8',
      ],
      ['application/vnd.pgrst.array+json', 'application/json; charset=utf-8'],
    ]
    for (const [accept, type] of cases) {
      const answer = write(ROWS.slice(0, 1), read('', { accept }))
      assert.equal(headersOf(answer)['Content-Type'], type, accept)
    }
  })

  test('anything else is 406, and says what there is', () => {
    const cases: readonly (readonly [string, RegExp])[] = [
      ['application/xml', /There is: application\/json, text\/csv/],
      ['application/geo+json', /no geometries/],
      ['application/vnd.pgrst.plan+text; for="application/json"; options=;', /Plans of queries/],
      ['constructor', /There is/],
    ]
    for (const [accept, says] of cases) {
      const error = refusal(() => read('', { accept }))
      assert.deepEqual([error.status, error.code], [406, 'PGRST107'])
      assert.match(error.message, says)
    }
  })

  test('a schema other than public is 406', () => {
    read('', { 'accept-profile': 'public' })
    const error = refusal(() => read('', { 'accept-profile': 'private' }))
    assert.deepEqual([error.status, error.code], [406, 'PGRST106'])
  })
})

describe('Prefer', () => {
  test('count is kept to, and said', () => {
    for (const count of ['exact', 'planned', 'estimated'] as const) {
      const request = read('', { prefer: `return=representation, count=${count}` })
      assert.equal(request.query.count, count)
      assert.equal(headersOf(write(ROWS, request))['Preference-Applied'], `count=${count}`)
    }
    assert.equal(headersOf(write(ROWS, read()))['Preference-Applied'], undefined)
  })

  test('what is not known is passed over, and refused where handling is strict', () => {
    assert.equal(read('', { prefer: 'count=all, wait=5, tx=rollback' }).query.count, 'none')
    read('', { prefer: 'handling=strict, max-affected=1, count=exact' })
    const error = refusal(() => read('', { prefer: 'wait=5, handling=strict, count=all' }))
    assert.deepEqual([error.status, error.code], [400, 'PGRST122'])
    assert.match(error.message, /wait=5, count=all/)
  })
})

describe('ranges', () => {
  const spanOf = (query: string, headers: IncomingHttpHeaders = {}) => {
    const { offset, limit } = read(query, headers).query
    return [offset, limit]
  }

  test('limit, offset and Range are met together, below the bound of an answer', () => {
    const cases: readonly (readonly [string, string | undefined, readonly [number, number]])[] = [
      ['', undefined, [0, MAX_ROWS]],
      ['limit=5', undefined, [0, 5]],
      ['limit=5&offset=10', undefined, [10, 5]],
      ['limit=99999', undefined, [0, MAX_ROWS]],
      ['limit=0', undefined, [0, 0]],
      ['limit=0', '5-9', [0, 0]],
      ['', '10-19', [10, 10]],
      ['', 'items=10-', [10, MAX_ROWS]],
      ['limit=5', '3-9', [3, 2]],
      ['offset=5', '0-9', [5, 5]],
      ['', 'bytes=0-9', [0, MAX_ROWS]],
      ['', 'x', [0, MAX_ROWS]],
    ]
    for (const [query, range, span] of cases) {
      assert.deepEqual(spanOf(query, range === undefined ? {} : { range }), span, `${query} ${range}`)
    }
    assert.deepEqual(spanOf('', { range: '1-2', 'range-unit': 'bytes' }), [0, MAX_ROWS])
    assert.deepEqual(spanOf('', { range: '1-2', 'range-unit': 'items' }), [1, 2])
  })

  test('what can hold no row is 416', () => {
    for (const [query, range] of [
      ['', '5-2'],
      ['limit=-1', '0-9'],
      ['limit=5', '5-9'],
      ['offset=10', '0-9'],
    ] as const) {
      const error = refusal(() => read(query, { range }))
      assert.deepEqual([error.status, error.code], [416, 'PGRST103'], `${query} ${range}`)
    }
  })

  test('Content-Range tells which rows these are, and 206 that there are more', () => {
    const cases: readonly (readonly [string, readonly unknown[], Partial<Answer>, number, string])[] = [
      ['', ROWS, {}, 200, '0-2/*'],
      ['', [], {}, 200, '*/*'],
      ['', ROWS, { total: 3 }, 200, '0-2/3'],
      ['', [], { total: 0 }, 200, '*/0'],
      ['offset=4', ROWS, { total: 9 }, 206, '4-6/9'],
      ['limit=0', [], { total: 9 }, 206, '*/9'],
      ['offset=3', [], { total: 3 }, 206, '*/3'],
      ['offset=4', ROWS, { total: 2, isEstimate: true }, 206, '4-6/7'],
      ['offset=9', [], { total: 2, isEstimate: true }, 206, '*/2'],
    ]
    for (const [query, rows, facts, status, range] of cases) {
      const answer = write(rows as typeof ROWS, read(query), facts)
      assert.deepEqual([query, answer.status, headersOf(answer)['Content-Range']], [query, status, range])
    }
  })

  test('beyond the last of all rows is 416, and says how many there are', () => {
    const error = refusal(() => write([], read('offset=4'), { total: 3 }))
    assert.deepEqual([error.status, error.code], [416, 'PGRST103'])
    assert.deepEqual(headersOf(error), { 'Content-Range': '*/3' })
  })
})

describe('an answer', () => {
  test('as JSON', () => {
    const { body } = write(ROWS, read())
    assert.equal(
      String(body),
      '[{"id":1,"name":"a,b","data":{"x":null,"y":[null,1.10],"z":{"n":null}},"on":true},' +
        '{"id":2,"name":"","data":null,"on":false},{"id":3,"name":null,"data":12345678901234567890,"on":null}]',
    )
  })

  test('without members that are null, and with every digit', () => {
    const accept = 'application/vnd.pgrst.array+json;nulls=stripped'
    assert.equal(
      String(write(ROWS, read('', { accept })).body),
      '[{"id":1,"name":"a,b","data":{"y":[null,1.10],"z":{}},"on":true},' +
        '{"id":2,"name":"","on":false},{"id":3,"data":12345678901234567890}]',
    )
  })

  test('as CSV', () => {
    const { body } = write(ROWS, read('', { accept: 'text/csv' }))
    const data = '"{""x"":null,""y"":[null,1.10],""z"":{""n"":null}}"'
    assert.equal(body, `id,name,data,on\r\n1,"a,b",${data},true\r\n2,"",,false\r\n3,,12345678901234567890,\r\n`)
  })

  test('as one object, of which there must be one', () => {
    const request = read('', { accept: 'application/vnd.pgrst.object+json' })
    assert.equal(request.query.limit, 2)
    assert.equal(String(write(ROWS.slice(1, 2), request).body), '{"id":2,"name":"","data":null,"on":false}')
    const none = refusal(() => write([], request))
    assert.deepEqual([none.status, none.code, none.details], [406, 'PGRST116', 'The result contains 0 rows'])
    const many = refusal(() => write(ROWS.slice(0, 2), request, { hasMore: true }))
    assert.deepEqual([many.status, many.code, many.details], [406, 'PGRST116', 'The result contains 2 or more rows'])
  })
})

describe('a failure', () => {
  const tell = (failure: Failure) =>
    refusal(() => {
      throw failure
    })

  test("has PostgREST's code where there is one, its own status, and a sentence", () => {
    const cases = [
      [new Failure('column_not_found', 'No x.'), 400, '42703'],
      [new Failure('bad_value', 'No x.'), 400, '22P02'],
      [new Failure('table_not_found', 'No x.'), 404, 'PGRST205'],
      [new Failure('route_not_found', 'No x.'), 404, 'PGRST202'],
      [new Failure('method_not_allowed', 'No x.'), 405, 'PGRST117'],
      [new Failure('query_deadline', 'No x.'), 504, '57014'],
      [new Failure('snapshot_stale', 'No x.'), 503, 'holdfast_snapshot_stale'],
      [new Failure('answer_too_large', 'No x.'), 400, 'holdfast_answer_too_large'],
    ] as const
    for (const [failure, status, code] of cases) {
      const { headers: _, ...error } = tell(failure)
      assert.deepEqual(error, { status, code, details: null, hint: null, message: 'No x.' })
    }
  })

  test('keeps the headers that clients act on', () => {
    assert.match(headersOf(tell(new Failure('unauthorized', 'No.')))['WWW-Authenticate'] ?? '', /^Bearer/)
    const limited = tell(new Failure('no_snapshot', 'No.', { facts: { retry_after_seconds: 7 } }))
    assert.equal(headersOf(limited)['Retry-After'], '7')
  })

  test('hints at what was probably meant', () => {
    const known = ['country', 'name']
    const near = new Failure('column_not_found', 'No.', { facts: { column: 'contry', known } })
    assert.equal(tell(near).hint, 'Perhaps you meant country')
    const far = new Failure('column_not_found', 'No.', { facts: { column: 'zzz', known } })
    assert.equal(tell(far).hint, 'There is: country, name')
  })

  test('says what would make a slow query fast', () => {
    const slow = new Failure('query_deadline', 'Slow.', { facts: { hint: 'Add indexes.' } })
    assert.equal(tell(slow).hint, 'Add indexes.')
  })

  test('a bug tells nothing of itself', () => {
    const error = tell(new Failure('internal', 'secret', { facts: { known: ['secret'] } }))
    assert.equal(error.code, 'PGRSTX00')
    assert.equal(error.details, 'Request request-1')
    assert.doesNotMatch(JSON.stringify(error), /secret/)
  })
})
