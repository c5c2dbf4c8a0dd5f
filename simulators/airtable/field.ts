import type { Json, JsonObject } from './json.ts'

/** Every type a field can have, with whether its cells are computed. */
const IS_COMPUTED = {
  singleLineText: false,
  email: false,
  url: false,
  phoneNumber: false,
  multilineText: false,
  richText: false,
  number: false,
  currency: false,
  percent: false,
  duration: false,
  rating: false,
  checkbox: false,
  date: false,
  dateTime: false,
  singleSelect: false,
  multipleSelects: false,
  singleCollaborator: false,
  multipleCollaborators: false,
  multipleRecordLinks: false,
  multipleAttachments: false,
  barcode: false,
  formula: true,
  rollup: true,
  multipleLookupValues: true,
  count: true,
  autoNumber: true,
  createdTime: true,
  lastModifiedTime: true,
  createdBy: true,
  lastModifiedBy: true,
  button: true,
  aiText: true,
  externalSyncSource: true,
} as const

export type KnownFieldType = keyof typeof IS_COMPUTED
/** The text of the schema; a type that is not known yet is one of the things that happen. */
export type FieldType = KnownFieldType | (string & {})

export const FIELD_TYPES = Object.keys(IS_COMPUTED) as readonly KnownFieldType[]

/** How a rollup sums up; the schema does not say. */
export type Aggregate = 'SUM' | 'MAX' | 'COUNT' | 'JOIN'

export interface FieldSpec {
  readonly id?: string
  readonly name: string
  readonly type: FieldType
  readonly description?: string
  /** As the schema endpoint shows them. What it would make up (choice ids, an inverse field) may be left out. */
  readonly options?: JsonObject
  readonly aggregate?: Aggregate
}

export interface Field {
  readonly id: string
  name: string
  type: FieldType
  description: string | undefined
  options: JsonObject | undefined
}

/** Computed cells of these types are filled by the model, since what computes them is not simulated. */
const FILLED_TYPES: readonly FieldType[] = ['button', 'aiText', 'externalSyncSource']

export function isComputed(field: { readonly type: FieldType }): boolean {
  return Object.hasOwn(IS_COMPUTED, field.type) && IS_COMPUTED[field.type as KnownFieldType]
}

/** Whether the cells of a field are kept with the record, rather than made when they are read. */
export function isStored(field: { readonly type: FieldType }): boolean {
  return !isComputed(field) || FILLED_TYPES.includes(field.type)
}

export interface Choice extends JsonObject {
  readonly id: string
  readonly name: string
}

export function choicesOf(field: Field): readonly Choice[] {
  return (field.options?.['choices'] ?? []) as readonly Choice[]
}

export function textOption(field: Field, name: string): string | undefined {
  const value: Json | undefined = field.options?.[name]
  return typeof value === 'string' ? value : undefined
}

export function textListOption(field: Field, name: string): readonly string[] {
  const value: Json | undefined = field.options?.[name]
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}
