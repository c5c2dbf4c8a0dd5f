/** What of a URL or body a list of ids may take: Airtable takes URLs of 16,000 characters. */
export const IDS_OF_A_CALL = 100

/** Keeps the records with these ids. */
export function recordsFormula(ids: readonly string[]): string {
  return `OR(${ids.map((id) => `RECORD_ID()='${literal(id)}'`).join(',')})`
}

/** Keeps what was created or changed after that time; not what was only computed anew. Epoch milliseconds. */
export function modifiedFormula(since: number): string {
  const time = `DATETIME_PARSE("${new Date(since).toISOString()}")`
  return `OR(IS_AFTER(LAST_MODIFIED_TIME(),${time}),IS_AFTER(CREATED_TIME(),${time}))`
}

/** Ids come from answers: whatever is in them stays within its quotes. */
function literal(text: string): string {
  return text.replaceAll(/['\\]/g, String.raw`\$&`)
}
