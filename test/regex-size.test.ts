import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { RE2JS } from 're2js'
import { regexSize } from '../lib/regex-size.ts'
import { testSeed } from './support/random.ts'

const SEED = testSeed()

/** Patterns as people write them, and as nobody does. */
function patterns(): fc.Arbitrary<string> {
  const atom = fc.constantFrom(
    'a', 'b', '.', '\\d', '\\.', '\\{', '\\(', '[a-z]', '[^]x]', '[[:alpha:]{3}]', '[\\]]', '\\p{L}', '\\pN', '\\x{1F600}', '^', '$', '\\b', 'ä', '{', 'x{',
    '(?i)', ',', '-',
  ) // prettier-ignore
  const quantifier = fc.constantFrom('', '', '', '*', '+', '?', '*?', '{3}', '{2,}', '{0,9}', '{25}', '{0}')
  return fc.letrec<{ node: string }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      fc.tuple(atom, quantifier).map(([text, times]) => text + times),
      fc
        .tuple(fc.constantFrom('(', '(?:', '(?i:', '(?P<name>'), fc.array(tie('node'), { maxLength: 4 }), quantifier)
        .map(([open, parts, times]) => `${open}${parts.join('')})${times}`),
      fc.array(tie('node'), { minLength: 2, maxLength: 3 }).map((parts) => parts.join('|')),
    ),
  })).node
}

function programSize(pattern: string): number | undefined {
  try {
    return RE2JS.compile(pattern).programSize()
  } catch {
    return undefined
  }
}

describe(`the size of a regular expression (seed ${SEED})`, () => {
  test('is about that of what it is compiled to, and hardly ever less', () => {
    let tried = 0
    fc.assert(
      fc.property(patterns(), (pattern) => {
        const size = programSize(pattern)
        if (size === undefined) return
        tried++
        assert.ok(size <= 3 * regexSize(pattern) + 10, `${pattern}: ${size}, thought to be ${regexSize(pattern)}`)
      }),
      { seed: SEED, numRuns: 3000 },
    )
    assert.ok(tried > 500, `${tried} were regular expressions`)
  })

  test('is small for what people write', () => {
    for (const pattern of ['^Ber', '(a|b)+$', '^[A-Z][a-z]{2,10}$', '(?i)new\\s+york', '\\d{4}-\\d{2}-\\d{2}'])
      assert.ok(regexSize(pattern) < 30, `${pattern}: ${regexSize(pattern)}`)
  })

  test('is large for what repeats a lot, nested or not', () => {
    for (const pattern of [
      'b{999}'.repeat(20),
      '((a{30}){30}){30}',
      '(a?){500}(a){500}',
      '[^]]{0,600}',
      '\\p{Greek}{501}',
    ])
      assert.ok(regexSize(pattern) > 500, `${pattern}: ${regexSize(pattern)}`)
    assert.equal(regexSize('x{1000'), 6, 'these braces are text')
    assert.ok(regexSize('(((((a{1000}){1000}){1000}){1000}){1000}){1000}') <= 2e9)
  })

  test('takes no longer than the pattern is long', () => {
    for (const piece of ['(', '[', '\\p{', '{1', '(?', '[[:', '\\']) regexSize(piece.repeat(100_000))
  })
})
