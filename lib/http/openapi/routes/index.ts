import type { RouteDocs } from '../route-doc.ts'
import { AIRTABLE_DOCS } from './airtable.ts'
import { ATTACHMENT_DOCS } from './attachments.ts'
import { CHANGE_DOCS } from './changes.ts'
import { EXPORT_DOCS } from './exports.ts'
import { KEY_DOCS } from './keys.ts'
import { OPERATION_DOCS } from './operation.ts'
import { REST_DOCS } from './rest.ts'
import { SCHEMA_DOCS } from './schema.ts'
import { SYNC_DOCS } from './sync.ts'
import { TABLE_DOCS } from './tables.ts'

/** What there is to say about every route. */
export const ROUTE_DOCS: RouteDocs = {
  ...TABLE_DOCS,
  ...REST_DOCS,
  ...AIRTABLE_DOCS,
  ...CHANGE_DOCS,
  ...ATTACHMENT_DOCS,
  ...EXPORT_DOCS,
  ...SCHEMA_DOCS,
  ...SYNC_DOCS,
  ...KEY_DOCS,
  ...OPERATION_DOCS,
}
