import { existsSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Problems, shown } from './problems.ts'
import { VARIABLES } from './variables.ts'

/** The path of the configuration file, or undefined without one. A named file that is missing is a problem. */
export function findConfigFile(named: string | undefined, cwd: string, problems: Problems): string | undefined {
  const path = resolve(cwd, named ?? VARIABLES.HOLDFAST_CONFIG.fallback)
  if (existsSync(path)) return path
  if (named !== undefined)
    problems.add('HOLDFAST_CONFIG', `expected the path of a file; found nothing at ${shown(named)}.`)
  return undefined
}

/** Runs the configuration file and gives its default export; undefined, with a problem noted, where that fails. */
export async function importConfigFile(path: string, subject: string, problems: Problems): Promise<unknown> {
  using _hooks = configHooks(pathToFileURL(path).href)
  try {
    const module = (await import(pathToFileURL(path).href)) as { default?: unknown }
    if (module.default !== undefined) return module.default
    problems.add(subject, 'expected `export default defineConfig({ sources: { … } })`; found no default export.')
  } catch (error) {
    problems.add(
      subject,
      `could not be run: ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}`,
    )
  }
  return undefined
}

/**
 * Lets the file be an ES module that imports `holdfast`, wherever it lies: whatever its nearest `package.json` says,
 * and without Holdfast being installed as a package next to it.
 */
function configHooks(url: string): Disposable {
  const descriptors = new URL('../index.ts', import.meta.url).href
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier === 'holdfast' ? { url: descriptors, shortCircuit: true } : next(specifier, context),
    load: (loaded, context, next) =>
      next(loaded, loaded === url && /\.[cm]?ts$/.test(loaded) ? { ...context, format: 'module-typescript' } : context),
  })
  return { [Symbol.dispose]: () => hooks.deregister() }
}
