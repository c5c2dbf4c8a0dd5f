import type { Claim } from '../control.ts'
import { Failure } from '../errors.ts'
import { RunOffers } from '../sqlite/file-offers.ts'
import { SqliteStore } from '../sqlite/store.ts'
import type { RunStatus } from '../sync-run.ts'
import { runSync, type RunParts } from '../sync/run-sync.ts'
import { createSource, type DataDirectory } from './parts.ts'

/** How a run is watched and ended: see `RunParts`. */
export type Attendance = Pick<RunParts, 'signal' | 'onBeat' | 'busy'>

/** Works on a claimed run to its end, with what is configured for its source. */
export async function syncClaim(directory: DataDirectory, claim: Claim, attendance: Attendance): Promise<RunStatus> {
  const { control, clock, settings, publisher } = directory
  const id = claim.run.source
  const configured = settings.sources.get(id)
  const folder = publisher.folders.get(id)
  if (configured === undefined || folder === undefined)
    throw new Failure('source_not_found', `There is no source ${id}.`)
  using files = new RunOffers(folder)
  return await runSync({
    source: await createSource(directory, id),
    store: storeOf(directory),
    record: control.record(claim),
    limits: configured.guard,
    files,
    clock,
    ...attendance,
  })
}

export function storeOf({ publisher, settings, shapes }: DataDirectory): SqliteStore {
  return new SqliteStore(publisher, settings, shapes)
}
