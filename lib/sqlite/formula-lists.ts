/** The members of objects that lists have as elements, by which people know them, the first that is there. */
const NAMES = ['name', 'text', 'filename', 'value', 'label', 'email', 'id'] as const

/** The elements of a list that are there; a value that is no array is the only one of its list. */
export function elementsOf(json: string): unknown[] {
  if (json === '') return []
  const value = JSON.parse(json) as unknown
  return (Array.isArray(value) ? (value as unknown[]) : [value]).filter((one) => !isEmpty(one))
}

/** Also what Airtable writes in the place of a cell that could not be computed. */
function isEmpty(element: unknown): boolean {
  if (typeof element !== 'object' || element === null) return element === null || element === ''
  const [name, ...others] = Object.keys(element)
  return others.length === 0 && (name === 'error' || name === 'specialValue')
}

/** An element as a text: a collaborator by name, a file by the name it has. */
export function elementText(element: unknown): string {
  if (typeof element === 'string') return element
  if (typeof element !== 'object' || element === null || Array.isArray(element)) {
    return typeof element === 'boolean' ? String(Number(element)) : JSON.stringify(element)
  }
  const members = element as Readonly<Record<string, unknown>>
  const name = NAMES.find((one) => typeof members[one] === 'string' || typeof members[one] === 'number')
  return name === undefined ? JSON.stringify(element) : String(members[name])
}

/** The numbers among numbers, lists, and what is not there. */
export function numbersOf(values: readonly (string | number)[]): number[] {
  return values.flatMap((value) =>
    typeof value === 'number' ? [value] : elementsOf(value).filter((one): one is number => typeof one === 'number'),
  )
}
