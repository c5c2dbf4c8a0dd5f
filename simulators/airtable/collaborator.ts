/** Somebody who may be in a cell. */
export interface Collaborator {
  readonly id: string
  readonly email: string
  readonly name: string
}

const FIRST_NAMES = ['Ada', 'Bruno', 'Chiara', 'Dmitri', 'Elif', 'Fatou', 'Grzegorz', 'Hana']

/** Those of a base, the first of them its owner. */
export function makeCollaborators(newId: (prefix: 'usr') => string): Collaborator[] {
  return FIRST_NAMES.map((name) => ({ id: newId('usr'), email: `${name.toLowerCase()}@example.com`, name }))
}
