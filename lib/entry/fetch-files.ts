import { FileFolder } from '../attachments/file-folder.ts'
import { mirrorFiles } from '../attachments/mirror-files.ts'
import { Failure } from '../errors.ts'
import { SqliteFileIndex } from '../sqlite/file-index.ts'
import { storageFolder } from '../sqlite/mirrored-files.ts'
import { createSource, type DataDirectory } from './parts.ts'

/** Fetches the files of a source that are missing, on a thread of its own. Somebody else keeps their lease. */
export async function fetchFiles(directory: DataDirectory, id: string, signal: AbortSignal): Promise<void> {
  const { settings, clock, publisher } = directory
  const folder = publisher.folders.get(id)
  if (folder === undefined) throw new Failure('source_not_found', `There is no source ${id}.`)
  const source = await createSource(directory, id)
  using index = new SqliteFileIndex(folder, clock)
  try {
    await mirrorFiles({
      index,
      folder: new FileFolder(storageFolder(folder, id, settings.storagePath), publisher.files),
      clock,
      signal,
      renew: source.offers?.bind(source),
    })
  } catch (error) {
    // The next start goes on where this one was.
    if (!signal.aborted) throw error
  }
}
