import { writeSync } from 'node:fs'
import { toFailure } from '../errors.ts'

/** What sysexits.h calls a configuration error. */
const EX_CONFIG = 78

/** The process cannot do what it is for, for a reason outside of it that has no failure code. */
export class CannotStart extends Error {
  readonly exitCode: number

  constructor(sentence: string, exitCode = 1) {
    super(sentence)
    this.exitCode = exitCode
  }
}

/** Why a process cannot start, in words, and the code it ends with; undefined when it is a bug. */
export function reasonNotToStart(error: unknown): { readonly sentence: string; readonly exitCode: number } | undefined {
  if (error instanceof CannotStart) return { sentence: error.message, exitCode: error.exitCode }
  const { code, message } = toFailure(error)
  if (code === 'internal') return undefined
  return { sentence: message, exitCode: code === 'config_invalid' || code === 'format_unknown' ? EX_CONFIG : 1 }
}

/** Ends the process because it cannot start: in words when we know why, with the stack when it is a bug. */
export function cannotStart(error: unknown): never {
  const reason = reasonNotToStart(error)
  if (reason === undefined) throw error
  writeSync(2, `${reason.sentence}\n`)
  process.exit(reason.exitCode)
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
