import { bootId } from '../base/boot.ts'
import type { CallBudget, CallLimit, CallLimiter, CallUsage, OpenCallLimiter } from '../call-limiter.ts'
import { ARRIVAL_JITTER_MS, callsAfter, earliestCall, pauseAfter } from '../call-window.ts'
import { Failure } from '../errors.ts'
import { CallTables } from './call-tables.ts'
import type { ControlDatabase } from './control-database.ts'

/** How long a slot is good for at first: what a commit takes. Who is later than that takes it again, for longer. */
const LEEWAY_MS = 2
/** A timer takes no more than 24 days, and looking now and then costs nothing. */
const MAX_SLEEP_MS = 60_000

/** A call that has asked: until when it has to be sent if its slot is taken, else when to look again. */
interface Turn {
  readonly call: number
  readonly at: number
  readonly isTaken: boolean
  readonly isCounted: boolean
}

/** Limiters over the tables of `control.sqlite`. `boot` names the start of the machine that its clock counts from. */
export function callLimiters(control: ControlDatabase, boot = bootId()): OpenCallLimiter {
  const tables = new CallTables(control)
  return (limits, budget) => new SqliteCallLimiter(control, tables, boot, limits, budget)
}

/**
 * A sliding log of calls in `control.sqlite`. Who asks gets the next free moment reserved, sleeps until then, and takes
 * the slot in a transaction that looks at what was really sent: a reservation gives a place in the queue, never the right
 * to send. So a reservation that its owner slept through, or was killed with, does no harm.
 */
class SqliteCallLimiter implements CallLimiter {
  readonly #control: ControlDatabase
  readonly #tables: CallTables
  readonly #boot: string
  readonly #limits: readonly CallLimit[]
  readonly #narrowest: CallLimit
  /** How long ago a call can be and still matter, for each account. */
  readonly #spans: ReadonlyMap<string, number>
  readonly #budget: CallBudget
  /** Said by the upstream, not saved yet. */
  #refusals: { readonly at: number; readonly ms: number }[] = []

  constructor(
    control: ControlDatabase,
    tables: CallTables,
    boot: string,
    limits: readonly CallLimit[],
    budget: CallBudget,
  ) {
    const [narrowest] = limits.toSorted((a, b) => a.calls / a.windowMs - b.calls / b.windowMs)
    if (narrowest === undefined) throw new Error('a limiter needs a limit')
    this.#control = control
    this.#tables = tables
    this.#boot = boot
    this.#limits = limits
    this.#narrowest = narrowest
    this.#spans = longestSpans(limits)
    this.#budget = budget
  }

  async slot(signal: AbortSignal): Promise<void> {
    const { clock } = this.#control
    let turn: Turn | undefined
    try {
      for (let leewayMs = LEEWAY_MS; ;) {
        signal.throwIfAborted()
        turn = await this.#write(() => this.#take(turn, leewayMs))
        const leftMs = turn.at - clock.monotonic()
        if (!turn.isTaken) await clock.sleep(Math.min(Math.max(1, Math.ceil(leftMs)), MAX_SLEEP_MS), signal)
        else if (leftMs >= 0) return
        else leewayMs *= 2
      }
    } catch (error) {
      if (turn) this.#giveUp(turn)
      throw error
    }
  }

  pause(ms: number): void {
    if (!(ms > 0)) return
    this.#refusals.push({ at: this.#control.clock.monotonic(), ms })
    // What cannot be written now is written with the next slot that this process takes.
    this.#write(() => {}).catch(() => undefined)
  }

