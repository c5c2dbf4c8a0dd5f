interface Principal<Job> {
  readonly waiting: Job[]
  running: number
  /** Grows with each job that is taken from anybody. */
  servedAt: number
}

/**
 * Who waits, and who is next: of the principals with the fewest running the one served longest ago. One that asks much
 * waits behind itself.
 */
export class FairQueue<Job extends { readonly principal: string }> {
  readonly #max: number
  /** Those who have something waiting or running. */
  readonly #principals = new Map<string, Principal<Job>>()
  #size = 0
  #served = 0

  constructor(max: number) {
    this.#max = max
  }

  get size(): number {
    return this.#size
  }

  /**
   * Takes a job in. Where there is no room, returns the one that has to go: this one, or the last one of somebody who
   * has far more waiting.
   */
  add(job: Job): Job | undefined {
    let crowdedOut: Job | undefined
    if (this.#size >= this.#max) {
      const own = this.#principals.get(job.principal)?.waiting.length ?? 0
      const lists = [...this.#principals.values()].map(({ waiting }) => waiting)
      const longest = lists.reduce((a, b) => (b.length > a.length ? b : a), [])
      if (longest.length <= own + 1) return job
      crowdedOut = longest.at(-1)!
      this.remove(crowdedOut)
    }
    let principal = this.#principals.get(job.principal)
    if (principal === undefined) {
      principal = { waiting: [], running: 0, servedAt: 0 }
      this.#principals.set(job.principal, principal)
    }
    principal.waiting.push(job)
    this.#size++
    return crowdedOut
  }

  /** The next one, which runs from now on; `ended` has to be told when it no longer does. */
  next(): Job | undefined {
    let chosen: Principal<Job> | undefined
    for (const principal of this.#principals.values()) {
      if (principal.waiting.length > 0 && (chosen === undefined || isBefore(principal, chosen))) chosen = principal
    }
    const job = chosen?.waiting.shift()
    if (chosen === undefined || job === undefined) return undefined
    chosen.running++
    chosen.servedAt = ++this.#served
    this.#size--
    return job
  }

  ended(job: Job): void {
    const principal = this.#principals.get(job.principal)
    if (principal === undefined) return
    principal.running--
    this.#forget(job.principal, principal)
  }

  /** False: it was not waiting. */
  remove(job: Job): boolean {
    const principal = this.#principals.get(job.principal)
    const at = principal?.waiting.indexOf(job) ?? -1
    if (principal === undefined || at < 0) return false
    principal.waiting.splice(at, 1)
    this.#size--
    this.#forget(job.principal, principal)
    return true
  }

  #forget(name: string, { waiting, running }: Principal<Job>): void {
    if (waiting.length === 0 && running === 0) this.#principals.delete(name)
  }
}

function isBefore(a: Principal<unknown>, b: Principal<unknown>): boolean {
  return a.running === b.running ? a.servedAt < b.servedAt : a.running < b.running
}
