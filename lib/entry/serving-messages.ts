import type { Settings } from '../settings.ts'

/** What a serving process is told by the one that started it. */
export type Order = Serve | { readonly kind: 'drain' }

/** The first of all. Settings with code in them cannot be handed on: the process then reads them itself. */
export interface Serve {
  readonly kind: 'serve'
  readonly settings: Settings | undefined
  readonly keys: readonly string[]
  /** Which of them it is: from 1, and the same for who takes its place. */
  readonly place: number
}

/** What a serving process tells the one that started it. */
export type Report =
  | { readonly kind: 'serving'; readonly port: number }
  /** It ends, for this reason. */
  | { readonly kind: 'cannot_start'; readonly sentence: string; readonly exitCode: number }
