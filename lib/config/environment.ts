import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { type Problems, shown } from './problems.ts'
import { Unreadable } from './quantity.ts'
import { VARIABLES, type Variable, type VariableName } from './variables.ts'

export type Env = Record<string, string | undefined>

/**
 * Adds the values of `<cwd>/.env` that `env` lacks to `env`, so that a configuration file finds them where it looks.
 * Gives the reason when the file is there and cannot be read.
 */
export function addDotEnv(env: Env, cwd: string): string | undefined {
  let text: string
  try {
    text = readFileSync(join(cwd, '.env'), 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' ? undefined : `cannot be read (${code ?? 'unknown error'})`
  }
  for (const [name, value] of Object.entries(parseEnv(text))) {
    if (env[name] === undefined) env[name] = value
  }
  return undefined
}

/** Reads variables one by one; what cannot be used is noted as a problem and replaced by what the default means. */
export class Environment {
  readonly #env: Env
  readonly #problems: Problems

  constructor(env: Env, problems: Problems) {
    this.#env = env
    this.#problems = problems
  }

  /** The text of a variable; undefined where it is absent or empty, as an empty line in `.env` means. */
  text(name: VariableName): string | undefined {
    const value = this.#env[name]?.trim()
    return value === '' ? undefined : value
  }

  /** The value of a variable, or of its default. */
  read<T>(name: VariableName, reader: (text: string) => T | Unreadable): T {
    return this.readOptional(name, reader) ?? (reader(VARIABLES[name].fallback) as T)
  }

  /** The value of a variable, or undefined without one. */
  readOptional<T>(name: VariableName, reader: (text: string) => T | Unreadable): T | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    const value = reader(text)
    if (!(value instanceof Unreadable)) return value
    this.refuse(name, value)
    return undefined
  }

  refuse(name: VariableName, { expected }: Unreadable): void {
    const variable: Variable = VARIABLES[name]
    const seen = variable.isSecret === true ? 'the value (not shown)' : shown(this.text(name) ?? '')
    this.#problems.add(name, `expected ${expected}; found ${seen}.`)
  }
}
