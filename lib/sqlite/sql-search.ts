import { Failure } from '../errors.ts'
import type { SEARCHES } from '../query.ts'

const MAX_WORDS = 100

/** What words a text must have. */
export type SearchTerm =
  | { readonly kind: 'phrase'; readonly words: readonly string[]; readonly isPrefix: boolean }
  | { readonly kind: 'and' | 'or'; readonly of: readonly SearchTerm[] }
  | { readonly kind: 'not'; readonly of: SearchTerm }

/**
 * Reads a search as PostgreSQL does: `plfts` all words, `phfts` one phrase, `wfts` as people type it (`"a phrase"`,
 * `or`, `-without`), `fts` with operators (`a & (b | !c)`, `a <-> b`, `a:*`). Undefined where no word is left: that
 * finds nothing.
 *
 * @throws Failure `bad_filter`, `not_supported`
 */
export function parseSearch(op: (typeof SEARCHES)[number], text: string): SearchTerm | undefined {
  const words = wordsOf(text)
  if (words.length > MAX_WORDS) {
    throw new Failure('bad_filter', `A search has ${words.length} words; at most ${MAX_WORDS} are taken.`)
  }
  if (op === 'plfts') return every(words.map((word) => phrase([word])))
  if (op === 'phfts') return words.length === 0 ? undefined : phrase(words)
  return op === 'wfts' ? parseWeb(text) : new OperatorParser(text).parse()
}

/** The words of a text as the index has them, near enough: whatever is left inside of one, FTS5 takes for a phrase. */
function wordsOf(text: string): string[] {
  return (text.match(/[\p{L}\p{N}\p{Co}\p{M}]+/gu) ?? []).filter((word) => /[\p{L}\p{N}\p{Co}]/u.test(word))
}

function phrase(words: readonly string[], isPrefix = false): SearchTerm {
  return { kind: 'phrase', words, isPrefix }
}

function every(terms: readonly (SearchTerm | undefined)[]): SearchTerm | undefined {
  return join('and', terms)
}

function join(kind: 'and' | 'or', terms: readonly (SearchTerm | undefined)[]): SearchTerm | undefined {
  const of = terms.filter((term) => term !== undefined)
  return of.length > 1 ? { kind, of } : of[0]
}

function parseWeb(text: string): SearchTerm | undefined {
  const alternatives: SearchTerm[][] = [[]]
  let isOr = false
  for (const [, minus, quoted, bare = ''] of text.matchAll(/(-?)(?:"([^"]*)"?|([^\s"]+))/g)) {
    if (quoted === undefined && minus === '' && bare.toLowerCase() === 'or') {
      isOr = alternatives.at(-1)!.length > 0
      continue
    }
    const words = wordsOf(quoted ?? bare)
    if (words.length === 0) continue
    if (isOr) alternatives.push([])
    isOr = false
    const found = phrase(words)
    alternatives.at(-1)!.push(minus === '' ? found : { kind: 'not', of: found })
  }
  return join('or', alternatives.map(every))
}

/** `!` binds tightest, then `<->`, `&`, `|`. Words side by side are joined by `&`. */
class OperatorParser {
  readonly #tokens: readonly string[]
  #at = 0

  constructor(text: string) {
    this.#tokens = text.match(/<->|<\d+>|[&|!()]|'(?:[^']|'')*'(?::[*a-dA-D]+)?|[^\s&|!()<']+|./g) ?? []
  }

