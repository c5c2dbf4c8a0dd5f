import { dirname, resolve } from 'node:path'
import { watch } from 'chokidar'

/** How long a file must keep its size before it counts as written. */
const SETTLED_MS = 200

/**
 * Calls `onChange` when the file was written, replaced or created. Its folder is watched, as a watch on the file
 * itself ends with the inode that a rename replaces. A failing watch is silent: it is a hint, and schedules remain.
 */
export function watchFile(path: string, onChange: () => void): Disposable {
  const file = resolve(path)
  const folder = dirname(file)
  const watcher = watch(folder, {
    ignoreInitial: true,
    depth: 0,
    ignored: (name) => name !== file && name !== folder,
    awaitWriteFinish: { stabilityThreshold: SETTLED_MS, pollInterval: SETTLED_MS / 4 },
  })
  let isDisposed = false
  const changed = () => {
    if (!isDisposed) onChange()
  }
  watcher
    .on('add', changed)
    .on('change', changed)
    .on('error', () => {})
  return {
    [Symbol.dispose]() {
      isDisposed = true
      void watcher.close()
    },
  }
}
