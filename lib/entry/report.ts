import { writeSync } from 'node:fs'
import { toFailure } from '../errors.ts'

/** What sysexits.h calls a configuration error. */
const EX_CONFIG = 78

/** Ends the process because it cannot start: in words when we know why, with the stack when it is a bug. */
export function cannotStart(error: unknown): never {
  const failure = toFailure(error)
  if (failure.code === 'internal') throw error
  writeSync(2, `${failure.message}\n`)
  process.exit(failure.code === 'config_invalid' || failure.code === 'format_unknown' ? EX_CONFIG : 1)
}

/** One request to end may come twice, as Ctrl-C does under npm: from the terminal, and passed on. */
const SAME_REQUEST_MS = 500

/** Resolves at the first request to end. A second one ends the process at once. */
export function untilAskedToEnd(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let askedAt: number | undefined
    const onSignal = (signal: NodeJS.Signals) => {
      if (askedAt !== undefined && performance.now() - askedAt > SAME_REQUEST_MS) process.exit(1)
      askedAt ??= performance.now()
      resolve(signal)
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
}
