import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { ZodObject } from 'zod'
import { tempFolder } from './temp.ts'

const MODULES = fileURLToPath(new URL('../../node_modules/', import.meta.url))

/** Writes the text where zod is found, next to what else there is; the folder compiles strictly. */
export function workshop(text: string): ReturnType<typeof tempFolder> {
  const folder = tempFolder()
  mkdirSync(folder.file('node_modules'))
  symlinkSync(`${MODULES}zod`, folder.file('node_modules/zod'))
  writeFileSync(folder.file('package.json'), '{"type":"module"}')
  writeFileSync(folder.file('tables.ts'), text)
  const compilerOptions = {
    target: 'es2022', module: 'nodenext', strict: true, noEmit: true, skipLibCheck: true, types: [],
    exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, isolatedModules: true, erasableSyntaxOnly: true,
    verbatimModuleSyntax: true, allowImportingTsExtensions: true,
  } // prettier-ignore
  writeFileSync(folder.file('tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
  return folder
}

/** What the compiler says. */
export async function compile(folder: { path: string }): Promise<string> {
  const tsc = `${MODULES}typescript/bin/tsc`
  const found = await promisify(execFile)(process.execPath, [tsc, '-p', folder.path]).catch(
    (error: { stdout: string }) => error,
  )
  return found.stdout
}

/** The schemas that the text makes, by table. */
export async function schemasOf(folder: ReturnType<typeof tempFolder>): Promise<Record<string, ZodObject>> {
  const module = (await import(pathToFileURL(folder.file('tables.ts')).href)) as { schemas: Record<string, ZodObject> }
  return module.schemas
}
