import type { Clock } from '../base/clock.ts'
import type { Claim, Control, Lease } from '../control.ts'

/** A thread that works on one claim. `done` resolves when it has ended, with what went wrong if it broke. */
export interface SyncThread {
  readonly done: Promise<{ crash?: Error }>
  /** Counts up while the work comes further; the second number is not 0 while it is inside one long statement. */
  readonly pulse: { beats: number; isInStatement: boolean }
  /** Asks it to end: `stopped` and `interrupted` both keep what was pulled. */
  end(reason: 'stopped' | 'interrupted'): void
  /** Ends it where it is. */
  kill(): void
}

export interface RunnerParts {
  readonly control: Control
  readonly clock: Clock
  readonly holder: string
  readonly leaseTtlMs: number
  /** Work that shows no sign of life for this long loses its lease. */
  readonly stallMs: number
  readonly maxThreads: number
  /** Sources this process knows how to sync. */
  readonly sources: ReadonlySet<string>
  spawn(claim: Claim): SyncThread
  readonly onEvent: (event: RunnerEvent) => void
}

export type RunnerEvent =
  | { readonly kind: 'claimed'; readonly source: string; readonly run: string; readonly isResumed: boolean }
  | { readonly kind: 'ended'; readonly source: string; readonly run: string }
  | { readonly kind: 'crashed'; readonly source: string; readonly run: string; readonly error: Error }
  | { readonly kind: 'lease_lost'; readonly source: string; readonly run: string }
  | { readonly kind: 'trouble'; readonly error: unknown }

const LOOK_MS = 100
const CRASH_BACKOFF_MS = 500
const MAX_BACKOFF_MS = 30_000

/**
 * Takes runs that wait, one thread for each, and keeps their leases while they come further. It does no work itself:
 * it may live on a thread that serves.
 */
export class Runner {
  readonly #parts: RunnerParts
  readonly #active = new Map<string, Promise<void>>()
  readonly #backoff = new Map<string, { from: number; until: number; crashes: number }>()
  readonly #draining = new AbortController()
  #wake = new AbortController()
  #lastVersion = -1
  #lastLook = -Infinity
  #loop: Promise<void> | undefined

  constructor(parts: RunnerParts) {
    this.#parts = parts
  }

  start(): void {
    this.#loop ??= this.#run()
  }

  /** Looks for work now rather than at the next turn. */
  wake(): void {
    this.#lastVersion = -1
    this.#wake.abort()
  }

  /** Whether this process works on anything now. */
  get isBusy(): boolean {
    return this.#active.size > 0
  }

