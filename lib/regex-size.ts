const MAX = 1e9
/** Anything else in braces is text. */
const REPEATS = /^\{(\d{1,9})(,?)(\d{0,9})\}/

/** What has been read of a group: all but its last part, and that, which a quantifier would be about. */
interface Group {
  done: number
  last: number
}

/**
 * About how many steps a regular expression (RE2) comes to once what it repeats is written out, which is what compiling
 * and trying it cost. Read from its text alone, in linear time; whether it is one at all is not asked.
 */
export function regexSize(pattern: string): number {
  const open: Group[] = []
  let group: Group = { done: 0, last: 0 }
  for (let at = 0; at < pattern.length;) {
    const end = endOfToken(pattern, at)
    const char = pattern[at]!
    // `(?i)` is no part by itself: a quantifier behind it is about what is in front of it.
    const isFlags = char === '(' && pattern[end - 1] === ')'
    const count = char === '{' ? repeats(pattern.slice(at, end)) : undefined
    at = end
    if (isFlags) continue
    if (count !== undefined) group.last = Math.min(MAX, group.last * count)
    else if (char === '*' || char === '+' || char === '?') group.last++
    else if (char === '(') {
      open.push(group)
      group = { done: 0, last: 0 }
    } else {
      const size = char === ')' ? sizeOf(group) + 2 : 1
      if (char === ')') group = open.pop() ?? { done: 0, last: 0 }
      group = { done: sizeOf(group), last: size }
    }
  }
  return Math.min(
    MAX,
    open.reduce((sum, outer) => sum + sizeOf(outer), sizeOf(group)),
  )
}

function sizeOf({ done, last }: Group): number {
  return Math.min(MAX, done + last)
}

/** How often `{3}`, `{3,}` or `{3,5}` writes out what is before it; undefined for what is none of these. */
function repeats(text: string): number | undefined {
  const [, least, comma, most = ''] = REPEATS.exec(text) ?? []
  if (least === undefined) return undefined
  return Math.max(1, Number(least) + (comma === ',' && most === '' ? 1 : 0), Number(most))
}

function endOfToken(pattern: string, at: number): number {
  switch (pattern[at]) {
    case '\\':
      return /[pPx]/.test(pattern[at + 1] ?? '') && pattern[at + 2] === '{' ? behind(pattern, '}', at + 3) : at + 2
    case '[':
      return endOfClass(pattern, at + 1)
    case '{':
      return at + (REPEATS.exec(pattern.slice(at, at + 25))?.[0].length ?? 1)
    case '(':
      return at + (/^\(\?(?:P?<\w{0,100}>|[A-Za-z-]{0,20}[:)]?)/.exec(pattern.slice(at, at + 110))?.[0].length ?? 1)
    default:
      return at + 1
  }
}

/** A class ends at the first `]` that is neither its first character nor escaped nor the end of `[:alpha:]`. */
function endOfClass(pattern: string, start: number): number {
  let at = start + (pattern[start] === '^' ? 1 : 0)
  if (pattern[at] === ']') at++
  while (at < pattern.length && pattern[at] !== ']') {
    if (pattern[at] === '\\') at += 2
    else if (pattern.startsWith('[:', at)) at = Math.max(at + 1, behind(pattern, ':]', at + 2))
    else at++
  }
  return at + 1
}

function behind(pattern: string, end: string, from: number): number {
  const found = pattern.indexOf(end, from)
  return found === -1 ? pattern.length : found + end.length
}
