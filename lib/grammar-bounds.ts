import type { GrammarText } from './grammar-text.ts'

export const MAX_NESTING = 20
const MAX_CONDITIONS = 200
const MAX_IN_VALUES = 1000
export const MAX_ORDERS = 100
export const MAX_OUTPUTS = 500

/** What a whole request may still ask for, over all of its filters. */
export class GrammarBudget {
  #conditions = 0
  #values = 0

  countCondition(reader: GrammarText): void {
    if (++this.#conditions > MAX_CONDITIONS) throw reader.exceeds(`at most ${MAX_CONDITIONS} conditions`)
  }

  countValue(reader: GrammarText): void {
    if (++this.#values > MAX_IN_VALUES) throw reader.exceeds(`at most ${MAX_IN_VALUES} values in lists`)
  }
}
