/**
 * A point in the change log of a data directory. One sequence covers all sources. Encoded in base 36 behind a
 * letter that gives the length, so that watermarks sort as strings in the order of their numbers.
 */
export type Watermark = string

export const BEGINNING: Watermark = 'a0'

const FIRST_LENGTH = 'a'.charCodeAt(0)

export function encodeWatermark(sequence: number): Watermark {
  if (!Number.isSafeInteger(sequence) || sequence < 0) throw new RangeError(`not a sequence number: ${sequence}`)
  const digits = sequence.toString(36)
  return String.fromCharCode(FIRST_LENGTH + digits.length - 1) + digits
}

/** The number behind a watermark, or undefined if the text is not one (only the shortest form is). */
export function decodeWatermark(text: string): number | undefined {
  if (!/^[a-k][0-9a-z]{1,11}$/.test(text)) return undefined
  const sequence = Number.parseInt(text.slice(1), 36)
  return Number.isSafeInteger(sequence) && encodeWatermark(sequence) === text ? sequence : undefined
}
