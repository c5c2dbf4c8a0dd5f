import type { Clock } from '../base/clock.ts'

/** When a source is due. */
export interface Schedule {
  /** Epoch ms of the next slot, where there is one. */
  nextAt(): number | undefined
  /** Whether a slot lies between `since` and `now`. */
  isDue(since: number, now: number): boolean
  /** Calls `onSlot` with the time of each slot, until disposed. */
  follow(onSlot: (slot: number) => void): Disposable
}

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const DAYS_OF_MONTH = 31
/** Nobody waits longer than this to hear that a slot has passed. */
const MAX_LOOK_BACK_MS = 31 * 24 * 60 * MINUTE_MS
const MAX_SLEEP_MS = 60 * MINUTE_MS

/** A schedule from a checked text: a cron expression in UTC, `every <n>s`, or `off`. */
export async function createSchedule(text: string, clock: Clock): Promise<Schedule> {
  if (text === 'off')
    return { nextAt: () => undefined, isDue: () => false, follow: () => ({ [Symbol.dispose]: () => {} }) }
  const every = /^every (\d+)s$/.exec(text)
  return every === null ? await cronSchedule(text) : intervalSchedule(Number(every[1]) * 1000, clock)
}

/** How many slots a checked schedule has in a month of 31 days, about; null: none. */
export async function slotsPerMonth(text: string): Promise<number | null> {
  if (text === 'off') return null
  const every = /^every (\d+)s$/.exec(text)
  if (every !== null) return (DAYS_OF_MONTH * DAY_MS) / (Number(every[1]) * 1000)
  const { createTask } = await import('node-cron')
  const hits = (expression: string, from: number, stepMs: number, steps: number): number[] => {
    const task = createTask(expression, () => {}, { timezone: 'UTC' })
    return Array.from({ length: steps }, (_, step) => from + step * stepMs).filter((at) => task.match(new Date(at)))
  }
  const fields = text.trim().split(/\s+/)
  const hasSeconds = fields.length > 5
  // A name such as @monthly has no fields; what it means begins on the first of the month.
  const days =
    fields.length < 5
      ? Array.from({ length: DAYS_OF_MONTH }, (_, day) => day * DAY_MS)
      : hits(['0', '0', ...fields.slice(-3)].join(' '), 0, DAY_MS, DAYS_OF_MONTH)
  const isNamed = fields.length < 5
  // Days are alike, and so are minutes: one of each is looked at.
  const sampled = isNamed ? days : days.slice(0, 1)
  const minutes = sampled.flatMap((day) =>
    hits(hasSeconds ? fields.slice(1).join(' ') : text, day, isNamed ? 60 * MINUTE_MS : MINUTE_MS, isNamed ? 24 : 1440),
  )
  const [first] = minutes
  const seconds = hasSeconds && first !== undefined ? hits(text, first, 1000, 60).length : 1
  return (isNamed ? minutes.length : days.length * minutes.length) * seconds
}

/** Slots are multiples of the interval since the epoch, so that all processes mean the same ones. */
function intervalSchedule(ms: number, clock: Clock): Schedule {
  const after = (at: number) => (Math.floor(at / ms) + 1) * ms
  return {
    nextAt: () => after(clock.now()),
    isDue: (since, now) => after(since) <= now,
    follow(onSlot) {
      const ended = new AbortController()
      const run = async () => {
        let slot = after(clock.now())
        while (!ended.signal.aborted) {
          // Long timers overflow, and clocks are set: sleep in steps.
          await clock.sleep(Math.min(MAX_SLEEP_MS, Math.max(0, slot - clock.now())), ended.signal)
          if (ended.signal.aborted || clock.now() < slot) continue
          onSlot(slot)
          slot = after(Math.max(slot, clock.now()))
        }
      }
      void run()
      return { [Symbol.dispose]: () => ended.abort() }
    },
  }
}

async function cronSchedule(expression: string): Promise<Schedule> {
  const { createTask } = await import('node-cron')
  const listeners = new Set<(slot: number) => void>()
  const task = createTask(
    expression,
    (context) => {
      for (const listener of listeners) listener(context.date.getTime())
    },
    { timezone: 'UTC', unref: true, suppressMissedWarning: true },
  )
  // It knows its next run only while it runs.
  await task.start()
  const fields = expression.trim().split(/\s+/)
  const hasSeconds = fields.length > 5
  // Most days of a month hold no slot, and most minutes of a day: what they consist of is not looked at one by one.
  // (A name such as @monthly has no fields.)
  const days =
    fields.length < 5 ? undefined : createTask(['*', '*', ...fields.slice(-3)].join(' '), () => {}, { timezone: 'UTC' })
  const minutes = hasSeconds ? createTask(fields.slice(1).join(' '), () => {}, { timezone: 'UTC' }) : task
  const step = hasSeconds ? 1000 : MINUTE_MS
  return {
    nextAt: () => task.getNextRun()?.getTime(),
    isDue(since, now) {
      if (now - since > MAX_LOOK_BACK_MS) return true
      const first = Math.floor(since / MINUTE_MS) * MINUTE_MS
      for (let minute = first; minute <= now; minute += MINUTE_MS) {
        if ((minute === first || minute % DAY_MS === 0) && days?.match(new Date(minute)) === false) {
          minute = (Math.floor(minute / DAY_MS) + 1) * DAY_MS - MINUTE_MS
          continue
        }
        if (!minutes.match(new Date(minute))) continue
        for (let at = minute; at < minute + MINUTE_MS && at <= now; at += step) {
          if (at > since && task.match(new Date(at))) return true
        }
      }
      return false
    },
    follow(onSlot) {
      listeners.add(onSlot)
      return { [Symbol.dispose]: () => listeners.delete(onSlot) }
    },
  }
}
