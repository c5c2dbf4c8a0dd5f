import type { JsonValue } from '../../column.ts'
import type { FileOffer } from '../../files.ts'

type Members = Readonly<Record<string, JsonValue>>

/** Airtable's URLs die two hours after the answer; who fetches late in that time should still succeed. */
const OFFER_MS = 110 * 60_000

export interface AttachmentOptions {
  /** The URL that clients reach this server by; null: not known, and then URLs are relative. */
  readonly publicUrl: string | null
  readonly mirrorsFiles: boolean
}

/**
 * What is kept of a JSON cell. Attachments lose their signed URLs, which differ in each answer and let whoever has them
 * read the file; where files are mirrored, `url` leads to them here and never changes. `onFile` gets the signed one.
 */
export function withoutSignedUrls(
  cell: JsonValue,
  options: AttachmentOptions,
  onFile: (file: Omit<FileOffer, 'expiresAt'>) => void,
): JsonValue {
  if (typeof cell !== 'object' || cell === null) return cell
  if (Array.isArray(cell)) {
    return (cell as readonly JsonValue[]).map((item) => withoutSignedUrls(item, options, onFile))
  }
  const members = cell as Members
  if (!isAttachment(members)) return cell
  const { id, url, size } = members
  onFile({ id, url, bytes: typeof size === 'number' ? size : null })
  return Object.fromEntries(
    Object.entries(members).flatMap(([name, value]): [string, JsonValue][] => {
      if (name === 'thumbnails') return [[name, withoutThumbnailUrls(value)]]
      if (name !== 'url') return [[name, value]]
      return options.mirrorsFiles ? [[name, stableUrl(id, options.publicUrl)]] : []
    }),
  )
}

/** Where Airtable keeps files. */
const SIGNED_URL = /https:\/\/[\w.-]*\bairtableusercontent\.com\/[^\s"'<>()]*/g

/**
 * Puts stable URLs in the place of signed ones in texts that were computed from attachments: a formula over such a field
 * yields names and URLs. Signed ones of other records' files are left out, since nothing tells which these are.
 */
export class StableUrls {
  readonly #options: AttachmentOptions
  readonly #known = new Map<string, string>()

  constructor(options: AttachmentOptions) {
    this.#options = options
  }

  add({ id, url }: Pick<FileOffer, 'id' | 'url'>): void {
    this.#known.set(url, this.#options.mirrorsFiles ? stableUrl(id, this.#options.publicUrl) : '')
  }

  in(text: string): string {
    if (!text.includes('://')) return text
    let stable = text
    for (const [signed, url] of this.#known) stable = stable.replaceAll(signed, () => url)
    return stable.replaceAll(SIGNED_URL, '')
  }
}

/** When an offer in an answer to a call ends that was sent at `sentAt`. Epoch milliseconds. */
export function offerEnd(sentAt: number): number {
  return sentAt + OFFER_MS
}

function stableUrl(id: string, publicUrl: string | null): string {
  return `${publicUrl ?? ''}/api/attachments/${encodeURIComponent(id)}`
}

/** A button has a URL too, but no id. */
function isAttachment(members: Members): members is Members & { id: string; url: string } {
  const { id, url, filename, size, thumbnails } = members
  return (
    typeof id === 'string' &&
    typeof url === 'string' &&
    (typeof filename === 'string' || typeof size === 'number' || typeof thumbnails === 'object')
  )
}

function withoutThumbnailUrls(thumbnails: JsonValue): JsonValue {
  if (typeof thumbnails !== 'object' || thumbnails === null || Array.isArray(thumbnails)) return thumbnails
  return Object.fromEntries(
    Object.entries(thumbnails as Members).map(([size, thumbnail]) => {
      if (typeof thumbnail !== 'object' || thumbnail === null || Array.isArray(thumbnail)) return [size, thumbnail]
      const { url: _url, ...rest } = thumbnail as Members
      return [size, rest]
    }),
  )
}
