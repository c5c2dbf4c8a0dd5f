import type { Clock } from '../base/clock.ts'
import type { Engine } from '../engine.ts'
import type { Settings } from '../settings.ts'
import type { Snapshots } from '../snapshot.ts'
import type { BodyCache } from './body-cache.ts'
import type { KeyCheck } from './keys.ts'
import type { HttpLog } from './log.ts'
import type { SourceFeed } from './source-feed.ts'
import type { Streams } from './streams.ts'

export type HttpSettings = Pick<Settings, 'bodyCacheBytes' | 'sseMaxBytes' | 'maxStreams' | 'readyMaxAgeMs'>

/** What every route can use. */
export interface Context {
  readonly settings: HttpSettings
  readonly snapshots: Snapshots
  readonly engine: Engine
  readonly keys: KeyCheck
  readonly log: HttpLog
  readonly clock: Clock
  readonly version: string
  /** In the order of the configuration. */
  readonly sources: readonly string[]
  readonly feed: SourceFeed
  readonly bodies: BodyCache
  readonly streams: Streams
  /** helmet's, the same on every answer. */
  readonly constantHeaders: readonly string[]
  readonly startedAt: number
  isDraining(): boolean
}
