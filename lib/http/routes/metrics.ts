import type { Metrics } from '../metrics.ts'
import { defineRoute, type Route } from '../route.ts'

export function metricsRoutes(metrics: Metrics): Route[] {
  return [
    defineRoute({
      method: 'GET',
      path: '/metrics',
      scope: 'read',
      summary: 'Prometheus metrics of this process',
      async handle({ exchange }) {
        const { type, text } = await metrics.scrape()
        exchange.send(200, ['Content-Type', type, 'Cache-Control', 'no-store'], text)
      },
    }),
  ]
}
