import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that is gone when `using` ends. */
export function tempFolder(): { path: string; file(name: string): string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-test-'))
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  }
}
