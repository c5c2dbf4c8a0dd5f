import assert from 'node:assert/strict'
import { request, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** A request exactly as told, on a connection of its own; nothing is decoded. */
export function ask(
  port: number,
  path: string,
  options: { method?: string; headers?: OutgoingHttpHeaders; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = options
    const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const pieces: Buffer[] = []
      response.on('data', (piece: Buffer) => pieces.push(piece))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) }),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** Sends bytes and returns all that comes back until the server closes. */
export async function askRaw(port: number, text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(text)
  return await readAll(socket)
}

export async function readAll(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('latin1')
  await new Promise<void>((resolve) => {
    socket.on('data', (piece: string) => (text += piece))
    socket.on('close', () => resolve())
  })
  return text
}

/** An error answer is a whole problem, and says nothing of the inside. */
export function assertProblem(
  answer: { status: number; headers: IncomingHttpHeaders; body: Buffer },
  status: number,
  code: string,
): Problem {
  assert.equal(answer.status, status, answer.body.toString())
  assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8')
  assert.equal(answer.headers['cache-control'], 'no-store')
  assert.ok(answer.headers['x-content-type-options'], 'security headers are there')
  const problem = JSON.parse(answer.body.toString()) as Problem
  assert.equal(problem.code, code)
  assert.equal(problem.status, status)
  assert.equal(problem.type, `urn:holdfast:problem:${code}`)
  assert.equal(problem.request_id, answer.headers['x-request-id'])
  assert.ok(problem.title && problem.detail)
  assert.doesNotMatch(answer.body.toString(), /node_modules|\.ts:\d|\bat \S+ \(\S+:\d+\)/)
  return problem
}

export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: string
  readonly request_id: string
  readonly [fact: string]: unknown
}
