import type { Table } from '../table.ts'
import { choices, fill, isoDay, perhaps, some, type Shop } from './shop.ts'
import { address, companyName, emailOf, personName, phone, remark } from './words.ts'

const COUNTRY = ['Denmark', 'France', 'Germany', 'Japan', 'México', 'Sierra Leone', 'Türkiye', 'United States']
const TAG = ['wholesale', 'VIP', 'slow payer', 'newsletter', 'press']

export function createCustomers({ base }: Shop): Table {
  return base.createTable({
    name: 'Customers',
    fields: [
      { name: 'Name', type: 'singleLineText' },
      { name: 'Contact', type: 'singleLineText' },
      { name: 'Email', type: 'email' },
      { name: 'Phone', type: 'phoneNumber' },
      { name: 'Website', type: 'url' },
      { name: 'Address', type: 'multilineText' },
      { name: 'Country', type: 'singleSelect', options: choices(COUNTRY) },
      { name: 'Tags', type: 'multipleSelects', options: choices(TAG) },
      { name: 'Since', type: 'date', options: { dateFormat: { name: 'european', format: 'D/M/YYYY' } } },
      { name: 'Account manager', type: 'singleCollaborator' },
      { name: 'Satisfaction', type: 'rating', options: { icon: 'star', max: 5, color: 'yellowBright' } },
      { name: 'Notes', type: 'richText' },
    ],
  })
}

/** The order side of the link is there by now. */
export function countOrders(customers: Table): void {
  customers.createField({ name: 'Order count', type: 'count', options: { isValid: true, recordLinkFieldId: 'Orders' } })
  customers.createField({
    name: 'Turnover',
    type: 'rollup',
    aggregate: 'SUM',
    options: { recordLinkFieldId: 'Orders', fieldIdInLinkedTable: 'Amount', result: { type: 'number' } },
  })
}

export function fillCustomers(customers: Table, count: number, shop: Shop): void {
  const { base, random } = shop
  fill(shop, count, (at) => {
    const contact = personName(random)
    const { id, email, name } = random.pick(base.collaborators)
    customers.create({
      Name: companyName(random),
      Contact: contact,
      Email: perhaps(random, 0.9, () => emailOf(random, contact)),
      Phone: perhaps(random, 0.7, () => phone(random)),
      Website: perhaps(random, 0.4, () => `https://www.example.com/${random.whole(1, 9999)}`),
      Address: address(random),
      Country: random.pick(COUNTRY),
      Tags: some(random, TAG, 3),
      Since: isoDay(at),
      'Account manager': perhaps(random, 0.6, () => ({ id, email, name })),
      Satisfaction: perhaps(random, 0.5, () => random.whole(1, 5)),
      Notes: perhaps(random, 0.2, () => `**${remark(random)}**\n\n- one\n- two\n`),
    })
  })
}
