import type { Run, SourceRecord, Trigger } from './sync-run.ts'

/** What the rest of the program can ask of the sync engine, from any process. Nothing here waits for a run. */
export interface Engine {
  /**
   * Asks for a run, or joins the one that is queued or running; a `change` that comes while one runs queues exactly
   * one more. Throws `source_paused` when the source is stopped or rolled back, unless the trigger is `start`.
   */
  request(source: string, trigger: Trigger): Promise<{ run: Run; joined: boolean }>
  /** Pauses the active run; its staged data is kept. Without an active run it changes nothing. */
  stop(source: string): Promise<SourceRecord>
  /** Back to IDLE, staged data dropped; the published snapshot stays. Throws `run_active`. */
  reset(source: string): Promise<SourceRecord>
  /** Publishes the previous snapshot again and pauses the source. Throws `no_previous_snapshot`, `run_active`. */
  rollback(source: string): Promise<{ snapshot: string }>
  /**
   * Asks for a run that publishes what the guard refused: of the newest rejected run, or of the one named.
   * Throws `nothing_to_publish`, `run_active`.
   */
  publish(source: string, run?: string): Promise<{ run: Run }>

  source(id: string): SourceRecord
  run(id: string): Run | undefined
  /** Newest first. */
  runs(options: { source?: string; limit: number; before?: string }): Run[]
  /**
   * The record now and after each change, the newest only when the reader is slow, until `signal` aborts.
   */
  watch(source: string, signal: AbortSignal): AsyncIterable<SourceRecord>
}
