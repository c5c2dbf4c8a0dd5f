/** What browsers show without running anything in it. No SVG, no HTML, no XML: those hold scripts. */
const SHOWN = new Set([
  'image/png',
  'image/jpeg',
  'image/gif',
  'image/webp',
  'image/avif',
  'image/heic',
  'image/bmp',
  'image/tiff',
  'image/x-icon',
  'audio/mpeg',
  'audio/mp4',
  'audio/aac',
  'audio/ogg',
  'audio/wav',
  'audio/x-wav',
  'audio/webm',
  'audio/flac',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
])
/** Kept, for programs, but saved: what shows them may run what is in them. */
const SAVED = new Set(['application/pdf', 'application/zip', 'application/json', 'text/csv'])
const UNKNOWN = 'application/octet-stream'

export interface ShownType {
  readonly type: string
  readonly disposition: 'inline' | 'attachment'
}

/** What a file may be called that an upstream says has this type: an upstream must not decide what runs here. */
export function shownType(upstream: string | null): ShownType {
  const type = upstream?.split(';', 1)[0]?.trim().toLowerCase() ?? UNKNOWN
  if (type === 'text/plain') return { type: 'text/plain; charset=utf-8', disposition: 'inline' }
  if (SHOWN.has(type)) return { type, disposition: 'inline' }
  return { type: SAVED.has(type) ? type : UNKNOWN, disposition: 'attachment' }
}
