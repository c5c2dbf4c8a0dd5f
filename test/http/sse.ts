import { request, type IncomingHttpHeaders } from 'node:http'
import { AUTH } from './fakes.ts'

export interface Frame {
  readonly id: string
  readonly data: Record<string, unknown> & { type: string }
}

/** An event stream as it comes over the wire. */
export interface OpenStream {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** The next frame; undefined at the end. */
  next(): Promise<Frame | undefined>
  /** All frames until the end. */
  rest(): Promise<Frame[]>
  /** Everything that came so far, comments included. */
  text(): string
  close(): void
}

export function openStream(port: number, path: string, headers: Record<string, string> = {}): Promise<OpenStream> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port, path, headers: { ...AUTH, ...headers }, agent: false },
      (response) => {
        let all = ''
        const frames = read()
        async function* read(): AsyncGenerator<Frame, void> {
          let rest = ''
          for await (const piece of response.setEncoding('utf8') as AsyncIterable<string>) {
            all += piece
            rest += piece
            const blocks = rest.split('\n\n')
            rest = blocks.pop()!
            for (const block of blocks) {
              const lines = block.split('\n').filter((line) => !line.startsWith(':') && !line.startsWith('retry:'))
              if (lines.length === 0) continue
              const [id, data, ...more] = lines
              if (!id?.startsWith('id: ') || !data?.startsWith('data: ') || more.length)
                throw new Error(`an odd frame: ${block.slice(0, 200)}`)
              yield { id: id.slice(4), data: JSON.parse(data.slice(6)) as Frame['data'] }
            }
          }
        }
        resolve({
          status: response.statusCode!,
          headers: response.headers,
          next: async () => (await frames.next()).value ?? undefined,
          rest: () => Array.fromAsync(frames),
          text: () => all,
          close: () => void sent.destroy(),
        })
      },
    )
    sent.on('error', reject)
    sent.end()
  })
}

export function typesOf(frames: readonly (Frame | undefined)[]): (string | undefined)[] {
  return frames.map((frame) => frame?.data.type)
}
