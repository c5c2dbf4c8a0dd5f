import { ValueType, type Attributes, type HrTime } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import {
  AggregationTemporality,
  DataPointType,
  type CollectionResult,
  type DataPoint,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics'
import type { Figure, Labels } from '../telemetry.ts'

/** What the semantic conventions have their own names for. */
const NAMES: Readonly<Record<string, { name: string; labels: Readonly<Record<string, string>> }>> = {
  holdfast_http_request_duration_seconds: {
    name: 'http.server.request.duration',
    labels: { route: 'http.route', method: 'http.request.method', status: 'http.response.status_code' },
  },
}

/** Hands the figures of this process to the SDK, which asks whenever it is time to export. */
export class FigureProducer implements MetricProducer {
  readonly #resource: Resource
  readonly #version: string
  readonly #startedAt: HrTime
  readonly #sources: (() => Promise<readonly Figure[]>)[] = []

  constructor(parts: { resource: Resource; version: string; startedAt: number }) {
    this.#resource = parts.resource
    this.#version = parts.version
    this.#startedAt = hrTime(parts.startedAt)
  }

  follow(figures: () => Promise<readonly Figure[]>): void {
    this.#sources.push(figures)
  }

  async collect(): Promise<CollectionResult> {
    const metrics: MetricData[] = []
    const errors: unknown[] = []
    const now = hrTime(Date.now())
    for (const figures of this.#sources) {
      try {
        for (const figure of await figures()) {
          if (figure.points.length > 0) metrics.push(toMetric(figure, { from: this.#startedAt, to: now }))
        }
      } catch (error) {
        errors.push(error)
      }
    }
    const scope = { name: 'holdfast', version: this.#version }
    return { resourceMetrics: { resource: this.#resource, scopeMetrics: [{ scope, metrics }] }, errors }
  }
}

function toMetric(figure: Figure, { from, to }: { from: HrTime; to: HrTime }): MetricData {
  const known = NAMES[figure.name]
  const rename = known?.labels ?? {}
  const point = <T>(labels: Labels, value: T): DataPoint<T> => ({
    startTime: from,
    endTime: to,
    attributes: attributesOf(labels, rename),
    value,
  })
  const base = {
    descriptor: {
      name: known?.name ?? figure.name,
      description: figure.help,
      unit: unitOf(figure.name),
      valueType: ValueType.DOUBLE,
    },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  }
  if (figure.kind === 'histogram') {
    return {
      ...base,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: figure.points.map(({ labels, bounds, counts, sum, count }) =>
        point(labels, { buckets: { boundaries: [...bounds], counts: [...counts] }, sum, count }),
      ),
    }
  }
  const dataPoints = figure.points.map(({ labels, value }) => point(labels, value))
  if (figure.kind === 'gauge') return { ...base, dataPointType: DataPointType.GAUGE, dataPoints }
  return { ...base, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
}

function attributesOf(labels: Labels, rename: Readonly<Record<string, string>>): Attributes {
  const renamed = Object.entries(labels)
    // What there is none of is left out, as the conventions have it.
    .filter(([name, value]) => rename[name] === undefined || value !== 'none')
    .map(([name, value]) => [rename[name] ?? name, value])
  return Object.fromEntries(renamed) as Attributes
}

function unitOf(name: string): string {
  if (name.endsWith('_seconds') || name.endsWith('_seconds_total')) return 's'
  return name.endsWith('_bytes') ? 'By' : '1'
}

function hrTime(epochMs: number): HrTime {
  const seconds = Math.floor(epochMs / 1000)
  return [seconds, Math.round((epochMs - seconds * 1000) * 1e6)]
}
