/** The load generator's own process: takes jobs from the bench over IPC, does one or several at a time. */
import { setPriority } from 'node:os'
import { jobs, type Jobs } from './load-jobs.ts'

interface JobMessage {
  readonly id: number
  readonly kind: keyof Jobs | 'stop'
  readonly options: unknown
}

export type JobReply = { readonly id: number } & ({ readonly value: unknown } | { readonly error: string })

const stops = new Map<number, AbortController>()

try {
  // The clock of the measurement must not wait behind what it measures.
  setPriority(-10)
} catch {
  // Only root may.
}

process.on('message', (message: JobMessage) => {
  if (message.kind === 'stop') {
    stops.get(message.id)?.abort()
    return
  }
  const stop = new AbortController()
  stops.set(message.id, stop)
  const job = jobs[message.kind] as (options: unknown, signal: AbortSignal) => Promise<unknown>
  job(message.options, stop.signal)
    .then(
      (value): JobReply => ({ id: message.id, value }),
      (error: unknown): JobReply => ({ id: message.id, error: error instanceof Error ? error.message : String(error) }),
    )
    .then((reply) => {
      stops.delete(message.id)
      process.send?.(reply)
    })
    .catch(() => process.exit(1))
})
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
