const LONGEST_SHOWN = 60

/** A name as messages show it: quoted, on one line, and not too long. */
export function shown(name: string): string {
  const line = name.toWellFormed()
  return JSON.stringify(line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN)}…` : line)
}

/** The names themselves, but for what has none, or one that is taken: its id tells it apart. The n-th is that of the n-th. */
export function distinctNames(named: readonly { readonly id: string; readonly name: string }[]): string[] {
  const taken = new Set<string>()
  return named.map(({ id, name }) => {
    let candidate = name === '' ? id : name
    for (; taken.has(candidate); candidate += ` (${id})`);
    taken.add(candidate)
    return candidate
  })
}

/** `wanted`, or that behind as many underscores as it takes to differ from all names by more than case. */
export function freeName(wanted: string, names: readonly string[]): string {
  const taken = new Set(names.map((name) => name.toLowerCase()))
  let candidate = wanted
  while (taken.has(candidate.toLowerCase())) candidate = `_${candidate}`
  return candidate
}
