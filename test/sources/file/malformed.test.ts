import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Failure, type FailureCode } from '../../../lib/errors.ts'
import { fileSource } from '../../../lib/sources/file/source.ts'
import { pullAll, pullContent, temporaryFolder, tinyLimits } from './files.ts'
import { planOptions } from '../../support/plan-options.ts'

const GZIPPED = gzipSync(JSON.stringify(Array.from({ length: 5000 }, (_, id) => ({ id, at: Math.sin(id) }))))
const INVALID = Buffer.from([0x22, 0xff, 0x22])

/** File name, content, and what the message must say. */
const CASES: Record<string, [name: string, content: string | Buffer, ...words: string[]]> = {
  'an empty JSON file': ['a.json', '', 'empty file', 'JSON array of objects'],
  'a JSON file of white space': ['a.json', ' \n\t', 'empty file'],
  'a JSON file of only a byte order mark': ['a.json', '\uFEFF', 'empty file'],
  'an HTML page instead of JSON': ['a.json', '<!doctype html><title>Sign in</title>', 'HTML', 'byte 0', '<!doctype'],
  'one object instead of an array': ['a.json', '{"error":"no"}', 'an object', "format: 'ndjson'", '{\\"error\\"'],
  'a scalar instead of an array': ['a.json', '"gone"', 'JSON array of objects', 'byte 0'],
  'a number in the array': ['a.json', '[{"a":1},42]', 'record 2 that is not an object', 'byte 9', '42'],
  'a null in the array': ['a.json', '[null]', 'record 1 that is not an object', 'byte 1'],
  'an array in the array': ['a.json', '[[1]]', 'record 1 that is not an object'],
  'a comma before the end of the array': ['a.json', '[{"a":1},]', 'record 2 that is not an object', 'byte 9'],
  'a missing comma': ['a.json', '[{"a":1} {"a":2}]', 'behind record 1', 'a comma', 'byte 9'],
  'text behind the array': ['a.json', '[{"a":1}] {"b":2}', 'behind the end of the array', 'byte 10', '{\\"b\\":2}'],
  'a second array': ['a.json', '[][]', 'behind the end of the array', 'byte 2'],
  'an array cut off in a record': ['a.json', '[{"a":1},{"a":"x', 'record 2 (truncated)', 'byte 9'],
  'an array cut off behind a record': ['a.json', '[{"a":1}', 'behind record 1 (truncated)', 'closing ]'],
  'an array cut off behind a comma': ['a.json', '[{"a":1},', 'behind record 1 (truncated)'],
  'an array cut off at its start': ['a.json', '[', 'truncated'],
  'a record that is not JSON': ['a.json', '[{"a":1},{"a":tru},{"b":1}]', 'record 2 that is not valid JSON', 'byte 9'],
  'a record with the wrong bracket': ['a.json', '[{"a":[1},{"b":2}]', 'record 1 that is not valid JSON', 'byte 8'],
  'a record with a bad number': ['a.json', '[{"a":12345678901234567-8}]', 'record 1 that is not valid JSON'],
  'a record with an empty name': ['a.json', '[{"a":1},{"":2}]', 'record 2', 'empty column name'],
  'a record nested too deeply': ['a.json', `[{"a":${'['.repeat(2000)}${']'.repeat(2000)}}]`, 'nested too deeply'],
  'bytes that are not UTF-8 in JSON': [
    'a.json',
    Buffer.concat([Buffer.from('[{"ä":'), INVALID, Buffer.from('}]')]),
    'not UTF-8',
    'byte 8',
    'ff22',
  ],
  'UTF-16': ['a.json', Buffer.from('\uFEFF[]', 'utf16le'), 'not UTF-8', 'UTF-16'],
  'gzip without .gz': ['a.json', GZIPPED, 'not UTF-8', 'gzip', '.gz'],
  'a character cut off by the end': ['a.csv', Buffer.from('a\né').subarray(0, 3), 'not UTF-8', 'byte 2'],

  'an empty NDJSON file': ['a.ndjson', '', 'empty file', 'one JSON object a line'],
  'an NDJSON file of blank lines': ['a.ndjson', '\n \r\n\t\n', 'empty file'],
  'an HTML page instead of NDJSON': ['a.ndjson', '\n<html></html>', 'HTML', 'byte 1'],
  'an array instead of NDJSON': ['a.ndjson', '[{"a":1}]', 'line 1', "format: 'json'"],
  'a line that is not an object': ['a.ndjson', '{"a":1}\n\n"x"\n', 'line 3 that is not an object', 'byte 9'],
  'a line that is not JSON': ['a.ndjson', '{"a":1}\n{"a":}\n', 'line 2 that is not valid JSON'],
  'two objects on a line': ['a.ndjson', '{"a":1},{"a":2}\n', 'behind the object on line 1', 'byte 7'],
  'an object over two lines': ['a.ndjson', '{"a":[{}\n,{}]}\n', 'the end of line 1 inside an object'],
  'a last line that is cut off': ['a.ndjson', '{"a":1}\n{"a":', 'line 2 (truncated)', 'byte 8'],

  'an empty CSV file': ['a.csv', '', 'empty file', 'header'],
  'a CSV file of white space': ['a.csv', ' \r\n', 'empty file'],
  'an HTML page instead of CSV': ['a.csv', '\n<!DOCTYPE html>\n<html>', 'HTML', 'byte 0'],
  'a record with a cell too few': ['a.csv', 'a,b\n1,2\n3\n', '1 cells in record 2', '2 as in the header', 'byte 8'],
  'a record with a cell too many': ['a.csv', 'a,b\n1,2,3\n', '3 cells in record 1'],
  'a header that repeats a name': ['a.csv', 'a,b,a\n', 'has "a" twice'],
  'a header without a name': ['a.csv', 'a,,b\n', 'column 2 has no name'],
  'a header with an empty quoted name': ['a.csv', '"",b\n', 'column 1 has no name'],
  'a quote that is not closed': ['a.csv', 'a,b\n1,"2\n3,4\n', 'record 1 (truncated)', 'closing quote', 'byte 6'],
  'a header whose quote is not closed': ['a.csv', '"a,b\n1,2', 'the header (truncated)'],
  'a quote inside a cell': ['a.csv', 'a,b\n1,2"3\n', 'quote inside an unquoted cell of record 1', 'byte 7'],
  'text behind a quoted cell': ['a.csv', 'a,b\n"1"x,2\n', 'behind a quoted cell of record 1', 'byte 7'],
}