  /** Ends all runs where they are, to be resumed by whoever comes next, and takes no more. */
  async drain(): Promise<void> {
    this.#draining.abort()
    this.#wake.abort()
    await this.#loop
    await Promise.all(this.#active.values())
  }

  async #run(): Promise<void> {
    const { clock, onEvent } = this.#parts
    while (!this.#draining.signal.aborted) {
      try {
        await this.#claimAll()
      } catch (error) {
        onEvent({ kind: 'trouble', error })
      }
      await clock.sleep(LOOK_MS, this.#wake.signal)
      if (this.#wake.signal.aborted) this.#wake = new AbortController()
    }
  }

  async #claimAll(): Promise<void> {
    const { control, clock, sources, holder, leaseTtlMs, maxThreads, onEvent } = this.#parts
    // Leases run out without a trace in the file, so now and then a look is due whatever the version says.
    const version = control.version()
    // (Either way: a clock may be set back.)
    if (version === this.#lastVersion && Math.abs(clock.now() - this.#lastLook) < 500) return
    this.#lastVersion = version
    this.#lastLook = clock.now()
    for (const source of control.claimable()) {
      if (!sources.has(source) || this.#active.has(source) || this.#active.size >= maxThreads) continue
      if (this.#isBackingOff(source)) continue
      const claim = await control.claim(source, holder, leaseTtlMs).catch((error: unknown) => {
        // What is wrong with one source must not hold up the others.
        onEvent({ kind: 'trouble', error })
        return undefined
      })
      if (claim === undefined || this.#draining.signal.aborted) {
        if (claim !== undefined) await control.release(claim.lease)
        continue
      }
      this.#active.set(
        source,
        this.#work(claim)
          .catch((error: unknown) => onEvent({ kind: 'trouble', error }))
          .finally(() => {
            this.#active.delete(source)
            this.wake()
          }),
      )
    }
  }

  #isBackingOff(source: string): boolean {
    const backoff = this.#backoff.get(source)
    const now = this.#parts.clock.now()
    // Before its beginning: the clock was set back, and the time says nothing.
    return backoff !== undefined && backoff.from <= now && now < backoff.until
  }

  async #work(claim: Claim): Promise<void> {
    const { clock, onEvent } = this.#parts
    const { run, lease } = claim
    const { source } = run
    onEvent({ kind: 'claimed', source, run: run.id, isResumed: run.resumes > 0 })
    const { crash } = await this.#attend(claim)
    if (crash === undefined) {
      this.#backoff.delete(source)
      onEvent({ kind: 'ended', source, run: run.id })
    } else {
      const crashes = (this.#backoff.get(source)?.crashes ?? 0) + 1
      const delay = Math.min(MAX_BACKOFF_MS, CRASH_BACKOFF_MS * 2 ** crashes) * (0.5 + Math.random())
      this.#backoff.set(source, { from: clock.now(), until: clock.now() + delay, crashes })
      onEvent({ kind: 'crashed', source, run: run.id, error: crash })
    }
    await this.#release(lease)
  }

  /** Keeps a thread's lease until it has ended, whether it could be started or not. */
  async #attend(claim: Claim): Promise<{ crash?: Error }> {
    const ended = new AbortController()
    try {
      const thread = this.#parts.spawn(claim)
      const keeper = this.#keep(claim, thread, ended.signal)
      const end = await thread.done
      ended.abort()
      await keeper
      return end
    } catch (error) {
      ended.abort()
      return { crash: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  /** Renews the lease while the work comes further, and passes on what others ask of the run. */
  async #keep(claim: Claim, thread: SyncThread, ended: AbortSignal): Promise<void> {
    const { control, clock, leaseTtlMs, stallMs, onEvent } = this.#parts
    const { run, lease } = claim
    const either = AbortSignal.any([ended, this.#draining.signal])
    let beats = -1
    let lastBeat = performance.now()
    let lastRenewal = performance.now()
    while (!ended.aborted) {
      await clock.sleep(LOOK_MS, this.#draining.signal.aborted ? ended : either)
      if (ended.aborted) return
      if (this.#draining.signal.aborted) thread.end('interrupted')
      else if (isStopRequested(control, run.id)) thread.end('stopped')
      const now = performance.now()
      const { pulse } = thread
      if (pulse.beats !== beats || pulse.isInStatement) lastBeat = now
      beats = pulse.beats
      if (now - lastBeat > stallMs) {
        // No sign of life: give the lease up, so that another can go on from the checkpoint.
        thread.kill()
        return
      }
      if (now - lastRenewal < leaseTtlMs / 3) continue
      lastRenewal = now
      if (await control.renew(lease, leaseTtlMs).catch(() => true)) continue
      onEvent({ kind: 'lease_lost', source: run.source, run: run.id })
      thread.kill()
      return
    }
  }

  async #release(lease: Lease): Promise<void> {
    try {
      await this.#parts.control.release(lease)
    } catch (error) {
      // It runs out by itself.
      this.#parts.onEvent({ kind: 'trouble', error })
    }
  }
}

function isStopRequested(control: Control, run: string): boolean {
  try {
    return control.isStopRequested(run)
  } catch {
    return false
  }
}