  usage(): CallUsage {
    const { clock } = this.#control
    const month = monthOf(clock.now())
    return this.#control.read(() => ({
      month,
      calls: this.#tables.calls(this.#budget.account, month),
      budget: this.#budget.calls,
      pausedUntil: this.#pausedUntil(),
    }))
  }

  #pausedUntil(): number | null {
    const pause = this.#tables.pause(this.#narrowest.account)
    if (pause === undefined) return null
    const { clock } = this.#control
    const isOfThisBoot = this.#tables.boot() === this.#boot
    const leftMs = pause.until - (isOfThisBoot ? clock.monotonic() : pause.from)
    return leftMs > 0 ? Math.ceil(clock.now() + leftMs) : null
  }

  /** Runs `work` in a write transaction, on tables that are of this boot and know of every refusal. */
  async #write<T>(work: () => T): Promise<T> {
    const refusals = this.#refusals
    const result = await this.#control.write(() => {
      if (this.#tables.boot() !== this.#boot) this.#tables.beginBoot(this.#boot, this.#control.clock.monotonic())
      for (const { at, ms } of refusals) {
        const { account } = this.#narrowest
        this.#tables.setPause(account, pauseAfter(this.#tables.pause(account), at, ms))
      }
      return work()
    })
    this.#refusals = this.#refusals.filter((refusal) => !refusals.includes(refusal))
    return result
  }

  #take(turn: Turn | undefined, leewayMs: number): Turn {
    const now = this.#control.clock.monotonic()
    this.#forget(now, turn)
    const isCounted = turn?.isCounted ?? false
    if (!isCounted) this.#checkBudget()
    // Who overslept keeps the number, and with it the place in the queue.
    const call = turn?.call ?? this.#tables.nextCall()
    const at = this.#earliest(call, now)
    const isTaken = at === now
    const next = { call, at: isTaken ? now + leewayMs : at, isTaken, isCounted: isCounted || isTaken }
    for (const account of this.#spans.keys()) this.#tables.put(account, call, next.at, isTaken)
    if (isTaken && !isCounted) this.#tables.count(this.#budget.account, monthOf(this.#control.clock.now()))
    return next
  }

  /** `now` if all limits allow it, else when to look again. */
  #earliest(call: number, now: number): number {
    const knownSince = this.#tables.knownSince()
    const rules = this.#limits.map(({ account, calls, windowMs }) => {
      const spanMs = windowMs + ARRIVAL_JITTER_MS
      const pause = this.#tables.pause(account)
      const from = Math.max(now, knownSince + spanMs, pause?.until ?? now)
      const taken = this.#tables.ahead(account, call)
      return { from, taken, calls: pause ? callsAfter(pause, calls, from) : calls, spanMs }
    })
    let at = Math.max(...rules.map(({ from }) => from))
    for (const { taken, calls, spanMs } of rules) at = earliestCall(taken, at, calls, spanMs)
    return at
  }

  #forget(now: number, turn: Turn | undefined): void {
    for (const [account, spanMs] of this.#spans) {
      if (turn) this.#tables.drop(account, turn.call)
      this.#tables.forget(account, now - spanMs)
      const pause = this.#tables.pause(account)
      if (pause && now - pause.until > pause.until - pause.from) this.#tables.dropPause(account)
    }
  }

  #giveUp({ call }: Turn): void {
    this.#write(() => {
      for (const account of this.#spans.keys()) this.#tables.drop(account, call)
    }).catch(() => undefined) // its moment will pass
  }

  #checkBudget(): void {
    const { account, calls: budget } = this.#budget
    if (budget === null) return
    const month = monthOf(this.#control.clock.now())
    const calls = this.#tables.calls(account, month)
    if (calls < budget) return
    throw new Failure(
      'upstream_budget_spent',
      `${account} may be called ${budget} times in a month, and was called ${calls} times in ${month}. Calls go on with the next month (UTC), or with a larger budget.`,
      { facts: { account, month, calls, budget } },
    )
  }
}

function longestSpans(limits: readonly CallLimit[]): Map<string, number> {
  const spans = new Map<string, number>()
  for (const { account, windowMs } of limits) {
    spans.set(account, Math.max(spans.get(account) ?? 0, windowMs + ARRIVAL_JITTER_MS))
  }
  return spans
}

/** `2026-11`, UTC. */
function monthOf(now: number): string {
  return new Date(now).toISOString().slice(0, 7)
}