  parse(): SearchTerm | undefined {
    const term = this.#or(0)
    if (this.#at < this.#tokens.length) throw this.#wrong()
    return term
  }

  #or(depth: number): SearchTerm | undefined {
    const terms = [this.#and(depth)]
    while (this.#take('|')) terms.push(this.#and(depth))
    return join('or', terms)
  }

  #and(depth: number): SearchTerm | undefined {
    const terms = [this.#phrase(depth)]
    for (;;) {
      while (this.#next?.trim() === '' && this.#next !== undefined) this.#at++
      if (!this.#take('&') && (this.#next === undefined || this.#next === '|' || this.#next === ')'))
        return every(terms)
      terms.push(this.#phrase(depth))
    }
  }

  #phrase(depth: number): SearchTerm | undefined {
    let left = this.#not(depth)
    for (;;) {
      const distance = /^<(-|\d+)>$/.exec(this.#skipSpace() ?? '')?.[1]
      if (distance === undefined) return left
      this.#at++
      const right = this.#not(depth)
      if (distance !== '-' && distance !== '1') {
        throw new Failure('not_supported', `<${distance}> is not supported in a search: only <->, words side by side.`)
      }
      if (left === undefined || right === undefined) left ??= right
      else if (left.kind === 'phrase' && right.kind === 'phrase' && !left.isPrefix) {
        left = phrase([...left.words, ...right.words], right.isPrefix)
      } else throw new Failure('not_supported', '<-> is supported between words only.')
    }
  }

  #not(depth: number): SearchTerm | undefined {
    if (depth > MAX_WORDS) throw this.#wrong()
    const token = this.#skipSpace()
    if (token === undefined || token === '&' || token === '|' || token === ')') throw this.#wrong()
    this.#at++
    if (token === '!') {
      const of = this.#not(depth + 1)
      return of && { kind: 'not', of }
    }
    if (token === '(') {
      const inside = this.#or(depth + 1)
      if (!this.#take(')')) throw this.#wrong()
      return inside
    }
    const [, quoted, bare, marks = ''] = /^(?:'([^]*)'|([^]*?))(?::([*a-dA-D]+))?$/.exec(token) ?? []
    const words = wordsOf(quoted ?? bare ?? '')
    return words.length === 0 ? undefined : phrase(words, marks.includes('*'))
  }

  #take(token: string): boolean {
    const isNext = this.#skipSpace() === token
    if (isNext) this.#at++
    return isNext
  }

  #skipSpace(): string | undefined {
    while (this.#next !== undefined && this.#next.trim() === '') this.#at++
    return this.#next
  }

  get #next(): string | undefined {
    return this.#tokens[this.#at]
  }

  #wrong(): Failure {
    return new Failure(
      'bad_filter',
      'The search cannot be read: fts takes words joined by & and |, with ! before what must not be there. wfts takes what people type.',
    )
  }
}

/**
 * The term as an FTS5 expression, every word quoted, or undefined where FTS5 has none: it only takes away from what it
 * has found.
 */
export function matchExpression(term: SearchTerm): string | undefined {
  switch (term.kind) {
    case 'phrase':
      return term.words.map((word) => `"${word.replaceAll('"', '""')}"`).join(' + ') + (term.isPrefix ? ' *' : '')
    case 'not':
      return undefined
    case 'or': {
      const parts = term.of.map(matchExpression)
      return parts.includes(undefined) ? undefined : parts.map((part) => `(${part})`).join(' OR ')
    }
    case 'and': {
      const found = term.of.filter((part) => part.kind !== 'not').map(matchExpression)
      const without = term.of.flatMap((part) => (part.kind === 'not' ? [matchExpression(part.of)] : []))
      if (found.length === 0 || found.includes(undefined) || without.includes(undefined)) return undefined
      const all = found.map((part) => `(${part})`).join(' AND ')
      return without.length === 0 ? all : `(${all}) NOT (${without.map((part) => `(${part})`).join(' OR ')})`
    }
  }
}

/** The words whose rows bound what a search has to look at, or undefined where beginnings of words stand for many. */
export function searchedWords(term: SearchTerm): string[] | undefined {
  if (term.kind === 'phrase') return term.isPrefix ? undefined : [...term.words]
  const parts = term.kind === 'not' ? [searchedWords(term.of)] : term.of.map(searchedWords)
  return parts.includes(undefined) ? undefined : parts.flatMap((part) => part ?? [])
}
