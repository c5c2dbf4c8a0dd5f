const MAX_NAMES = 500
const MAX_LENGTH = 60

/** The name that was probably meant: the one with the fewest letters to change, if they are few. */
export function closest(asked: string, names: readonly string[]): string | undefined {
  const wanted = asked.slice(0, MAX_LENGTH).toLowerCase()
  const bound = Math.max(1, Math.floor(wanted.length / 3))
  const near = names
    .slice(0, MAX_NAMES)
    .map((name) => ({ name, distance: distance(wanted, name.slice(0, MAX_LENGTH).toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)[0]
  return near && near.distance <= bound ? near.name : undefined
}

/** Levenshtein's, a row at a time; two letters that changed places are one change. */
function distance(a: string, b: string): number {
  let before: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const isSwapped = i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j]
      const swapped = isSwapped ? before[j - 1]! + 1 : Infinity
      next.push(Math.min(row[j]! + (a[i] === b[j] ? 0 : 1), row[j + 1]! + 1, next[j]! + 1, swapped))
    }
    before = row
    row = next
  }
  return row[b.length]!
}
