import type { MetricObjectWithValues, MetricValue, MetricValueWithName, Registry } from 'prom-client'
import type { Distribution, Figure, Labels } from '../telemetry.ts'

/** What prom-client counts, in a form that knows nothing of Prometheus. Summaries are left out: we have none. */
export async function figuresOf(registry: Registry): Promise<Figure[]> {
  const metrics = await registry.getMetricsAsJSON()
  return metrics.flatMap((metric): Figure[] => {
    const { name, help, values } = metric
    const kind = String(metric.type)
    if (kind === 'histogram') return [{ name, help, kind, points: distributionsOf(metric) }]
    if (kind !== 'counter' && kind !== 'gauge') return []
    const points = values.filter(({ value }) => Number.isFinite(value)).map(({ labels, value }) => ({ labels, value }))
    return [{ name, help, kind, points: points as { labels: Labels; value: number }[] }]
  })
}

/** Buckets come one by one, each with those below it counted in. */
function distributionsOf({ name, values }: MetricObjectWithValues<MetricValue<string>>): Distribution[] {
  const found = new Map<string, { labels: Labels; bounds: number[]; counts: number[]; sum: number; count: number }>()
  for (const { metricName, labels, value } of values as MetricValueWithName<string>[]) {
    const { le, ...others } = labels as Labels
    const key = JSON.stringify(Object.entries(others).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    let one = found.get(key)
    if (!one) found.set(key, (one = { labels: others, bounds: [], counts: [], sum: 0, count: 0 }))
    if (metricName === `${name}_sum`) one.sum = value
    else if (metricName === `${name}_count`) one.count = value
    else {
      const below = one.counts.reduce((sum, count) => sum + count, 0)
      one.counts.push(value - below)
      if (le !== '+Inf') one.bounds.push(Number(le))
    }
  }
  return [...found.values()]
}

/** A histogram in the text format of Prometheus, as a registry writes its own. */
export function textOf({ name, help, points }: Figure & { readonly kind: 'histogram' }): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`]
  for (const { labels, bounds, counts, sum, count } of points) {
    let below = 0
    for (const [place, bound] of [...bounds, '+Inf'].entries()) {
      below += counts[place] ?? 0
      lines.push(`${name}_bucket${labelsOf({ ...labels, le: bound })} ${below}`)
    }
    lines.push(`${name}_sum${labelsOf(labels)} ${sum}`, `${name}_count${labelsOf(labels)} ${count}`)
  }
  return `${lines.join('\n')}\n`
}

const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' }

function labelsOf(labels: Labels): string {
  const written = Object.entries(labels).map(
    ([name, value]) => `${name}="${String(value).replaceAll(/[\\"\n]/g, (character) => ESCAPES[character]!)}"`,
  )
  return `{${written.join(',')}}`
}