describe('is malformed and says why:', () => {
  for (const [claim, [name, content, ...words]] of Object.entries(CASES)) {
    for (const chunkBytes of [1, 1 << 20]) {
      test(`${claim}, in chunks of ${chunkBytes}`, async () => {
        const failure = await failureOf(pullContent(name, content, {}, { chunkBytes, windowBytes: 200 }))
        checkFailure(failure, 'upstream_malformed', words)
        assert.ok(failure.message.slice(failure.message.indexOf('holds')).length < 300)
      })
    }
  }

  test('a record longer than the bound', async () => {
    const long = `[{"a":1},{"a":"${'x'.repeat(5000)}"}]`
    const failure = await failureOf(
      pullContent('a.json', long, {}, { chunkBytes: 100, windowBytes: 100, maxRecordBytes: 1000 }),
    )
    checkFailure(failure, 'upstream_malformed', ['record 2 longer than 1000 bytes', 'byte 8'])
  })

  test('a quoted cell longer than the bound', async () => {
    const failure = await failureOf(
      pullContent(
        'a.csv',
        `a\n"${'x\n'.repeat(5000)}"`,
        {},
        { chunkBytes: 100, windowBytes: 100, maxRecordBytes: 1000 },
      ),
    )
    checkFailure(failure, 'upstream_malformed', ['record 1 longer than 1000 bytes'])
  })

  test('gzip that is cut off', () => gzipProblem(GZIPPED.subarray(0, GZIPPED.length - 100), 'cut off (truncated)'))
  test('gzip that is corrupt', () => gzipProblem(corrupted(GZIPPED), 'corrupt gzip'))
  test('and in windows of two bytes', async () => {
    for (const [name, content] of Object.values(CASES)) {
      checkFailure(await failureOf(pullContent(name, content, {}, tinyLimits(1))), 'upstream_malformed', [])
    }
  })

  test('gzip with more behind it', () => gzipProblem(Buffer.concat([GZIPPED, Buffer.from('more')]), 'corrupt gzip'))
  test('a .gz file that is not compressed', () =>
    gzipProblem(Buffer.from('[{"a":1}]'), 'corrupt gzip', 'incorrect header'))
  test('an empty .gz file', () => gzipProblem(Buffer.alloc(0), 'empty file'))
})

