/**
 * Writes a typed client for one Holdfast: `npx node examples/client/generate.ts <url or file> [<out>]`. The document comes from
 * a running server, with the key in HOLDFAST_KEY, or from a file; the client goes to standard output, or to a file.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { clientText, type OpenApi } from './client-text.ts'

const [from, out] = process.argv.slice(2)
if (from === undefined) {
  console.error('Usage: generate.ts <url or file> [<out>]')
  process.exit(2)
}
try {
  const text = clientText(await readDocument(from))
  if (out === undefined) process.stdout.write(text)
  else writeFileSync(out, text)
} catch (error) {
  const { message, cause } = error as Error & { cause?: NodeJS.ErrnoException }
  console.error(`${from}: ${cause?.code ?? cause?.message ?? message}`)
  process.exitCode = 1
}

async function readDocument(place: string): Promise<OpenApi> {
  if (!/^https?:/.test(place)) return JSON.parse(readFileSync(place, 'utf8')) as OpenApi
  const headers = { 'X-API-Key': process.env.HOLDFAST_KEY ?? '' }
  const response = await fetch(new URL('/openapi.json', place), { headers })
  if (!response.ok) throw new Error(`The server answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as OpenApi
}
