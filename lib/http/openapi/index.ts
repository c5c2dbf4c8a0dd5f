import type { Principal } from '../../access.ts'
import type { Context } from '../context.ts'
import { JSON_TYPE } from '../exchange.ts'
import { NO_ORIGIN } from '../origin.ts'
import { VARY } from '../representation.ts'
import type { Route } from '../route.ts'
import { openApiDocument } from './document.ts'
import { liveKey, readLive } from './live.ts'
import { docsPage } from './page.ts'
import { Rendered } from './rendered.ts'
import { SAMPLE_VALUES } from './samples.ts'

/** Documents of so many views of the data are kept. */
const MAX_KEPT = 8

/** The documentation of one server's routes. */
export class OpenApi {
  readonly #context: Context
  readonly #routes: readonly Route[]
  readonly #documents = new Map<string, Promise<Rendered>>()
  #pageText: string | undefined
  readonly #pages = new Map<string, Rendered>()

  constructor(context: Context, routes: readonly Route[]) {
    this.#context = context
    this.#routes = routes
  }

  /**
   * The page that everybody may read: nothing of the tables that are mirrored here. Its examples are for this origin, or
   * for a made-up one where it was asked for under too many: whoever asks needs no key.
   */
  page(origin: string): Rendered {
    const isKept = this.#pages.has(origin) || this.#pages.size < MAX_KEPT
    const shown = isKept ? origin : NO_ORIGIN
    let page = this.#pages.get(shown)
    if (!page) {
      const headers = ['Cache-Control', 'no-cache', 'Vary', 'Accept-Encoding']
      const text = (this.#pageText ??= this.#makePage()).replaceAll(NO_ORIGIN, () => shown)
      page = new Rendered(text, { type: 'text/html; charset=utf-8', headers })
      this.#pages.set(shown, page)
    }
    return page
  }

  #makePage(): string {
    const { version } = this.#context
    const values = SAMPLE_VALUES
    return docsPage(openApiDocument({ routes: this.#routes, tables: [], version, values, principal: null }))
  }

  /** What there is for one key: made once for all that see the same of the same snapshots. */
  document(principal: Principal): Promise<Rendered> {
    const key = liveKey(this.#context, principal)
    let document = this.#documents.get(key)
    if (!document) {
      document = this.#render(principal)
      // What failed is tried again.
      document.catch(() => this.#documents.delete(key))
      this.#documents.set(key, document)
      const [oldest] = this.#documents.keys()
      if (this.#documents.size > MAX_KEPT && oldest !== undefined) this.#documents.delete(oldest)
    }
    return document
  }

  async #render(principal: Principal): Promise<Rendered> {
    const live = await readLive(this.#context, principal)
    const document = openApiDocument({ routes: this.#routes, ...live, version: this.#context.version, principal })
    const headers = ['Cache-Control', 'private, no-cache', 'Vary', VARY]
    return new Rendered(JSON.stringify(document), { type: JSON_TYPE, headers })
  }
}
