import { statSync, utimesSync, writeFileSync } from 'node:fs'
import { READING_MS } from '../snapshot.ts'
import type { SourceFolder } from './pointer.ts'

const SUFFIX = '.reading'
/** Snapshots of a source whose files stay for those who read on in them, beside those that stay anyway. */
const MAX_KEPT = 8

/**
 * Writes down, in an empty file beside the snapshot, that somebody reads on in it now. Where that cannot be written, the
 * snapshot stays for less long: that is not worth failing a read for.
 */
export function markReading(folder: SourceFolder, snapshot: string): void {
  const path = folder.file(snapshot + SUFFIX)
  const now = new Date()
  try {
    utimesSync(path, now, now)
  } catch {
    try {
      writeFileSync(path, '')
    } catch {
      // A full disk, or one that is only read from.
    }
  }
}

/** Epoch milliseconds; undefined: nobody does. */
export function lastReading(folder: SourceFolder, snapshot: string): number | undefined {
  return statSync(folder.file(snapshot + SUFFIX), { throwIfNoEntry: false })?.mtimeMs
}

/** Of the names in a folder, those that must stay for readers: marks, and the snapshots they are about. */
export function keptForReaders(folder: SourceFolder, names: readonly string[]): string[] {
  const since = Date.now() - READING_MS
  return names
    .filter((name) => name.endsWith(SUFFIX))
    .map((mark) => {
      const snapshot = mark.slice(0, -SUFFIX.length)
      return { mark, snapshot, at: lastReading(folder, snapshot) ?? 0 }
    })
    .filter(({ at }) => at > since)
    .toSorted((a, b) => b.at - a.at)
    .slice(0, MAX_KEPT)
    .flatMap(({ mark, snapshot }) => [mark, folder.snapshotName(snapshot)])
}
