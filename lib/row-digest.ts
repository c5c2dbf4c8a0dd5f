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
    const digest = hash('sha256', rowJson, 'binary')
    for (let lane = 0; lane < LANES; lane++) this.#sum[lane] = this.#sum[lane]! + laneOf(digest, lane)
  }

  /** Takes back an `add` of the same row. */
  remove(rowJson: string): void {
    const digest = hash('sha256', rowJson, 'binary')
    for (let lane = 0; lane < LANES; lane++) this.#sum[lane] = this.#sum[lane]! - laneOf(digest, lane)
  }

  hex(): string {
    return [...this.#sum].map((lane) => lane.toString(16).padStart(8, '0')).join('')
  }
}

/** The bytes of a lane as a number of 32 bits; a digest as a string of bytes is had for a third of what a buffer costs. */
function laneOf(digest: string, lane: number): number {
  const at = lane * 4
  return (
    (digest.charCodeAt(at) << 24) |
    (digest.charCodeAt(at + 1) << 16) |
    (digest.charCodeAt(at + 2) << 8) |
    digest.charCodeAt(at + 3)
  )
}

/** Digest of a whole snapshot: names, columns, types, keys, row counts and rows of all its tables. */
export function snapshotDigest(tables: readonly TableInfo[]): string {
  const facts = tables
    .map((table) => JSON.stringify([table.name, table.key, table.columns, table.rows, table.digest]))
    .toSorted()
  return createHash('sha256').update(facts.join('\n')).digest('hex')
}
