import { z } from 'zod'
import { named } from '../components.ts'

export const OpenApi = named(
  'OpenApi',
  z
    .looseObject({
      openapi: z.string(),
      info: z.looseObject({ title: z.string(), version: z.string() }),
      paths: z.record(z.string(), z.unknown()),
      components: z.record(z.string(), z.unknown()),
    })
    .describe('An OpenAPI document: spec.openapis.org/oas/v3.1.1'),
)
