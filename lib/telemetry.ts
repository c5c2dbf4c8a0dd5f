import type { Run } from './sync-run.ts'

/**
 * Tells a collector what this process does. Where none is configured there is no `Telemetry` at all, so that nothing is
 * loaded and nothing is paid. Nothing here throws, waits or grows without a bound, whatever becomes of the collector.
 */
export interface Telemetry {
  /** A request begins to be answered. */
  request(request: BegunRequest): RequestSpan
  /** A run came to an end in this process, or stopped here to be resumed. `at` is when, in epoch milliseconds. */
  run(run: Run, at: number): void
  /** Something that took its time for the request at hand has ended, such as a query. */
  step(step: EndedStep): void
  /** Asks for the figures now and then, and passes them on. */
  follow(figures: () => Promise<readonly Figure[]>): void
  /** Sends what is left, and resolves when it is sent or the time is up. What comes after is dropped. */
  shutdown(withinMs: number): Promise<void>
}

/** What is known of a request when its headers are in. */
export interface BegunRequest {
  readonly method: string
  /** Without the query string, whose values are nobody's business. */
  readonly path: string
  readonly host: string | undefined
  readonly httpVersion: string
  /** W3C Trace Context, as it came. */
  readonly traceparent: string | undefined
  readonly tracestate: string | undefined
}

export interface RequestSpan {
  /** Whether anybody will look at what `end` is told. */
  readonly isRecorded: boolean
  /** Runs `work`; steps of what it begins, now or later, belong to this request. */
  within(work: () => void): void
  /** To be called once, when the answer has gone out or its client has. */
  end(answer: EndedRequest): void
}

export interface EndedRequest {
  /** As it is declared: `/api/runs/:id`. Undefined where there is none for the path. */
  readonly route: string | undefined
  /** Undefined where the client went before it had an answer. */
  readonly status: number | undefined
  /** Whether all of the answer was handed over. */
  readonly isComplete: boolean
  readonly requestId?: string | undefined
  readonly source?: string | undefined
  readonly table?: string | undefined
  readonly snapshot?: string | undefined
  readonly cache?: 'hit' | 'miss' | '304' | undefined
}

/** Times are epoch milliseconds, with fractions where they are known. */
export interface EndedStep {
  readonly name: string
  readonly from: number
  readonly to: number
  readonly attributes: Readonly<Record<string, string | number | boolean>>
  /** The code of the failure it ended with. */
  readonly failure?: string
}

export type Labels = Readonly<Record<string, string | number>>

/** A figure of this process as `/metrics` shows it; counts begin when the process does. */
export type Figure = { readonly name: string; readonly help: string } & (
  | { readonly kind: 'counter' | 'gauge'; readonly points: readonly { labels: Labels; value: number }[] }
  | { readonly kind: 'histogram'; readonly points: readonly Distribution[] }
)

export interface Distribution {
  readonly labels: Labels
  /** Upper bounds, ascending. */
  readonly bounds: readonly number[]
  /** How many values each bound takes that the one before does not, and last how many are beyond all of them. */
  readonly counts: readonly number[]
  readonly sum: number
  readonly count: number
}
