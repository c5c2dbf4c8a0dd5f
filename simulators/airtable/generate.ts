import { Base } from './base.ts'
import { Random } from './random.ts'

export function generateBase(options: { seed?: number; tables?: number; records?: number; name?: string }): Base {
  const base = new Base({ seed: options.seed ?? 1, ...(options.name !== undefined && { name: options.name }) })
  const random = new Random((options.seed ?? 1) + 1)
  base.transaction(() => {
    const t = base.createTable({
      name: 'Orders',
      fields: [
        { name: 'Number', type: 'singleLineText' },
        { name: 'Amount', type: 'number', options: { precision: 2 } },
      ],
    })
    for (let i = 0; i < (options.records ?? 100); i += 1)
      t.create(
        { Number: `O-${i}`, Amount: random.whole(1, 9999) / 100 },
        { createdTime: Date.UTC(2025, 0, 1) + i * 1000 },
      )
  })
  return base
}
