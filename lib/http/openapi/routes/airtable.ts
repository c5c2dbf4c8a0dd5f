import { CODED_HEADERS, DATA_HEADERS, STATE_HEADERS, type HeaderName } from '../headers.ts'
import type { AnswerDoc, RouteDocs } from '../route-doc.ts'
import { airtableCity, airtableCityTable } from '../airtable-samples.ts'
import {
  AirtableBaseList, AirtableListRequest, AirtableRecord, AirtableRecordList, AirtableTableList, AirtableUser,
} from '../schemas/airtable.ts' // prettier-ignore

const JSON_TYPE = 'application/json'
const baseId = 'A source: its name, or the id that `/v0/meta/bases` says'
const table = 'The name or id of a table'
const notModified: AnswerDoc = { status: 304, description: 'It is what the client has.', headers: DATA_HEADERS }
const FORM_PARAMETERS = {
  cellFormat: '`json`',
  returnFieldsByFieldId: '`true`: cells go by the ids of their fields',
} as const
const LIST_PARAMETERS = {
  'fields[]': 'Names or ids of fields; all without it',
  'sort[0][field]': 'A field; `sort[1]…` for more',
  'sort[0][direction]': '`asc` by default',
  filterByFormula: "A formula in Airtable's language: `AND({country} = 'DE', LEN({name}) > 9)`",
  view: 'The name or id of a view. Those of a mirrored base are known, and not applied: `View-Applied` says so',
  pageSize: 'Records on a page: 100 by default',
  maxRecords: 'Records on all pages together',
  offset: '`offset` of the page before, with all else as it was',
  'recordMetadata[]': '`commentCount`; of a mirrored base it is not known',
  ...FORM_PARAMETERS,
} as const
const LIST_FAILURES = [
  'source_not_found', 'table_not_found', 'column_not_found', 'bad_filter', 'not_supported', 'bad_parameter', 'unknown_parameter', 'cursor_expired',
  'no_snapshot', 'not_cached', 'not_acceptable', 'answer_too_large', 'readers_busy', 'query_deadline',
] as const // prettier-ignore
const CODED: readonly HeaderName[] = [...CODED_HEADERS, 'View-Applied']
const UNTAGGED = CODED.filter((name) => name !== 'ETag')

export const AIRTABLE_DOCS: RouteDocs = {
  'GET /v0/meta/whoami': {
    tag: 'Airtable',
    id: 'airtableWhoAmI',
    description: 'The cheapest way to try a key.',
    answers: [{ status: 200, description: 'Who asks.', content: { [JSON_TYPE]: AirtableUser }, headers: STATE_HEADERS }],
    examples: [
      {
        summary: 'Who asks',
        path: '/v0/meta/whoami',
        answer: { id: 'usrDy3ciy6dVG3Xre', scopes: ['data.records:read', 'schema.bases:read'] },
      },
    ],
  },
  'GET /v0/meta/bases': {
    tag: 'Airtable',
    id: 'airtableBases',
    description: 'Each source is a base. That of a mirrored base has its own id, any other one that is made of its name.',
    answers: [{ status: 200, description: 'The bases.', content: { [JSON_TYPE]: AirtableBaseList }, headers: STATE_HEADERS }],
    examples: [
      {
        summary: 'All of them',
        path: '/v0/meta/bases',
        answer: { bases: [{ id: 'apphm2xk3GNCXo8n8', name: 'cities', permissionLevel: 'read' }] },
      },
    ],
  },
  'GET /v0/meta/bases/:baseId/tables': {
    tag: 'Airtable',
    id: 'airtableTables',
    description: 'What the upstream says of its tables, where it is a base itself; else types as those of the columns.',
    parameters: { baseId, 'include[]': '`visibleFieldIds` of views, where they are known' },
    answers: [{ status: 200, description: 'The tables.', content: { [JSON_TYPE]: AirtableTableList }, headers: STATE_HEADERS }],
    failures: ['source_not_found', 'no_snapshot'],
    examples: [
      { summary: 'The tables of a source', path: '/v0/meta/bases/{base}/tables', answer: { tables: [airtableCityTable] } },
      { summary: 'A source that is not there', path: '/v0/meta/bases/no-such-base/tables', failure: 'source_not_found' },
    ],
  },
  'GET /v0/:baseId/:table': {
    tag: 'Airtable',
    id: 'airtableRecords',
    description:
      "Records as Airtable lists them: its own client works with `endpointUrl` set to this server. All pages of a list come from one snapshot. What of formulas there is, and what not, is in docs/v0.md.",
    parameters: { baseId, table, ...LIST_PARAMETERS },
    answers: [
      { status: 200, description: 'A page of records.', content: { [JSON_TYPE]: AirtableRecordList }, headers: CODED },
      notModified,
    ],
    failures: LIST_FAILURES,
    examples: [
      {
        summary: 'A page of records',
        path: '/v0/{base}/{table}?pageSize=1',
        answer: { records: [airtableCity], offset: 'itrWyJjaXRpZXMiLDE3OTUyNDcwNTA1MDRd/recWzEsIlBwc0lraTFwIiwiczBtd3EzbWVnODliYzc1ZDBjIixbMV0sMV0' },
      },
      { summary: 'Filtered', path: '/v0/{base}/{table}?maxRecords=1&filterByFormula=NOT(RECORD_ID()%3D%27rec%27)', answer: { records: [airtableCity] } },
      { summary: 'A field that is not there', path: '/v0/{base}/{table}?fields[]=no-such-field', failure: 'column_not_found' },
      { summary: 'A formula with a function that is not there', path: '/v0/{base}/{table}?filterByFormula=NOPE()', failure: 'not_supported' },
      { summary: 'A table that is not there', path: '/v0/{base}/no-such-table', failure: 'table_not_found' },
    ],
  },
  'POST /v0/:baseId/:table/listRecords': {
    tag: 'Airtable',
    id: 'airtableListRecords',
    description: 'The same, for what does not fit into a URL.',
    parameters: { baseId, table },
    body: AirtableListRequest,
    answers: [
      { status: 200, description: 'A page of records.', content: { [JSON_TYPE]: AirtableRecordList }, headers: UNTAGGED },
    ],
    failures: LIST_FAILURES,
    examples: [
      {
        summary: 'One record',
        path: '/v0/{base}/{table}/listRecords',
        body: { maxRecords: 1, cellFormat: 'json' },
        answer: { records: [airtableCity] },
      },
      {
        summary: 'A field that is not there',
        path: '/v0/{base}/{table}/listRecords',
        body: { fields: ['no-such-field'] },
        failure: 'column_not_found',
      },
    ],
  },
  'GET /v0/:baseId/:table/:recordId': {
    tag: 'Airtable',
    id: 'airtableRecord',
    description: 'One record, by its id, or by its key as text. That of a mirrored base is found under any of its tables.',
    parameters: { baseId, table, recordId: 'The id of a record', ...FORM_PARAMETERS },
    answers: [
      { status: 200, description: 'The record.', content: { [JSON_TYPE]: AirtableRecord }, headers: DATA_HEADERS },
      notModified,
    ],
    failures: ['source_not_found', 'table_not_found', 'record_not_found', 'unknown_parameter', 'no_snapshot', 'not_cached', 'readers_busy', 'query_deadline'],
    examples: [
      { summary: 'One record', path: '/v0/{base}/{table}/{id}', answer: airtableCity },
      { summary: 'A record that is not there', path: '/v0/{base}/{table}/recNobody12345678', failure: 'record_not_found' },
    ],
  },
} // prettier-ignore
