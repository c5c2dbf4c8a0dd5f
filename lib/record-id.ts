/** What every id of a record looks like that an upstream such as Airtable gave it. */
const GIVEN = /^rec[A-Za-z0-9]{14}$/
/** Begins the ids that are made here, of keys that look otherwise; no key that looks so is an id as it is. */
const MADE = 'recYYY'
const LENGTH = 17
const UNUSABLE = /[^A-Xa-z0-9]/gu

/**
 * The id of a record, made of the text of its key (`row-key.ts`): `rec`, then letters and digits only, and 17 of them
 * unless the key is long. A key that is such an id already stays as it is. Two keys never have the same.
 */
export function recordIdOf(key: string): string {
  if (GIVEN.test(key) && !key.startsWith(MADE)) return key
  const written = key.replaceAll(UNUSABLE, escaped)
  return MADE + written.padStart(LENGTH - MADE.length, 'Y')
}

/** The key's text that an id was made of; undefined for what is no such id. */
export function keyOfRecordId(id: string): string | undefined {
  if (!id.startsWith(MADE)) return GIVEN.test(id) ? id : undefined
  const written = id.slice(MADE.length).replace(/^Y+/, '')
  let key: string
  try {
    key = decodeURIComponent(written.replaceAll('Z', '%'))
  } catch {
    return undefined
  }
  // Every key has one id.
  return recordIdOf(key) === id ? key : undefined
}

/** `Z` and two digits for each byte. */
function escaped(char: string): string {
  return Array.from(Buffer.from(char), (byte) => `Z${byte.toString(16).padStart(2, '0')}`).join('')
}
