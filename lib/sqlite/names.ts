/** SQLite's own and ours; and the names by which every row has its number, which no column can be added under. */
const RESERVED = /^(?:sqlite_|_hf_|(?:rowid|_rowid_|oid)$)/i

/**
 * The SQL names of columns or tables: the names themselves, except where SQLite cannot hold them side by side
 * (it ignores case, cuts at NUL, and some names are taken). The n-th result belongs to the n-th name.
 */
export function sqlNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    const plain = name.toWellFormed().replaceAll('\0', '\u2400')
    const base = RESERVED.test(plain) ? `x${plain}` : plain
    let candidate = base
    for (let n = 2; taken.has(candidate.toLowerCase()); n++) candidate = `${base}_${n}`
    taken.add(candidate.toLowerCase())
    return candidate
  })
}
