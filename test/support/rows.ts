import { RowDigest } from '../../lib/row-digest.ts'
import { seeded } from './random.ts'

export interface SampleRow {
  readonly sku: string
  readonly name: string
  readonly price: string
  readonly stock: number
  readonly tags: readonly string[] | null
}

/** Rows with a key (`sku`), the same for the same seed. */
export function sampleRows(count: number, seed = 1): SampleRow[] {
  const random = seeded(seed)
  return Array.from({ length: count }, (_, index) => ({
    sku: String(index).padStart(6, '0'),
    name: `Ware ${Math.floor(random() * 1e6)} “ü”`,
    price: (random() * 1000).toFixed(2),
    stock: Math.floor(random() * 1000),
    tags: random() < 0.2 ? null : ['a', String(Math.floor(random() * 9))],
  }))
}

/** The same rows with about `share` of them changed. */
export function changedRows(rows: readonly SampleRow[], share: number, seed: number): SampleRow[] {
  const random = seeded(seed)
  return rows.map((row) => (random() < share ? { ...row, stock: row.stock + 1 + Math.floor(random() * 1000) } : row))
}

/** What `RowDigest` gives for rows as a client got them. */
export function digestOf(rows: readonly unknown[]): string {
  const digest = new RowDigest()
  for (const row of rows) digest.add(JSON.stringify(row))
  return digest.hex()
}
