import type { Random } from '../random.ts'

const FIRST = [
  'Amara',
  'Björn',
  'Chloé',
  'Đorđe',
  'Esther',
  'Farid',
  'Gwen',
  'Hiroshi',
  'Inés',
  'Jürgen',
  'Kofi',
  'Lena',
]
const LAST = [
  'Abebe',
  'Brandt',
  'Castillo',
  "D'Angelo",
  'Eriksen',
  'Fofanah',
  'García-Núñez',
  'Hansen',
  'Ito',
  'Jovanović',
]
const COMPANY = [
  'Northwind',
  'Blue Harbor',
  'Ångström & Sons',
  'Copperfield',
  'Delta "Q" Works',
  'Evergreen',
  'Fjord Line',
]
const ENDING = ['GmbH', 'Ltd.', 'S.A.', 'LLC', 'ApS', '株式会社']
const STREET = ['Mill Lane', 'Rue de la Paix', 'Hauptstraße', 'Calle Mayor', 'Strandgade', '3rd Avenue']
const MATERIAL = ['Oak', 'Steel', 'Linen', 'Glass', 'Bamboo', 'Recycled', 'Ceramic', 'Copper']
const THING = ['Chair', 'Lamp', 'Table', 'Shelf', 'Teapot', 'Rug', 'Clock', 'Notebook', 'Vase', 'Blanket']
const REMARK = [
  'Call before delivery.',
  'Gift wrap, please 🎁',
  'Second floor, no lift.\nRing twice.',
  'Price agreed by phone: 10.50',
  'Paid in cash; see "receipt"',
  '=SUM(A1:A9) is no formula here',
  "Customer says: <b>urgent</b> & 'fragile'",
  'NULL',
]

export const personName = (random: Random) => `${random.pick(FIRST)} ${random.pick(LAST)}`

export const companyName = (random: Random) =>
  `${random.pick(COMPANY)} ${random.pick(ENDING)}${random.isTrue(0.5) ? ` ${random.whole(2, 999)}` : ''}`

export const productName = (random: Random) => `${random.pick(MATERIAL)} ${random.pick(THING)} ${random.whole(1, 99)}`

export const address = (random: Random) =>
  `${random.whole(1, 250)} ${random.pick(STREET)}\n${String(random.whole(0, 99_999)).padStart(5, '0')} Springfield`

export const remark = (random: Random) => random.pick(REMARK)

export const emailOf = (random: Random, name: string) =>
  `${name.toLowerCase().replaceAll(/[^a-z]+/g, '.')}${random.whole(1, 9999)}@example.com`

export const phone = (random: Random) =>
  `+${random.whole(1, 99)} ${random.whole(100, 999)} ${random.whole(10_000, 99_999)}`

/** With its zeros: a text that looks like a number and is none. */
export const code = (random: Random) => String(random.whole(0, 99_999_999)).padStart(8, '0')

export const cents = (random: Random, most: number) => random.whole(100, most * 100) / 100
