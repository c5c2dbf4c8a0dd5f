import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import type { Claim } from '../control.ts'
import type { Settings } from '../settings.ts'
import { fetchFiles } from './fetch-files.ts'
import { BEATS, ENDING, ENDINGS, IN_STATEMENT, type ThreadTask } from './spawn.ts'
import { openDataDirectory, type DataDirectory } from './parts.ts'
import { storeOf, syncClaim } from './sync-claim.ts'

/** Lower than what serves; on Linux this is the priority of this thread alone. */
const NICE = 10

const task = workerData as ThreadTask
const pulse = new Int32Array(task.pulse)
const ending = new AbortController()
parentPort?.on('message', (reason: 'stopped' | 'interrupted') => ending.abort(reason))

/** Tells of progress, and hears what is asked even where nothing lets messages through, as while rows are rendered. */
function beat(): void {
  Atomics.add(pulse, BEATS, 1)
  const asked = ENDINGS[Atomics.load(pulse, ENDING) - 1]
  if (asked !== undefined) ending.abort(asked)
}

if (process.platform === 'linux') setPriority(0, NICE)
const settings = task.settings ?? (await readSettings())
{
  using directory = openDataDirectory(settings)
  if (task.kind === 'sync') await sync(directory, task.claim)
  else if (task.kind === 'render') await render(directory, task.source)
  else await fetchFiles(directory, task.source, ending.signal)
}
parentPort?.close()

async function sync(directory: DataDirectory, claim: Claim): Promise<void> {
  await syncClaim(directory, claim, {
    signal: ending.signal,
    onBeat: beat,
    busy(work) {
      Atomics.store(pulse, IN_STATEMENT, 1)
      try {
        return work()
      } finally {
        Atomics.store(pulse, IN_STATEMENT, 0)
      }
    },
  })
}

async function render(directory: DataDirectory, source: string): Promise<void> {
  try {
    await storeOf(directory).renderActive(source, { signal: ending.signal, onProgress: beat })
  } catch (error) {
    // Without them answers are written from the rows.
    if (!ending.signal.aborted) throw error
  }
}

async function readSettings(): Promise<Settings> {
  const { loadSettings } = await import('../config/load-settings.ts')
  return loadSettings({ env: process.env, cwd: process.cwd() })
}
