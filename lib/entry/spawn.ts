import { Worker } from 'node:worker_threads'
import type { Claim } from '../control.ts'
import type { Settings } from '../settings.ts'
import type { SyncThread } from '../sync/runner.ts'

export const BEATS = 0
export const IN_STATEMENT = 1
/** Position in `ENDINGS` of what the thread is asked, plus 1: for work that does not come by its messages. */
export const ENDING = 2
export const ENDINGS = ['stopped', 'interrupted'] as const

/** What a thread is started for. */
type Task =
  | { readonly kind: 'sync'; readonly claim: Claim }
  | { readonly kind: 'render' | 'files'; readonly source: string }

/** What it is handed. Settings with code in them cannot be handed on: the thread then reads them again. */
export type ThreadTask = Task & { readonly pulse: SharedArrayBuffer; readonly settings: Settings | undefined }

/** Starts a thread for one task; it ends with it. */
export function spawnThread(task: Task, settings: Settings): SyncThread {
  const pulse = new SharedArrayBuffer(12)
  const shared = new Int32Array(pulse)
  const worker = new Worker(new URL('./thread-start.js', import.meta.url), {
    workerData: { ...task, pulse, settings: cloneable(settings) } satisfies ThreadTask,
  })
  let crash: Error | undefined
  const done = new Promise<{ crash?: Error }>((resolve) => {
    worker.on('error', (error) => (crash = error instanceof Error ? error : new Error(String(error))))
    worker.on('exit', (code) => {
      if (code !== 0) crash ??= new Error(`The sync thread ended with code ${code}.`)
      resolve(crash === undefined ? {} : { crash })
    })
  })
  return {
    done,
    get pulse() {
      return { beats: Atomics.load(shared, BEATS), isInStatement: Atomics.load(shared, IN_STATEMENT) !== 0 }
    },
    end(reason) {
      Atomics.store(shared, ENDING, ENDINGS.indexOf(reason) + 1)
      worker.postMessage(reason)
    },
    kill: () => void worker.terminate(),
  }
}

/** The settings as they can be handed on to threads and processes; undefined when there is code in them. */
export function cloneable(settings: Settings): Settings | undefined {
  try {
    return structuredClone(settings)
  } catch {
    return undefined
  }
}
