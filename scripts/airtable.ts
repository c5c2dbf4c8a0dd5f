/** Webhooks of mirrored Airtable bases: `npx node scripts/airtable.ts webhooks list|create|delete|test`; `--help` says more. */
import { manageAirtable } from '../lib/entry/airtable.ts'

await manageAirtable(process.argv.slice(2))
