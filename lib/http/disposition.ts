/** `Content-Disposition` (RFC 6266): whether a file is shown or saved, and under which name. */
export function disposition(kind: 'inline' | 'attachment', name: string): string {
  return `${kind}; filename="${plainName(name)}"; filename*=UTF-8''${extendedValue(name)}`
}

/** For those who do not read `filename*`, as curl: what could end the text or mean a folder is left out (RFC 6266, D). */
function plainName(text: string): string {
  return text.replaceAll(/[^ -~]|["%*/:<>?\\|]/gu, '_').replace(/^\./, '_')
}

/** RFC 8187. */
function extendedValue(text: string): string {
  const escape = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`
  return encodeURIComponent(text.toWellFormed()).replaceAll(/['()*]/g, escape)
}
