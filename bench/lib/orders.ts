import { createHash } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'

const ORDER_ROWS = 102_052

/** One row in this many differs between the two versions of the file. */
const CHANGED_EVERY = 100

const NAMES = [
  'Zoë Kœnig',
  'Søren Ødegård',
  '山田 太郎',
  'Nguyễn Thị Minh',
  'Иван Петров',
  "Aoife O'Brien",
  'José Núñez',
  'Łukasz Żak',
  'Fatima "Fa" Aït',
  'Anna Smith',
]
const CITIES = ['Köln', 'Reykjavík', '東京', 'São Paulo', 'Kraków', 'Málaga', 'Bern', 'Αθήνα', 'Oslo', 'Dublin']
const WORDS =
  'deliver before noon ring twice leave with the neighbour fragile glass keep cold gift wrap no invoice customer asked for call first 🙂 étage gauche'.split(
    ' ',
  )
const STATES = ['new', 'paid', 'packed', 'sent', 'delivered', 'returned']

export type OrdersVersion = 'a' | 'b'

/**
 * An order as a shop's database would export it: about 800 bytes of JSON with text in several scripts, leading zeros,
 * decimals, null and nested JSON. The same on every machine; version `b` changes one row in a hundred of `a`.
 */
export function orderRow(index: number, version: OrdersVersion): Record<string, unknown> {
  const random = seeded(index)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  const cents = Math.floor(random() * 500_000)
  const created = 1_577_836_800_000 + index * 61_000
  const isChanged = version === 'b' && index % CHANGED_EVERY === 7
  return {
    id: index + 1,
    number: `R-${String(index * 7 + 13).padStart(9, '0')}`,
    customer: pick(NAMES),
    email: `customer.${Math.floor(random() * 40_000)}@example.org`,
    postcode: String(Math.floor(random() * 100_000)).padStart(5, '0'),
    city: pick(CITIES),
    status: isChanged ? 'cancelled' : pick(STATES),
    total: (cents / 100).toFixed(2),
    weight_kg: Math.round(random() * 40_000) / 1000,
    quantity: 1 + Math.floor(random() * 9),
    is_gift: random() < 0.1,
    coupon: random() < 0.8 ? null : `SAVE${Math.floor(random() * 90 + 10)}`,
    created_at: new Date(created).toISOString(),
    shipped_at: random() < 0.3 ? null : new Date(created + Math.floor(random() * 864e5)).toISOString(),
    note: words(random, 20 + Math.floor(random() * 26)),
    tracking: `${hex(random)}${hex(random)}-${hex(random)}`,
    items: Array.from({ length: 2 + Math.floor(random() * 3) }, () => ({
      sku: `SKU-${hex(random)}`,
      title: words(random, 3),
      count: 1 + Math.floor(random() * 4),
      price: Math.floor(random() * 20_000) / 100,
    })),
  }
}

/** Writes the file (a JSON array) and returns its length and SHA-256. */
export function writeOrders(path: string, version: OrdersVersion): { bytes: number; sha256: string } {
  const file = openSync(path, 'w')
  const hash = createHash('sha256')
  let bytes = 0
  try {
    const write = (text: string) => {
      const chunk = Buffer.from(text)
      hash.update(chunk)
      for (let done = 0; done < chunk.length;) done += writeSync(file, chunk, done)
      bytes += chunk.length
    }
    let text = '['
    for (let index = 0; index < ORDER_ROWS; index++) {
      text += `${index === 0 ? '' : ',\n'}${JSON.stringify(orderRow(index, version))}`
      if (text.length < 1 << 20) continue
      write(text)
      text = ''
    }
    write(`${text}]\n`)
  } finally {
    closeSync(file)
  }
  return { bytes, sha256: hash.digest('hex') }
}

function words(random: () => number, count: number): string {
  return Array.from({ length: count }, () => WORDS[Math.floor(random() * WORDS.length)]).join(' ')
}

function hex(random: () => number): string {
  return Math.floor(random() * 2 ** 32)
    .toString(16)
    .padStart(8, '0')
}

/** mulberry32: the same numbers for the same seed, 0 to 1. */
function seeded(seed: number): () => number {
  let state = (seed + 1) * 0x9e3779b9
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
