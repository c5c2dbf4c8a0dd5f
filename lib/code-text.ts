/** Text as a literal of TypeScript, with nothing in it that an editor takes for the end of a line. */
export function literal(text: string): string {
  return JSON.stringify(text).replaceAll(/[\u007f-\u009f\u2028\u2029\ufeff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** The name of a member of an object: `"__proto__": …` would set its prototype. */
export function memberName(name: string): string {
  return name === '__proto__' ? `[${literal(name)}]` : literal(name)
}

/** A comment. What is not ours in it has to be a literal; then nothing can end it. */
export function comment(text: string): string {
  return `/** ${text.replaceAll('*/', '*\\/')} */`
}
