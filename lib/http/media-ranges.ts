/** A member of an `Accept` header (RFC 9110, 12.5.1). */
export interface MediaRange {
  /** In lower case, such as `text/csv` or `text/*`. */
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
  /** From 0, which refuses it, to 1. */
  readonly weight: number
}

/** The members of an `Accept` header, in their order. */
export function mediaRanges(header: string): MediaRange[] {
  return header.split(',').map((member) => {
    const [type = '', ...rest] = member.split(';').map((part) => part.trim().toLowerCase())
    const parameters = new Map(rest.map((part) => splitOnce(part)))
    const weight = Number(parameters.get('q') ?? 1)
    return { type, parameters, weight: weight >= 0 && weight <= 1 ? weight : 1 }
  })
}

function splitOnce(text: string): [string, string] {
  const mark = text.indexOf('=')
  return mark === -1 ? [text, ''] : [text.slice(0, mark).trim(), text.slice(mark + 1).trim()]
}
