// Only what runs behind this call can come from the compile cache.
import { enableCompileCache } from 'node:module'

enableCompileCache()
await import('./serving-process.ts')