test('gzip of several members is read as one', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'a.json.gz')
  writeFileSync(path, Buffer.concat([gzipSync('[{"a":1},'), gzipSync('{"a":2}]')]))
  assert.deepEqual((await pullAll(fileSource('a', { path }))).records, [{ a: 1 }, { a: 2 }])
})

test('the rows in front of a malformed record are pulled first', async () => {
  using folder = temporaryFolder()
  const path = join(folder.path, 'a.json')
  writeFileSync(path, '[{"a":1},{"a":2},{"a":}]')
  const source = fileSource('a', { path })
  const signal = new AbortController().signal
  const pages = source.pull({ plan: await source.plan(planOptions(signal)), signal })[Symbol.asyncIterator]()
  assert.deepEqual((await pages.next()).value?.rows, [[1], [2]])
  await assert.rejects(pages.next(), { code: 'upstream_malformed' })
})

describe('is unavailable and says why:', () => {
  test('a file that is missing', async () => {
    const failure = await failureOf(pullAll(fileSource('a', { path: './does-not-exist.json' })))
    checkFailure(failure, 'upstream_unavailable', ['./does-not-exist.json', 'does not exist'])
  })

  test('a folder', async () => {
    using folder = temporaryFolder()
    const path = join(folder.path, 'a.json')
    mkdirSync(path)
    checkFailure(await failureOf(pullAll(fileSource('a', { path }))), 'upstream_unavailable', ['is a directory'])
  })
})

describe('the format', () => {
  test('that neither option nor name tell is a problem of the configuration', () => {
    for (const path of ['cities', 'cities.txt', 'cities.gz', 'a.json/cities']) {
      assert.throws(() => fileSource('a', { path }), { code: 'config_invalid', message: /option `format`.*ndjson/ })
    }
  })

  test('is what the option says, whatever the name', async () => {
    assert.deepEqual((await pullContent('a.csv', '[{"a":1}]', { format: 'json' })).records, [{ a: 1 }])
    assert.deepEqual((await pullContent('a.txt.gz', 'a\n1', { format: 'csv' })).records, [{ a: '1' }])
  })

  test('is told by a name in capitals', async () => {
    assert.deepEqual((await pullContent('A.JSON', '[{"a":1}]')).records, [{ a: 1 }])
  })
})

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error: unknown = await work.then(
    () => assert.fail('it was accepted'),
    (reason: unknown) => reason,
  )
  assert.ok(error instanceof Failure, String(error))
  return error
}

function checkFailure(failure: Failure, code: FailureCode, words: readonly string[]): void {
  assert.equal(failure.code, code)
  for (const word of words) {
    assert.ok(failure.message.includes(word), `${failure.message} does not say ${word}`)
  }
}

async function gzipProblem(bytes: Buffer, ...words: string[]): Promise<void> {
  using folder = temporaryFolder()
  const path = join(folder.path, 'a.json.gz')
  writeFileSync(path, bytes)
  checkFailure(await failureOf(pullAll(fileSource('a', { path }))), 'upstream_malformed', words)
}

function corrupted(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes)
  copy.fill(0xff, 1000, 1100)
  return copy
}
