import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { fileSource } from '../../../lib/sources/file/source.ts'
import { sourceContract, type ContractSubject } from '../source-contract.ts'
import { temporaryFolder, tinyLimits } from './files.ts'

const PLACES = [
  { name: 'Zürich', lat: '47.36667' },
  { name: 'a "quoted", one\nwith two lines', lat: '1' },
  ...Array.from({ length: 20 }, (_, index) => ({ name: `place ${index}`, lat: String(index) })),
]
const JSON_TEXT = JSON.stringify(PLACES)
const NDJSON_TEXT = PLACES.map((place) => JSON.stringify(place)).join('\n')
const CSV_TEXT = ['name,lat', ...PLACES.map(({ name, lat }) => `"${name.replaceAll('"', '""')}",${lat}`)].join('\r\n')

sourceContract('a JSON file', subject('places.json', JSON_TEXT), subject('places.json', '[]'))
sourceContract('an NDJSON file', subject('places.ndjson', NDJSON_TEXT))
sourceContract('a CSV file', subject('places.csv', CSV_TEXT), subject('places.csv', 'name,lat\n'))
sourceContract(
  'a gzipped JSON file',
  subject('places.json.gz', gzipSync(JSON_TEXT)),
  subject('places.json.gz', gzipSync('[ ]')),
)
sourceContract(
  'a gzipped CSV file',
  subject('places.csv.gz', gzipSync(CSV_TEXT)),
  subject('places.csv.gz', gzipSync('name,lat')),
)

function subject(name: string, content: string | Buffer): () => ContractSubject {
  return () => {
    const folder = temporaryFolder()
    const path = join(folder.path, name)
    writeFileSync(path, content)
    return {
      source: fileSource('places', { path }, tinyLimits(50)),
      dispose: () => folder[Symbol.dispose](),
      ...(process.platform === 'linux' && { heldResources: () => openHandles(path) }),
    }
  }
}

function openHandles(path: string): number {
  return readdirSync('/proc/self/fd').filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`) === path
    } catch {
      return false
    }
  }).length
}
