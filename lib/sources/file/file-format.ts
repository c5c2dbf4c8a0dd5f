import { Failure } from '../../errors.ts'
import type { FileSourceOptions } from '../../settings.ts'
import { csv } from './csv.ts'
import type { Format, FormatState } from './format.ts'
import { jsonArray } from './json-array.ts'
import { ndjson } from './ndjson.ts'

export type FormatName = NonNullable<FileSourceOptions['format']>

export interface FileFormat {
  readonly name: FormatName
  readonly isGzip: boolean
  readonly nulls: readonly string[]
}

const FORMAT_OF_EXTENSION: Readonly<Record<string, FormatName>> = {
  json: 'json',
  ndjson: 'ndjson',
  jsonl: 'ndjson',
  csv: 'csv',
  tsv: 'tsv',
}

/** What the options say, else what the file is called. Nothing is guessed from the content. */
export function fileFormat(id: string, options: FileSourceOptions): FileFormat {
  const [, extension = '', gzip] = /\.([^./\\]+?)(\.gz)?$/i.exec(options.path) ?? []
  const name = options.format ?? FORMAT_OF_EXTENSION[extension.toLowerCase()]
  if (name === undefined) {
    throw new Failure(
      'config_invalid',
      `Source ${id}: the name of ${options.path} does not tell its format. Set the option \`format\` to json, ndjson, csv or tsv.`,
      { facts: { source: id, option: 'format' } },
    )
  }
  const isGzip = gzip !== undefined || extension.toLowerCase() === 'gz'
  return { name, isGzip, nulls: options.nulls ?? [''] }
}

export function newFormat({ name, nulls }: FileFormat, resumeFrom?: FormatState): Format {
  switch (name) {
    case 'json':
      return jsonArray(resumeFrom)
    case 'ndjson':
      return ndjson(resumeFrom)
    case 'csv':
      return csv({ delimiter: ',', nulls }, resumeFrom)
    case 'tsv':
      return csv({ delimiter: '\t', nulls }, resumeFrom)
  }
}
