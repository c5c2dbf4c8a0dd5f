import { diag, DiagLogLevel } from '@opentelemetry/api'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import {
  defaultResource,
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
  serviceNameEnvDetector,
  type Resource,
} from '@opentelemetry/resources'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { AlwaysOffSampler, BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import type { Telemetry } from '../telemetry.ts'
import { FigureProducer } from './figure-producer.ts'
import { RequestSpans } from './request-spans.ts'
import { tellRun } from './run-spans.ts'
import { samplerOf, type Env } from './sampler.ts'
import { Trouble } from './trouble.ts'

const METRICS_EVERY_MS = 60_000
const SPANS_EVERY_MS = 5000
/** Spans that wait to be sent; more are dropped. */
const MAX_SPANS = 2048
/** An export that takes longer is given up. */
const EXPORT_MS = 10_000

export interface TelemetryParts {
  /** Where the standard variables are; the exporters read theirs from the environment of the process themselves. */
  readonly env: Env
  readonly version: string
  /** What this process is: `server` or `worker`. */
  readonly role: string
  /** Told now and then of what goes wrong, with the number of troubles that were left out since. */
  readonly onTrouble: (message: string, before: number) => void
}

/** Sends spans and figures by OTLP, as JSON over HTTP. */
export function openTelemetry({ env, version, role, onTrouble }: TelemetryParts): Telemetry {
  const trouble = new Trouble(onTrouble)
  diag.setLogger(trouble, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
  const note = (message: string) => trouble.note(message)
  const resource = resourceOf(version, role)

  const isTracing = isWanted(env.OTEL_TRACES_EXPORTER)
  const tracers = new TracerProvider({
    resource,
    sampler: isTracing ? samplerOf(env, note) : new AlwaysOffSampler(),
    spanLimits: { attributeValueLengthLimit: 1000 },
    spanProcessors: isTracing
      ? [
          new BatchSpanProcessor({
            exporter: new OTLPTraceExporter(),
            maxQueueSize: MAX_SPANS,
            scheduledDelayMillis: millisOf(env.OTEL_BSP_SCHEDULE_DELAY, SPANS_EVERY_MS),
            exportTimeoutMillis: EXPORT_MS,
          }),
        ]
      : [],
  })
  const producer = new FigureProducer({ resource, version, startedAt: Date.now() - process.uptime() * 1000 })
  const everyMs = millisOf(env.OTEL_METRIC_EXPORT_INTERVAL, METRICS_EVERY_MS)
  let meters: MeterProvider | undefined
  const tracer = tracers.getTracer('holdfast', version)
  const requests = new RequestSpans(tracer)

  return {
    request: (request) => requests.begin(request),
    run: (run, at) => tellRun(tracer, run, at),
    step: (step) => requests.step(step),
    follow(figures) {
      producer.follow(figures)
      if (!isWanted(env.OTEL_METRICS_EXPORTER)) return
      meters ??= new MeterProvider({
        resource,
        readers: [
          new PeriodicExportingMetricReader({
            exporter: new OTLPMetricExporter(),
            exportIntervalMillis: everyMs,
            exportTimeoutMillis: Math.min(everyMs, EXPORT_MS),
            metricProducers: [producer],
          }),
        ],
      })
    },
    async shutdown(withinMs) {
      const sent = Promise.allSettled([tracers.shutdown(), meters?.shutdown()])
      let timer: NodeJS.Timeout | undefined
      const timeIsUp = new Promise<void>((resolve) => (timer = setTimeout(resolve, withinMs)))
      await Promise.race([sent, timeIsUp])
      clearTimeout(timer)
    },
  }
}

/** What the environment says of the service goes before what we know. */
function resourceOf(version: string, role: string): Resource {
  const ours = resourceFromAttributes({
    'service.name': 'holdfast',
    'service.version': version,
    'process.pid': process.pid,
    'holdfast.role': role,
  })
  return defaultResource()
    .merge(ours)
    .merge(detectResources({ detectors: [serviceInstanceIdDetector, resourceAttributesEnvDetector] }))
    .merge(detectResources({ detectors: [serviceNameEnvDetector] }))
}

function isWanted(exporter: string | undefined): boolean {
  return exporter?.trim().toLowerCase() !== 'none'
}

function millisOf(text: string | undefined, fallback: number): number {
  const ms = Number(text?.trim() || fallback)
  return Number.isInteger(ms) && ms > 0 && ms < 2 ** 31 ? ms : fallback
}
