/** A generator of numbers in [0, 1) that a seed replays (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The seed of a test run: from `HOLDFAST_SEED`, or a new one. Say it in every failure. */
export function testSeed(): number {
  const given = process.env.HOLDFAST_SEED
  return given === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(given)
}
