import { Failure } from '../errors.ts'

const SHOWN_LENGTH = 80
/** What looks like a token of Airtable is not shown either, wherever it was put by mistake. */
const TOKEN_SHAPE = /\b(?:pat[A-Za-z0-9]{14}\.[A-Za-z0-9]+|key[A-Za-z0-9]{14}\b)/g

/** Gathers everything that is wrong with a configuration, so that it is told at once; secrets never come through. */
export class Problems {
  readonly #lines: string[] = []
  readonly #secrets: ReadonlyMap<string, string>

  /** `secrets`: values that must not be shown, each with the name of the variable that holds it. */
  constructor(secrets: ReadonlyMap<string, string>) {
    this.#secrets = secrets
  }

  /** `subject` is a variable or a place in the configuration file; `message` says what was expected. */
  add(subject: string, message: string): void {
    this.#lines.push(this.redact(`${subject}: ${message}`))
  }

  redact(text: string): string {
    let safe = text
    for (const [secret, name] of this.#secrets) safe = safe.replaceAll(secret, `<${name}>`)
    return safe.replaceAll(TOKEN_SHAPE, '<token>')
  }

  /** @throws Failure `config_invalid` when there are any */
  throwIfAny(): void {
    if (this.#lines.length === 0) return
    const count = this.#lines.length === 1 ? 'a problem' : `${this.#lines.length} problems`
    const list = this.#lines.map((line) => `  ${line}`).join('\n')
    throw new Failure('config_invalid', `The configuration has ${count}:\n${list}`, {
      facts: { problems: this.#lines },
    })
  }
}

/** A value as a message shows it: quoted, on one line, not longer than people read. */
export function shown(value: string): string {
  return JSON.stringify(value.length > SHOWN_LENGTH ? `${value.slice(0, SHOWN_LENGTH)}…` : value)
}
