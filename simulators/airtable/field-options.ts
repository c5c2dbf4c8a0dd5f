import type { Field } from './field.ts'
import { textOption } from './field.ts'
import { isObject, type Json, type JsonObject } from './json.ts'
import type { Table } from './table.ts'

const COLORS = ['blueLight2', 'cyanLight2', 'tealLight2', 'greenLight2', 'yellowLight2', 'orangeLight2', 'redLight2']
const REFERENCE = /\{(fld[A-Za-z0-9]{14})\}/g

/** Options as the schema endpoint shows them: with what Airtable would have made up. */
export function finishOptions(table: Table, field: Field): JsonObject | undefined {
  const options = field.options
  if (options === undefined) return undefined
  const finished: Record<string, Json> = { ...options }
  if (Array.isArray(options['choices'])) {
    finished['choices'] = (options['choices'] as readonly Json[]).map((choice, at) => finishChoice(table, choice, at))
  }
  for (const name of ['recordLinkFieldId', 'linkedTableId', 'fieldIdInLinkedTable']) {
    const given = options[name]
    if (typeof given === 'string') finished[name] = resolve(table, { ...field, options: finished }, name, given)
  }
  if (Array.isArray(options['referencedFieldIds'])) {
    finished['referencedFieldIds'] = (options['referencedFieldIds'] as readonly string[]).map(
      (name) => table.findField(name)?.id ?? name,
    )
  }
  const formula = options['formula']
  if (typeof formula === 'string') {
    // The schema names fields by id, whatever the person who typed it wrote.
    const text = formula.replaceAll(/\{([^}]+)\}/g, (_, name: string) => `{${table.findField(name)?.id ?? name}}`)
    finished['formula'] = text
    finished['referencedFieldIds'] = referencesOf(text)
    finished['isValid'] ??= true
  }
  return finished
}

export function referencesOf(formula: string): string[] {
  return [...new Set([...formula.matchAll(REFERENCE)].map(([, id = '']) => id))]
}

function finishChoice(table: Table, choice: Json, at: number): Json {
  const given: JsonObject = isObject(choice) ? choice : { name: choice }
  return { id: table.base.random.id('sel'), color: COLORS[at % COLORS.length] ?? 'blueLight2', ...given }
}

/** Names may be given where the schema has ids. */
function resolve(table: Table, field: Field, option: string, given: string): string {
  if (option === 'linkedTableId') return table.base.findTable(given)?.id ?? given
  if (option === 'recordLinkFieldId') return table.findField(given)?.id ?? given
  const link = table.findField(textOption(field, 'recordLinkFieldId') ?? '')
  const far = table.base.findTable((link && textOption(link, 'linkedTableId')) ?? '')
  return far?.findField(given)?.id ?? given
}
