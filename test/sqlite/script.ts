import type { Page, Plan, PlanOptions, Source, TablePlan } from '../../lib/source.ts'

export const COLUMNS = ['sku', 'name', 'price']
export const WARES: TablePlan = {
  name: 'wares',
  key: ['sku'],
  columns: COLUMNS,
  types: { sku: 'text', name: 'text', price: 'real' },
}

export type Step = Partial<Page> & { table: string }

/** An upstream that plays one script after the other; each run takes the next. */
export class Script implements Source {
  readonly id = 'wares'
  readonly asked: PlanOptions[] = []
  readonly #runs: { plan: Plan; pages: Step[] }[] = []

  next(tables: readonly TablePlan[], pages: Step[], plan: Partial<Plan> = {}): this {
    this.#runs.push({ plan: { identity: `run ${this.#runs.length}`, tables, ...plan }, pages })
    return this
  }

  plan(options: PlanOptions): Promise<Plan> {
    this.asked.push(options)
    return Promise.resolve(this.#runs[Math.min(this.asked.length, this.#runs.length) - 1]!.plan)
  }

  async *pull({ plan, resumeFrom }: Parameters<Source['pull']>[0]): AsyncGenerator<Page, void> {
    const { pages } = this.#runs.find((run) => run.plan === plan || run.plan.identity === plan.identity)!
    for (const [index, page] of pages.entries()) {
      if (resumeFrom !== undefined && index < Number(resumeFrom.split(' ').at(-1))) continue
      const columns = page.table === 'wares' ? COLUMNS : ['id']
      yield { columns, rows: [], next: `${plan.identity} page ${index + 1}`, ...page }
    }
  }
}

/** A table of a plan that begins with the rows of the active snapshot. */
export function active(table: TablePlan): TablePlan {
  return { ...table, from: 'active' }
}
