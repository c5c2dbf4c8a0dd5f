import type { Table } from '../table.ts'
import { choices, fill, isoDay, perhaps, type Shop } from './shop.ts'
import { cents, code, productName, remark } from './words.ts'

const CATEGORY = ['Furniture', 'Kitchen', 'Textiles', 'Office', 'Décor']
const IMAGE_BYTES = { least: 400, most: 6000 }

export function createProducts({ base }: Shop): Table {
  return base.createTable({
    name: 'Products',
    fields: [
      { name: 'Name', type: 'singleLineText' },
      { name: 'Code', type: 'singleLineText', description: 'Zeros in front belong to it' },
      { name: 'Barcode', type: 'barcode' },
      { name: 'Category', type: 'singleSelect', options: choices(CATEGORY) },
      { name: 'Price', type: 'currency', options: { precision: 2, symbol: '€' } },
      { name: 'Weight (kg)', type: 'number', options: { precision: 3 } },
      { name: 'Assembly time', type: 'duration', options: { durationFormat: 'h:mm' } },
      { name: 'Released', type: 'date', options: { dateFormat: { name: 'us', format: 'M/D/YYYY' } } },
      { name: 'Photos', type: 'multipleAttachments', options: { isReversed: false } },
      { name: 'Description', type: 'multilineText' },
      {
        name: 'Price per kg',
        type: 'formula',
        options: { formula: '{Price} / {Weight (kg)}', result: { type: 'number', options: { precision: 2 } } },
      },
    ],
  })
}

export function fillProducts(products: Table, count: number, shop: Shop): void {
  const { base, random } = shop
  const photo = (name: string) =>
    base.attachments.create({
      filename: `${name}.png`,
      type: 'image/png',
      size: random.whole(IMAGE_BYTES.least, IMAGE_BYTES.most),
      width: 1200,
      height: 800,
    })
  const manual = (name: string) =>
    base.attachments.create({
      filename: `${name} – manual.pdf`,
      type: 'application/pdf',
      size: random.whole(1000, 9000),
    })
  fill(shop, count, (at) => {
    const name = productName(random)
    products.create({
      Name: name,
      Code: code(random),
      Barcode: perhaps(random, 0.8, () => ({ text: code(random), type: 'ean8' })),
      Category: random.pick(CATEGORY),
      Price: perhaps(random, 0.97, () => cents(random, 900)),
      // Nothing divided by nothing is `NaN`, something divided by it is infinite: both have their own cell.
      'Weight (kg)': perhaps(random, 0.9, () => random.whole(1, 30_000) / 1000),
      'Assembly time': perhaps(random, 0.5, () => random.whole(1, 180) * 60),
      Released: isoDay(at),
      Photos: [...(random.isTrue(0.6) ? [photo(name)] : []), ...(random.isTrue(0.2) ? [manual(name)] : [])],
      Description: perhaps(random, 0.7, () => remark(random)),
    })
  })
}
