/**
 * A process that claims a run and syncs it, and stops itself with SIGSTOP at a named step of the disk (the n-th time
 * it comes by), or after a number of pages. Arguments: step, count.
 */
import { disk, type Files } from '../../lib/base/files.ts'
import { loadSettings } from '../../lib/config/load-settings.ts'
import { createSource, openDataDirectory } from '../../lib/entry/parts.ts'
import type { Page } from '../../lib/source.ts'
import { SqliteStore } from '../../lib/sqlite/store.ts'
import { holderName } from '../../lib/sqlite/stuck-holder.ts'
import { runSync } from '../../lib/sync/run-sync.ts'

const [step, count] = [process.argv[2] as string, Number(process.argv[3] ?? 1)]
let passed = 0

function pass(name: string): void {
  if (name !== step || ++passed !== count) return
  process.stdout.write(`stopped at ${name}\n`)
  process.kill(process.pid, 'SIGSTOP')
}

const files: Files = {
  sync: (name, path) => (pass(name), disk.sync(name, path)),
  rename: (name, from, to) => (pass(name), disk.rename(name, from, to)),
  replace: (name, path, text) => (pass(name), disk.replace(name, path, text)),
  remove: (name, path) => disk.remove(name, path),
}

const settings = await loadSettings({ env: process.env, cwd: process.cwd() })
using directory = openDataDirectory(settings, { files })
const { control, clock, publisher, shapes } = directory
await control.request('wares', 'once')
const claim = await control.claim('wares', holderName(), settings.leaseTtlMs)
if (claim === undefined) throw new Error('nothing to claim')
const real = await createSource(directory, 'wares')
try {
  const status = await runSync({
    source: {
      id: real.id,
      plan: (options) => real.plan(options),
      async *pull(options): AsyncGenerator<Page> {
        for await (const page of real.pull(options)) {
          yield page
          pass('page')
        }
      },
    },
    store: new SqliteStore(publisher, settings, shapes),
    record: control.record(claim),
    limits: settings.guard,
    clock,
    signal: new AbortController().signal,
    onBeat: () => {},
    busy: (work) => work(),
  })
  process.stdout.write(`ended ${status}\n`)
} catch (error) {
  process.stdout.write(`refused ${(error as { code?: string }).code}\n`)
}
await control.release(claim.lease)
