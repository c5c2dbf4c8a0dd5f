import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { loadSettings, type LoadedSettings } from '../../lib/config/load-settings.ts'
import { Failure } from '../../lib/errors.ts'

const root = mkdtempSync(join(tmpdir(), 'holdfast-config-'))
after(() => rmSync(root, { recursive: true, force: true }))

let folders = 0

/** A folder of its own with these files in it; gone when the tests are done. */
export function folder(files: Record<string, string> = {}): string {
  const cwd = join(root, `case-${++folders}`)
  mkdirSync(cwd)
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
  return cwd
}

export function load(env: Record<string, string> = {}, files: Record<string, string> = {}): Promise<LoadedSettings> {
  return loadSettings({ env: { ...env }, cwd: folder(files) })
}

/** What is wrong with a configuration, one line each. */
export async function problemsOf(env: Record<string, string>, files: Record<string, string> = {}): Promise<string[]> {
  try {
    await load(env, files)
  } catch (error) {
    assert.ok(error instanceof Failure, String(error))
    assert.equal(error.code, 'config_invalid')
    const problems = error.facts['problems']
    assert.ok(Array.isArray(problems))
    for (const problem of problems) assert.ok(error.message.includes(String(problem)))
    return problems.map(String)
  }
  assert.fail('the configuration was accepted')
}

/** A configuration file that declares these sources. */
export const config = (sources: string) => ({
  'holdfast.config.ts': `import { airtable, defineConfig, file } from 'holdfast'\nexport default defineConfig({ sources: ${sources} })`,
})
