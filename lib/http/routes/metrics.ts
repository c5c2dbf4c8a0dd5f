import type { Metrics } from '../metrics.ts'
import type { Route } from '../route.ts'

export function metricsRoutes(metrics: Metrics): Route[] {
  return [
    {
      method: 'GET',
      path: '/metrics',
      scope: 'read',
      summary: 'Prometheus metrics of this process',
      async handle({ exchange }) {
        exchange.parameters({})
        const { type, text } = await metrics.scrape()
        exchange.send(200, ['Content-Type', type, 'Cache-Control', 'no-store'], text)
      },
    },
  ]
}
