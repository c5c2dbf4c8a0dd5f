const MAX_LENGTH = 200
/** Controls, and what turns the direction of a text round, so that `exe.png` reads as `gnp.exe`. */
const UNSEEN = /[\p{Cc}\p{Cs}\u061C\u200B-\u200F\u2028-\u202E\u2060-\u2069\uFEFF]/gu
const FOLDERS = /[/\\:]/g

/** The name that a file is saved under: the upstream's, as far as it is one and reads as what it is. */
export function savedName(upstream: string, id: string): string {
  const name = upstream.replaceAll(UNSEEN, '').replaceAll(FOLDERS, '_').trim().replace(/^\.+/, '_')
  return shortened(name.replace(/[. ]+$/, '')) || shortened(id.replaceAll(/[^A-Za-z0-9]/g, '_')) || 'attachment'
}

/** Shortened in front of its extension, and never inside of a character. */
function shortened(name: string): string {
  if (name.length <= MAX_LENGTH) return name
  const dot = name.lastIndexOf('.')
  const extension = dot > 0 && name.length - dot <= 16 ? name.slice(dot) : ''
  return name.slice(0, MAX_LENGTH - extension.length).replace(/[\uD800-\uDBFF]$/, '') + extension
}
