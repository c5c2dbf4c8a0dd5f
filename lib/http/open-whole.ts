import { open, type FileHandle } from 'node:fs/promises'

/** A file that has as many bytes as it should, open to be read; undefined where it is gone, or is another one. */
export async function openWhole({ path, bytes }: { path: string; bytes: number }): Promise<FileHandle | undefined> {
  try {
    const handle = await open(path, 'r')
    if ((await handle.stat()).size === bytes) return handle
    await handle.close()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  return undefined
}
