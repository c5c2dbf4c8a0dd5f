import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Attribute {
  readonly key: string
  readonly value: Record<string, unknown>
}

interface WireSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
  readonly status: { readonly code: number; readonly message?: string }
}

interface WirePoint {
  readonly attributes: readonly Attribute[]
  readonly asDouble?: number
  readonly count?: number | string
  readonly sum?: number
  readonly bucketCounts?: readonly (number | string)[]
  readonly explicitBounds?: readonly number[]
}

interface WireMetric {
  readonly name: string
  readonly unit: string
  readonly gauge?: { readonly dataPoints: readonly WirePoint[] }
  readonly sum?: { readonly dataPoints: readonly WirePoint[]; readonly isMonotonic: boolean }
  readonly histogram?: { readonly dataPoints: readonly WirePoint[] }
}

interface WireBatch {
  readonly resourceSpans?: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[]
  }[]
  readonly resourceMetrics?: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeMetrics: readonly { readonly metrics: readonly WireMetric[] }[]
  }[]
}

export interface SeenSpan extends Omit<WireSpan, 'attributes'> {
  readonly attributes: Readonly<Record<string, unknown>>
  readonly resource: Readonly<Record<string, unknown>>
}

export interface SeenPoint {
  readonly attributes: Readonly<Record<string, unknown>>
  readonly point: WirePoint
}

/** A real server that takes OTLP as JSON and remembers what it was sent. */
export class Collector implements AsyncDisposable {
  /** Every body, as it came. */
  readonly texts: string[] = []
  readonly headers: IncomingMessage['headers'][] = []
  /** Of the last batch that had any. */
  metrics: readonly WireMetric[] = []
  readonly spans: SeenSpan[] = []
  readonly #server

  /** `answer` does what a collector does that is not well. */
  constructor(answer: (response: ServerResponse) => void = (response) => response.writeHead(200).end('{}')) {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        this.#take(Buffer.concat(chunks).toString())
        this.headers.push(request.headers)
        answer(response)
      })
    })
  }

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  points(name: string): SeenPoint[] {
    const found = this.metrics.find((metric) => metric.name === name)
    const points = (found?.gauge ?? found?.sum ?? found?.histogram)?.dataPoints ?? []
    return points.map((point) => ({ point, attributes: valuesOf(point.attributes) }))
  }

  span(name: string): SeenSpan | undefined {
    return this.spans.find((span) => span.name === name)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #take(text: string): void {
    this.texts.push(text)
    const { resourceSpans = [], resourceMetrics = [] } = JSON.parse(text) as WireBatch
    for (const { resource, scopeSpans } of resourceSpans) {
      for (const span of scopeSpans.flatMap(({ spans }) => spans)) {
        this.spans.push({ ...span, attributes: valuesOf(span.attributes), resource: valuesOf(resource.attributes) })
      }
    }
    const metrics = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics))
    if (metrics.length > 0) this.metrics = metrics
  }
}

function valuesOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))
}
