import type { CellType } from './cell-type.ts'

/**
 * Types that cells of many tables are made of, by name. Their members are those that can be relied on; there may be more,
 * which the schemas let through.
 */
const SHARED = {
  AirtableAttachment: {
    what: 'A file in a cell. `url` leads to this Holdfast and stays good.',
    members: [
      ['id', 'string', 'z.string()'],
      ['filename', 'string', 'z.string()'],
      ['url?', 'string', 'z.string()'],
      ['size?', 'number', 'z.number()'],
      ['type?', 'string', 'z.string()'],
      ['width?', 'number | null', 'z.number().nullable()'],
      ['height?', 'number | null', 'z.number().nullable()'],
    ],
  },
  AirtableCollaborator: {
    what: 'Somebody who is or was a collaborator.',
    members: [
      ['id', 'string', 'z.string()'],
      ['email?', 'string', 'z.string()'],
      ['name?', 'string', 'z.string()'],
    ],
  },
  AirtableBarcode: {
    what: 'What was scanned, and as which kind of code.',
    members: [
      ['text', 'string', 'z.string()'],
      ['type?', 'string | null', 'z.string().nullable()'],
    ],
  },
  AirtableButton: {
    what: 'A button. `url` is there where it opens one.',
    members: [
      ['label', 'string', 'z.string()'],
      ['url?', 'string | null', 'z.string().nullable()'],
    ],
  },
  AirtableAiText: {
    what: 'Text that was, or will be, generated.',
    members: [
      ['state', '"empty" | "loading" | "generated" | "error"', 'z.enum(["empty", "loading", "generated", "error"])'],
      ['isStale', 'boolean', 'z.boolean()'],
      ['value', 'string | null', 'z.string().nullable()'],
      ['errorType?', 'string', 'z.string()'],
    ],
  },
} as const satisfies Record<
  string,
  { what: string; members: readonly (readonly [name: string, ts: string, zod: string])[] }
>

/** One of two, so it is written as it is. */
const CELL_ERROR = `/** What stands where a computation failed. */
export type AirtableCellError = { error: string } | { specialValue: string }

export const AirtableCellErrorSchema = z.union([
  z.looseObject({ error: z.string() }),
  z.looseObject({ specialValue: z.string() }),
]) satisfies z.ZodType<AirtableCellError>
`

export type SharedName = keyof typeof SHARED | 'AirtableCellError'

export const SHARED_NAMES: readonly SharedName[] = [...(Object.keys(SHARED) as SharedName[]), 'AirtableCellError']

export function shared(name: SharedName): CellType {
  return { ts: name, zod: `${name}Schema`, uses: [name] }
}

/** The declaration of a shared type, for a module that uses it. */
export function sharedText(name: SharedName): string {
  if (name === 'AirtableCellError') return CELL_ERROR
  const { what, members } = SHARED[name]
  const fields = members.map(([member, ts]) =>
    // For those who compile with exactOptionalPropertyTypes: zod lets undefined through.
    member.endsWith('?') ? `  ${member}: ${ts} | undefined\n` : `  ${member}: ${ts}\n`,
  )
  const rules = members.map(([member, , zod]) =>
    member.endsWith('?') ? `  ${member.slice(0, -1)}: ${zod}.optional(),\n` : `  ${member}: ${zod},\n`,
  )
  return `/** ${what} */
export interface ${name} {\n${fields.join('')}}

export const ${name}Schema = z.looseObject({\n${rules.join('')}}) satisfies z.ZodType<${name}>
`
}
