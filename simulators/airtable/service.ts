import type { Clock } from '../../lib/base/clock.ts'
import { VirtualClock, type Service } from './virtual-clock.ts'

/** A request being worked on, on any clock: only a virtual one can be held. */
export function serviceOf(clock: Clock): Service {
  if (clock instanceof VirtualClock) return clock.serve()
  return {
    sleep: (ms, signal) => clock.sleep(ms, signal),
    idle: () => ({ [Symbol.dispose]: () => undefined }),
    [Symbol.dispose]: () => undefined,
  }
}
