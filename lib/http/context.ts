import type { Clock } from '../base/clock.ts'
import type { Engine } from '../engine.ts'
import type { MirroredFiles } from '../files.ts'
import type { Settings } from '../settings.ts'
import type { Snapshots } from '../snapshot.ts'
import type { Telemetry } from '../telemetry.ts'
import type { KnownWebhook } from '../webhook.ts'
import type { BodyCache } from './body-cache.ts'
import type { KeyCheck } from '../access.ts'
import type { ChangeHub } from './change-hub.ts'
import type { KeyStore, TicketStore } from '../keys.ts'
import type { Cors } from './cors.ts'
import type { Gate } from './gate.ts'
import type { HeldBytes } from './held-bytes.ts'
import type { HttpLog } from './log.ts'
import type { PresentedKeys } from './presented-keys.ts'
import type { RateLimits } from './rate-limit.ts'
import type { SourceFeed } from './source-feed.ts'
import type { SlowQueries } from './slow-queries.ts'
import type { Streams } from './streams.ts'

export type HttpSettings = Pick<
  Settings,
  | 'bodyCacheBytes'
  | 'sseMaxBytes'
  | 'maxStreams'
  | 'readyMaxAgeMs'
  | 'maxRows'
  | 'answerMaxBytes'
  | 'answerCacheBytes'
  | 'exportFileBytes'
  | 'rateLimit'
  | 'corsOrigins'
  | 'webConcurrency'
  | 'publicUrl'
>

/** What every route can use. */
export interface Context {
  readonly settings: HttpSettings
  readonly snapshots: Snapshots
  readonly files: MirroredFiles
  readonly engine: Engine
  /** Each with the rate that counts for it. */
  readonly keys: KeyCheck
  readonly presented: PresentedKeys
  readonly keyStore: KeyStore
  readonly tickets: TicketStore
  readonly gate: Gate
  readonly rates: RateLimits
  readonly cors: Cors
  readonly log: HttpLog
  readonly clock: Clock
  readonly version: string
  /** In the order of the configuration. */
  readonly sources: readonly string[]
  readonly feed: SourceFeed
  readonly changeHub: ChangeHub
  readonly bodies: BodyCache
  readonly streams: Streams
  /** What slow readers have not taken yet of answers that are in memory as a whole. */
  readonly held: HeldBytes
  readonly slowQueries: SlowQueries
  /** Where there is a collector to tell. */
  readonly telemetry?: Telemetry | undefined
  /** helmet's and, where pages of other origins may read, those of CORS: the same on every answer. */
  readonly constantHeaders: readonly string[]
  readonly startedAt: number
  readonly process?: string | undefined
  /** What notifications for a source are held against; undefined for whatever has no webhook. */
  webhookOf(source: string): KnownWebhook | undefined
  isDraining(): boolean
}
