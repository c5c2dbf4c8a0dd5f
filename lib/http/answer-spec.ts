import type { Principal } from '../access.ts'
import type { Answer, ResolvedQuery } from '../query.ts'
import type { Exchange } from './exchange.ts'
import type { Target } from './target.ts'

/** A query that a request asks, and how its answer is written. */
export interface AnswerSpec {
  readonly target: Target
  readonly principal: Principal
  readonly query: ResolvedQuery
  /** All that makes bytes differ and is not in the URL or in `Accept`, `Prefer` and `Range`; empty where there is nothing. */
  readonly variant: string
  /** The same request may find something else a moment later, or the URL does not say all: nobody keeps the answer. */
  readonly isMomentary?: true
  write(answer: Answer): {
    readonly status: number
    readonly headers: readonly string[]
    readonly body: string | Buffer
  }
}

export interface AnswerSender {
  /** Answers an exchange: entity tag, content coding, freshness and caching are the sender's. */
  send(exchange: Exchange, spec: AnswerSpec): Promise<void>
}
