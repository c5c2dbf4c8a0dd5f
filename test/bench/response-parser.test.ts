import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FirstFrame } from '../../bench/lib/first-frame.ts'
import { headerOf, ResponseParser, type Head } from '../../bench/lib/response-parser.ts'

interface Seen {
  status: number
  body: string
  head: Head
}

/** Parses `text` in pieces of `size` bytes that all lie in one buffer, as a socket with `onread` gives them. */
function parse(text: string, size: number): { seen: Seen[]; isClean: boolean } {
  const seen: Seen[] = []
  let body: Buffer[] = []
  let head: Head = { status: 0, text: '' }
  const parser = new ResponseParser({
    head: (next) => (head = next),
    body: (bytes) => body.push(Buffer.from(bytes)),
    end: () => {
      seen.push({ status: head.status, body: Buffer.concat(body).toString(), head })
      body = []
    },
  })
  const bytes = Buffer.from(text)
  const reused = Buffer.alloc(size)
  for (let at = 0; at < bytes.length; at += size) {
    const length = bytes.copy(reused, 0, at, at + size)
    parser.push(reused.subarray(0, length))
  }
  return { seen, isClean: parser.close() }
}

const COUNTED = 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\nSnapshot-Id: s1\r\n\r\nDürres'
const CHUNKED =
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nDigest: d\r\n\r\n'
const NOT_MODIFIED = 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 80000000\r\n\r\n'
const EMPTY = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

describe('the response parser of the load generator', () => {
  for (const size of [1, 2, 3, 7, 64, 4096]) {
    test(`finds every response, cut into pieces of ${size}`, () => {
      const { seen, isClean } = parse(COUNTED + CHUNKED + NOT_MODIFIED + EMPTY + COUNTED, size)
      assert.deepEqual(
        seen.map(({ status, body }) => [status, body]),
        [
          [200, 'Dürres'],
          [200, 'abc0123456789'],
          [304, ''],
          [200, ''],
          [200, 'Dürres'],
        ],
      )
      assert.ok(isClean)
    })
  }

  test('a body without a length ends with the connection; a counted one that is cut short is not clean', () => {
    assert.deepEqual(
      parse('HTTP/1.1 200 OK\r\n\r\nall', 5).seen.map(({ body }) => body),
      ['all'],
    )
    assert.equal(parse(COUNTED.slice(0, -1), 5).isClean, false)
    assert.equal(parse(CHUNKED.slice(0, -4), 5).isClean, false)
  })

  test('the answer to HEAD ends with its head, whatever length it names', () => {
    const ends: number[] = []
    const parser = new ResponseParser({ end: () => ends.push(1) })
    parser.expectNoBody()
    parser.push(Buffer.from(COUNTED.slice(0, COUNTED.indexOf('Dürres'))))
    parser.push(Buffer.from(NOT_MODIFIED))
    parser.push(Buffer.from(COUNTED))
    assert.equal(ends.length, 3)
  })

  test('headers are found whatever their case', () => {
    const [first] = parse(COUNTED, 100).seen
    assert.equal(first && headerOf(first.head, 'snapshot-id'), 's1')
    assert.equal(first && headerOf(first.head, 'etag'), undefined)
  })

  test('what is no response is an error', () => {
    assert.throws(() => parse('SSH-2.0-x\r\n\r\n', 50), /not a response/)
    assert.throws(() => parse(CHUNKED.replace('3\r\n', 'zz\r\n'), 500), /not a chunk size/)
  })
})

describe('the first frame of an event stream', () => {
  const STREAM = 'retry: 1000\n\n: hello\n\nid: 1\ndata: {"type":"cached"}\n\nid: 2\ndata: {}\n\n'
  const end = STREAM.indexOf('}\n\n') + 3

  for (const size of [1, 2, 3, 5, 8, 100]) {
    test(`is whole where its blank line ends, cut into pieces of ${size}`, () => {
      const frame = new FirstFrame()
      let at = 0
      while (at < STREAM.length && !frame.push(Buffer.from(STREAM.slice(at, at + size)))) at += size
      assert.ok(at < end && at + size >= end, `found at ${at}`)
    })
  }
})
