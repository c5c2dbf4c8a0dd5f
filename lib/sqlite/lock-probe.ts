import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isBusy, openOwn } from './database.ts'

const DEADLINE_MS = 30_000
/** What the child ends with when it got a lock that we hold. */
const GOT_IT = 3

/**
 * Whether locks in this folder hold between processes: a lock is taken here, and a child must not get it. On a volume
 * where it does (some network file systems), two processes would each believe to be the only one who writes.
 */
export async function probeLocks(dataDir: string): Promise<boolean> {
  const folder = mkdtempSync(join(dataDir, '.lock-probe-'))
  const path = join(folder, 'probe.sqlite')
  const db = openOwn(path)
  try {
    db.exec('BEGIN IMMEDIATE')
    return (await exitCodeOfChild(path)) !== GOT_IT
  } finally {
    db.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function exitCodeOfChild(path: string): Promise<number | null> {
  const options = { stdio: 'ignore', timeout: DEADLINE_MS } as const
  const [code] = (await once(spawn(process.execPath, [fileURLToPath(import.meta.url), path], options), 'exit')) as [
    number | null,
  ]
  return code
}

if (import.meta.main) {
  const db = openOwn(process.argv[2] as string, { mustExist: true, timeoutMs: 0 })
  try {
    db.exec('BEGIN IMMEDIATE')
    process.exitCode = GOT_IT
  } catch (error) {
    process.exitCode = isBusy(error) ? 0 : 1
  }
  db.close()
}
