import { z } from 'zod'
import { named } from '../components.ts'
import { time } from './common.ts'

const reference = z.object({ id: z.string() })

export const AirtablePing = named(
  'AirtablePing',
  z.object({ base: reference, webhook: reference, timestamp: time }).describe('Something has changed; not what'),
)
