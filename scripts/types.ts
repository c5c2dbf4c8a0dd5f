/**
 * Writes TypeScript interfaces and zod schemas for all tables that are published in the data directory, as
 * `GET /api/types` does: `npm run -s types [-- --out <file>]`. Needs no running server; settings are those of the
 * server. Exit codes: 0 done, 1 it could not be done, or nothing is published; 2 not well called.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { loadSettings } from '../lib/config/load-settings.ts'
import { openSnapshot } from '../lib/sqlite/database.ts'
import { SourceFolder } from '../lib/sqlite/pointer.ts'
import { checkFormat, readOrigins } from '../lib/sqlite/snapshot-schema.ts'
import { typeText, type NamedTable } from '../lib/type-text.ts'

try {
  await main()
} catch (error) {
  console.error(`types: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode ??= 1
}

async function main(): Promise<void> {
  const out = readOut()
  const { dataDir, sources } = await loadSettings({ env: process.env, cwd: process.cwd() })
  const tables = namedTables(dataDir, [...sources.keys()])
  if (tables.length === 0) {
    const looked = [...sources.keys()].join(', ')
    throw new Error(
      `nothing is published in ${dataDir} yet, of ${looked}. Sync first, or set DATA_DIR and the sources as the server has them.`,
    )
  }
  const text = typeText(tables)
  if (out === undefined) process.stdout.write(text)
  else writeFileSync(out, text)
}

/** What is published, each table under the shortest name that means it alone. */
function namedTables(dataDir: string, sources: readonly string[]): NamedTable[] {
  const published = sources
    .filter((source) => existsSync(join(dataDir, 'sources', source, 'active.json')))
    .flatMap((source) => publishedTables(new SourceFolder(dataDir, source), source))
  return published.map(({ source, table, origin }) => {
    const isAlone = published.filter((other) => other.table.name === table.name).length === 1
    return { source, table, origin, name: isAlone ? table.name : `${source}.${table.name}` }
  })
}

function publishedTables(folder: SourceFolder, source: string): Omit<NamedTable, 'name'>[] {
  const pointer = folder.readPointer()
  if (pointer === undefined) return []
  const db = openSnapshot(folder.file(pointer.file))
  try {
    checkFormat(db, pointer.file)
    const origins = readOrigins(db)
    return pointer.tables.map((table) => ({ source, table, origin: origins.get(table.name) }))
  } finally {
    db.close()
  }
}

function readOut(): string | undefined {
  try {
    return parseArgs({ options: { out: { type: 'string' } } }).values.out
  } catch (error) {
    process.exitCode = 2
    throw new Error(`${error instanceof Error ? error.message : String(error)} Usage: types.ts [--out <file>]`, {
      cause: error,
    })
  }
}
