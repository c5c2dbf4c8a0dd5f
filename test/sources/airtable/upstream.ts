import type { TestContext } from 'node:test'
import type { Clock } from '../../../lib/base/clock.ts'
import type { JsonValue } from '../../../lib/column.ts'
import type { AirtableSourceOptions } from '../../../lib/settings.ts'
import type { SourceMemory, SourceParts } from '../../../lib/source-parts.ts'
import type { Source } from '../../../lib/source.ts'
import type { ClientLimits } from '../../../lib/sources/airtable/client.ts'
import { airtableSource } from '../../../lib/sources/airtable/source.ts'
import { callLimiters } from '../../../lib/sqlite/call-limiter.ts'
import { ControlDatabase } from '../../../lib/sqlite/control-database.ts'
import type { Base } from '../../../simulators/airtable/base.ts'
import { startSimulator, type Simulator, type SimulatorOptions } from '../../../simulators/airtable/simulator.ts'
import { VirtualClock } from '../../../simulators/airtable/virtual-clock.ts'
import { tempFolder } from '../../support/temp.ts'

export interface UpstreamOptions {
  readonly sim?: Partial<SimulatorOptions>
  readonly publicUrl?: string | null
  /** How far the clock of the mirroring machine is from that of Airtable. */
  readonly skewMs?: number
  readonly runsPerMonth?: number
}

/** A simulated base, and all that a source of it is made with; time is the simulator's, the limiter is the real one. */
export class Upstream implements AsyncDisposable {
  readonly sim: Simulator
  readonly clock: VirtualClock
  readonly memory = new Memory()
  readonly parts: SourceParts
  readonly #resources: Disposable[]

  private constructor(sim: Simulator, clock: VirtualClock, options: UpstreamOptions) {
    const folder = tempFolder()
    const own = skewed(clock, options.skewMs ?? 0)
    const control = new ControlDatabase(folder.file('control.sqlite'), own)
    this.sim = sim
    this.clock = clock
    this.#resources = [{ [Symbol.dispose]: () => control.close() }, folder]
    this.parts = {
      clock: own,
      openLimiter: callLimiters(control, 'this boot'),
      memory: this.memory,
      publicUrl: options.publicUrl ?? null,
      ...(options.runsPerMonth !== undefined && { runsPerMonth: options.runsPerMonth }),
    }
  }

  static async start(base: Base, options: UpstreamOptions = {}): Promise<Upstream> {
    const clock = new VirtualClock()
    const sim = await startSimulator({ clock, base, ...options.sim })
    return new Upstream(sim, clock, options)
  }

  get base(): Base {
    return this.sim.base
  }

  /** As another process would make it: it remembers nothing but what `memory` has. */
  source(options: Partial<AirtableSourceOptions> = {}, limits: Partial<ClientLimits> = {}): Source {
    const { sim } = this
    const given = { baseId: sim.base.id, token: sim.token, endpointUrl: sim.url, ...options }
    return airtableSource('crm', given, this.parts, limits)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sim.close()
    for (const resource of this.#resources) resource[Symbol.dispose]()
  }
}

export async function upstreamOf(t: TestContext, base: Base, options: UpstreamOptions = {}): Promise<Upstream> {
  const upstream = await Upstream.start(base, options)
  t.after(() => upstream[Symbol.asyncDispose]())
  return upstream
}

export class Memory implements SourceMemory {
  value: JsonValue | undefined
  read(): JsonValue | undefined {
    return this.value
  }
  write(value: JsonValue): void {
    this.value = JSON.parse(JSON.stringify(value)) as JsonValue
  }
}

function skewed(clock: VirtualClock, skewMs: number): Clock {
  return {
    now: () => clock.now() + skewMs,
    monotonic: () => clock.monotonic(),
    sleep: (ms, signal) => clock.sleep(ms, signal),
  }
}
