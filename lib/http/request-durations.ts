import type { Distribution, Figure } from '../telemetry.ts'

/** Seconds: those of the semantic conventions, and below them what an answer from memory takes. */
const BOUNDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]
const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']
/** What takes the place of a label there is no value for. */
const NONE = 'none'

interface Series {
  readonly counts: Float64Array
  sum: number
  count: number
}

/**
 * How long requests took. Counted here and not by prom-client, which need not be loaded to be ready to tell. Labels are
 * bounded: routes are declared, statuses are ours, and a method that we do not know is `other`.
 */
export class RequestDurations {
  /** By route, and then by method and status in one number. */
  readonly #routes = new Map<string, Map<number, Series>>()

  observe(route: string | undefined, method: string, status: number | undefined, seconds: number): void {
    const name = route ?? NONE
    let family = this.#routes.get(name)
    if (!family) this.#routes.set(name, (family = new Map()))
    const key = METHODS.indexOf(method) * 1000 + (status ?? 0)
    let series = family.get(key)
    if (!series) family.set(key, (series = { counts: new Float64Array(BOUNDS.length + 1), sum: 0, count: 0 }))
    let place = 0
    while (place < BOUNDS.length && seconds > BOUNDS[place]!) place++
    series.counts[place]!++
    series.sum += seconds
    series.count++
  }

  figure(): Figure & { readonly kind: 'histogram' } {
    const points: Distribution[] = []
    for (const [route, family] of this.#routes) {
      for (const [key, { counts, sum, count }] of family) {
        const method = METHODS[Math.floor(key / 1000)] ?? 'other'
        const status = key - Math.floor(key / 1000) * 1000
        const labels = { route, method, status: status === 0 ? NONE : status }
        points.push({ labels, bounds: BOUNDS, counts: [...counts], sum, count })
      }
    }
    return {
      name: 'holdfast_http_request_duration_seconds',
      help: 'From the headers of a request to the end of its answer',
      kind: 'histogram',
      points,
    }
  }
}
