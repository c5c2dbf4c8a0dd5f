const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const ID_CHARACTERS = 14

export type IdPrefix = 'app' | 'tbl' | 'viw' | 'fld' | 'rec' | 'att' | 'usr' | 'ach' | 'itr' | 'sel' | 'pat'

/** Chance that repeats itself: the same seed gives the same numbers and ids. (Mulberry32; not for secrets.) */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** At least 0 and less than 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  isTrue(share: number): boolean {
    return this.next() < share
  }

  pick<T>(list: readonly T[]): T {
    const picked = list[Math.floor(this.next() * list.length)]
    if (picked === undefined) throw new RangeError('nothing to pick from')
    return picked
  }

  /** An id as Airtable makes them, such as `recA1b2C3d4E5f6G7`. */
  id(prefix: IdPrefix): string {
    let id: string = prefix
    for (let count = 0; count < ID_CHARACTERS; count += 1) id += ALPHABET[Math.floor(this.next() * ALPHABET.length)]
    return id
  }
}
