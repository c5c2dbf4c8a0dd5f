import type { GrammarBudget } from './grammar-bounds.ts'
import { GrammarText } from './grammar-text.ts'

/** `(a,"b,c",d)`, as behind `in.`. Without anything inside it is a list of nothing. */
export function readList(reader: GrammarText, budget: GrammarBudget): readonly string[] {
  const values: string[] = []
  reader.skipSpaces()
  reader.expect('(')
  if (reader.take(')')) return values
  do {
    budget.countValue(reader)
    values.push(readListed(reader))
  } while (reader.take(','))
  reader.expect(')', 'a comma or )')
  return values
}

/** One value among others: in quotes, or up to the next comma or parenthesis. */
export function readListed(reader: GrammarText): string {
  if (reader.sees(' ')) {
    // Spaces belong to a value, unless they only stand between a comma and a quote.
    const spaces = reader.match(/ +/y)
    const value = reader.quoted(/[,)\s]/y)
    if (value === undefined) return spaces + reader.match(/[^,)]*/y)
    reader.skipSpaces()
    return value
  }
  return reader.quoted(/[,)]/y) ?? reader.match(/[^,)]*/y)
}

/** The members of `{a,"b,c"}`, PostgreSQL's way to write an array. */
export function readArray(reader: GrammarText, text: string, budget: GrammarBudget): readonly string[] {
  const array = new GrammarText('', text)
  const failure = (expected: string) =>
    reader.fail(`${expected} in an array such as {a,"b,c"}`, reader.at - text.length + array.at)
  const values: string[] = []
  array.skipSpaces()
  if (!array.take('{')) throw failure('{')
  array.skipSpaces()
  if (!array.take('}')) {
    do {
      budget.countValue(reader)
      array.skipSpaces()
      const quoted = array.quoted()
      const plain = quoted === undefined ? array.match(/(?:[^{}",\\]|\\[^])*/y).trim() : ''
      if (quoted === undefined && plain === '') throw failure('a value')
      if (plain.toLowerCase() === 'null') throw failure('a value other than NULL (or "null", as a word)')
      values.push(quoted ?? plain.replace(/\\([^])/g, '$1'))
      array.skipSpaces()
    } while (array.take(','))
    if (!array.take('}')) throw failure('a comma or }')
  }
  array.skipSpaces()
  if (!array.isAtEnd) throw failure('the end')
  return values
}
