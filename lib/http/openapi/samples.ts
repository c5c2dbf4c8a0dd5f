/** What examples show: the embedded sample, as a server that has just mirrored it would answer. */
export const SNAPSHOT = 's0mwq3meg89bc75d0c'
export const RUN = 'r0mwq3meck4ad3a3ee'
const AT = '2026-11-21T07:40:50.504Z'

/** In the place of names in braces, where there is no running server to take them from. */
export const SAMPLE_VALUES = {
  source: 'cities',
  table: 'cities',
  whole: 'cities',
  base: 'cities',
  id: 'ecd130390905cf8bcf44',
  column: 'country',
  snapshot: SNAPSHOT,
  file: 'cities.csv',
  run: RUN,
  key: 'h2k9x3mp',
} as const

export const city = {
  id: 'ecd130390905cf8bcf44',
  name: 'El Tarter',
  lat: '42.57952',
  lng: '1.65362',
  country: 'AD',
  admin1: '02',
  admin2: '',
}
export const cityRecord = { ...city, _id: city.id, _created_at: AT, _modified_at: AT }

const progress = {
  phase: 'publishing',
  done: 1,
  rate: 189_662,
  eta_ms: 0,
  success_rate: 1,
  tables: [{ table: 'cities', total: null, completed: 171_075, failed: 0 }],
  at: AT,
}

export const run = {
  id: RUN,
  source: 'cities',
  trigger: 'first',
  status: 'completed',
  result: 'published',
  snapshot: SNAPSHOT,
  requested_at: AT,
  started_at: AT,
  finished_at: '2026-11-21T07:40:53.730Z',
  resumes: 0,
  republish: null,
  timings_ms: { planning: 4, pulling: 903.1, verifying: 151.9, comparing: 2.7, rendering: 3217.5, publishing: 5.9 },
  error: null,
  progress,
}

export const source = {
  source: 'cities',
  state: 'COMPLETED',
  reason: null,
  snapshot: SNAPSHOT,
  watermark: 'a1',
  digest: 'ec8d53c30b48f507cdbc4c925919bfb3a7c096fdd82d7b0a5a728142c3e551e1',
  published_at: AT,
  age_seconds: 23,
  checked_at: AT,
  checked_age_seconds: 23,
  rows: { cities: 171_075 },
  attachments: null,
  update_in_progress: false,
  progress: null,
  eta_ms: null,
  last_error: null,
  last_run: run,
  next_run_at: '2026-11-21T08:00:00.000Z',
  kept: [],
  upstream: null,
  warnings: [],
}

export const started = {
  status: 'triggered',
  run: RUN,
  source: 'cities',
  message: 'A run was started.',
}

export const key = {
  id: 'h2k9x3mp',
  prefix: 'hf_h2k9x3mp',
  name: 'partner',
  status: 'live',
  scopes: ['read'],
  limits: ['cities.cities'],
  filters: { 'cities.cities': 'country=eq.DE' },
  hidden: { 'cities.cities': ['admin2'] },
  rate: { limit: 600, window_seconds: 60 },
  created_at: AT,
  expires_at: null,
  revoked_at: null,
  last_used_at: null,
}

export const mapping = {
  tableId: 'cities',
  source: 'cities',
  table: 'cities',
  baseId: null,
  originalName: 'cities',
  normalizedName: 'cities',
  primaryFieldId: 'id',
  fields: {
    id: { id: 'id', name: 'id', column: 'id', type: 'text' },
    name: { id: 'name', name: 'name', column: 'name', type: 'text' },
  },
}

export const sampleTime = AT
