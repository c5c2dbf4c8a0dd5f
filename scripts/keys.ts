/** API keys of a data directory: `npx node scripts/keys.ts create|list|revoke`; `--help` says more. */
import { manageKeys } from '../lib/entry/keys.ts'

await manageKeys(process.argv.slice(2))
