import { statSync } from 'node:fs'
import type { Settings } from '../settings.ts'
import { webhookIn, type KeptWebhook, type KnownWebhook } from '../webhook.ts'
import type { SourceFolder } from './pointer.ts'
import { MEMORY_FILE, sourceMemory } from './source-memory.ts'

interface Look {
  /** What the file was when it was read: each write makes another file. */
  readonly version: string
  readonly webhook: KeptWebhook | undefined
}

/** The webhooks that the sources have made, as the newest write of any process says. */
export class KnownWebhooks {
  readonly #sources: Settings['sources']
  readonly #folders: ReadonlyMap<string, SourceFolder>
  readonly #looks = new Map<string, Look>()

  constructor(sources: Settings['sources'], folders: ReadonlyMap<string, SourceFolder>) {
    this.#sources = sources
    this.#folders = folders
  }

  /** The webhook of a source, whatever it is called; costs a look at one file, which is read only when it is another. */
  find(source: string): KnownWebhook | undefined {
    const descriptor = this.#sources.get(source)?.descriptor
    const folder = this.#folders.get(source)
    if (descriptor?.kind !== 'airtable' || folder === undefined) return undefined
    const webhook = this.#look(source, folder)
    const { baseId, mode } = descriptor.options
    return webhook && { ...webhook, baseId, isFollowed: mode === 'webhook' }
  }

  #look(source: string, folder: SourceFolder): KeptWebhook | undefined {
    const found = statSync(folder.file(MEMORY_FILE), { throwIfNoEntry: false, bigint: true })
    if (found === undefined) return undefined
    const version = `${found.ino} ${found.mtimeNs} ${found.size}`
    let look = this.#looks.get(source)
    if (look?.version !== version) this.#looks.set(source, (look = { version, webhook: read(folder) }))
    return look.webhook
  }
}

/** One that cannot be read cannot be checked either: its source says what is wrong with it. */
function read(folder: SourceFolder): KeptWebhook | undefined {
  try {
    return webhookIn(sourceMemory(folder).read())
  } catch {
    return undefined
  }
}
