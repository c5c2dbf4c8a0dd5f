import { city, sampleTime } from './samples.ts'

const { admin2: _empty, ...cells } = city

/** The first of the embedded sample, as Airtable's clients get it. */
export const airtableCity = { id: 'recYYYecd130390905cf8bcf44', createdTime: sampleTime, fields: cells }
export const airtableCityTable = {
  id: 'tblBfmEcIuWhWNJnY',
  name: 'cities',
  primaryFieldId: 'fldaNWIcdnX07wFHM',
  fields: [
    { id: 'fldaNWIcdnX07wFHM', name: 'id', type: 'singleLineText' },
    { id: 'flddL4pKZ4ypT02aq', name: 'name', type: 'multilineText' },
  ],
  views: [{ id: 'viw1rtygLpyiMijbY', name: 'Grid view', type: 'grid' }],
}
