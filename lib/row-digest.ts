import { createHash, hash } from 'node:crypto'
import type { TableInfo } from './snapshot.ts'

const LANES = 8

/**
 * Digest of a set of rows, whatever their order: the sum, in each of eight 32-bit lanes, of the SHA-256 of every
 * row's JSON text. Anyone who holds the rows can check it.
 */
export class RowDigest {
  readonly #sum = new Uint32Array(LANES)

  /** Goes on from a digest that `hex` gave. */
  static of(hex: string): RowDigest {
    const digest = new RowDigest()
    for (let lane = 0; lane < LANES; lane++) digest.#sum[lane] = Number.parseInt(hex.slice(lane * 8, lane * 8 + 8), 16)
    return digest
  }

  add(rowJson: string): void {
    const bytes = hash('sha256', rowJson, 'buffer')
    for (let lane = 0; lane < LANES; lane++) {
      this.#sum[lane] = (this.#sum[lane] ?? 0) + bytes.readUInt32BE(lane * 4)
    }
  }

  /** Takes back an `add` of the same row. */
  remove(rowJson: string): void {
    const bytes = hash('sha256', rowJson, 'buffer')
    for (let lane = 0; lane < LANES; lane++) {
      this.#sum[lane] = (this.#sum[lane] ?? 0) - bytes.readUInt32BE(lane * 4)
    }
  }

  hex(): string {
    return [...this.#sum].map((lane) => lane.toString(16).padStart(8, '0')).join('')
  }
}

/** Digest of a whole snapshot: names, columns, types, keys, row counts and rows of all its tables. */
export function snapshotDigest(tables: readonly TableInfo[]): string {
  const facts = tables
    .map((table) => JSON.stringify([table.name, table.key, table.columns, table.rows, table.digest]))
    .toSorted()
  return createHash('sha256').update(facts.join('\n')).digest('hex')
}
