import type { Clock } from '../base/clock.ts'
import { toFailure, type Failure } from '../errors.ts'
import type { FileIndex, FileOffer, FileRow, MissingFile } from '../files.ts'
import type { FileFolder } from './file-folder.ts'

/** Files that are looked up, and asked offers for, at a time. */
const BATCH = 100
/** An offer that ends so soon is taken for one that has ended. */
const OFFER_MARGIN_MS = 10_000
/** What is to be tried again so soon is waited for; for what comes later somebody has to come back. */
const WAIT_MS = 30_000
const LOOK_MS = 250

/** A file that can be fetched, or that lies there already. */
export interface ReadyFile extends MissingFile {
  /** The offer was asked for just now. */
  readonly isRenewed: boolean
}

/** Asks an upstream where files can be fetched. Throws only `upstream_*` failures, or the signal's reason. */
export type RenewOffers = (rows: readonly FileRow[], signal: AbortSignal) => Promise<FileOffer[]>

interface ReadyParts {
  readonly index: FileIndex
  readonly folder: FileFolder
  readonly clock: Clock
  readonly renew: RenewOffers | undefined
  /** The upstream has no offer of a file. */
  readonly onGone: (file: MissingFile) => void
  readonly hasRoom: (file: MissingFile) => boolean
  /** Whether there is a reason to hand out no more. */
  readonly isOver: () => boolean
}

/**
 * Hands out what is missing, each once until it is given back, to any number of takers at a time. Comes to an end when
 * nothing is left that could be fetched now, or soon, and all that was handed out is back: until then it follows
 * snapshots that become active.
 */
export class ReadyFiles {
  readonly #parts: ReadyParts
  readonly #out = new Set<string>()
  /** Why there are no more new offers: what has one goes on. */
  #noOffers: Failure | undefined

  constructor(parts: ReadyParts) {
    this.#parts = parts
  }

  get noOffers(): Failure | undefined {
    return this.#noOffers
  }

  giveBack({ id }: ReadyFile): void {
    this.#out.delete(id)
  }

  /** Those who wait for a file at the same time get theirs in turn. */
  async *files(signal: AbortSignal): AsyncGenerator<ReadyFile, void> {
    const { clock, index } = this.#parts
    const isOver = () => signal.aborted || this.#parts.isOver()
    for (let isMore = true; isMore;) {
      const startedAt = clock.now()
      for await (const file of this.#missing(signal)) {
        if (isOver()) return
        this.#out.add(file.id)
        yield file
      }
      const isDue = () => (index.nextTryAt(startedAt) ?? Infinity) <= clock.now()
      while (!isOver() && !index.follow() && !isDue() && (isMore = this.#isAnyToCome(startedAt))) {
        await clock.sleep(LOOK_MS, signal)
      }
      if (isOver()) return
    }
  }

  #isAnyToCome(startedAt: number): boolean {
    const { clock, index } = this.#parts
    return this.#out.size > 0 || (index.nextTryAt(startedAt) ?? Infinity) - clock.now() <= WAIT_MS
  }

  async *#missing(signal: AbortSignal): AsyncGenerator<ReadyFile, void> {
    const { index, folder, clock, hasRoom } = this.#parts
    const stale: MissingFile[] = []
    for (let after: string | undefined = ''; after !== undefined;) {
      const batch = index.missing({ after, limit: BATCH })
      for (const file of batch) {
        if (this.#out.has(file.id)) continue
        const isGood = file.offer !== undefined && file.offer.expiresAt > clock.now() + OFFER_MARGIN_MS
        if (isThere(file, folder) || (isGood && hasRoom(file))) yield { ...file, isRenewed: false }
        else if (!isGood && hasRoom(file)) stale.push(file)
        if (stale.length === BATCH) yield* this.#renewed(stale.splice(0), signal)
      }
      after = batch.at(-1)?.id
      if (!index.follow()) continue
      // From the beginning; what is set aside would come twice.
      yield* this.#renewed(stale.splice(0), signal)
      after = ''
    }
    yield* this.#renewed(stale, signal)
  }

  async *#renewed(files: readonly MissingFile[], signal: AbortSignal): AsyncGenerator<ReadyFile, void> {
    const { index, renew, onGone } = this.#parts
    if (files.length === 0 || this.#noOffers !== undefined) return
    const rows = files.map(({ row }) => row)
    let offers: FileOffer[]
    try {
      offers = (await renew?.(rows, signal)) ?? []
    } catch (error) {
      signal.throwIfAborted()
      const failure = toFailure(error)
      if (!failure.code.startsWith('upstream_')) throw error
      this.#noOffers = failure
      return
    }
    index.add(offers)
    const byId = new Map(offers.map((offer) => [offer.id, offer]))
    for (const file of files) {
      const offer = byId.get(file.id)
      // Right from the upstream: only by a clock that goes wrong can it seem to have ended.
      if (offer !== undefined) yield { ...file, offer, bytes: offer.bytes ?? file.bytes, isRenewed: true }
      else onGone(file)
    }
  }
}

/** Whether a file of the right size lies there already: from before the index was lost, or could be written. */
export function isThere({ id, bytes }: MissingFile, folder: FileFolder): boolean {
  const size = folder.size(id)
  return size !== undefined && (bytes === null || size === bytes)
}
