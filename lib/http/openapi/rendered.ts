import { hash } from 'node:crypto'
import { CODINGS, type Coding } from '../../snapshot.ts'
import { Failure } from '../../errors.ts'
import { compress } from '../compress.ts'
import type { Exchange } from '../exchange.ts'
import { acceptedCodings, matchesTag } from '../negotiate.ts'

/** A text that is sent often: its entity tags, and what it is in each coding that was asked for. */
export class Rendered {
  readonly #bodies: Map<Coding, Promise<Buffer>>
  readonly #digest: string
  readonly #headers: readonly string[]
  readonly #type: string

  constructor(text: string, { type, headers }: { readonly type: string; readonly headers: readonly string[] }) {
    const bytes = Buffer.from(text)
    this.#bodies = new Map([['identity', Promise.resolve(bytes)]])
    this.#digest = hash('sha256', bytes, 'base64url').slice(0, 22)
    this.#headers = headers
    this.#type = type
  }

  /** @throws Failure `not_acceptable` */
  async send(exchange: Exchange): Promise<void> {
    const accepted = acceptedCodings(exchange.header('accept-encoding'))
    const [coding] = accepted
    if (coding === undefined) {
      throw new Failure(
        'not_acceptable',
        `Accept-Encoding leaves nothing to answer with. There is: ${CODINGS.join(', ')}.`,
        {
          facts: { available: CODINGS },
        },
      )
    }
    const condition = exchange.header('if-none-match')
    const known = accepted.find((candidate) => matchesTag(condition, this.#tag(candidate)))
    if (known) return exchange.empty(304, ['ETag', this.#tag(known), ...this.#headers])
    const body = await this.#body(coding)
    exchange.send(200, [
      'Content-Type', this.#type,
      ...(coding === 'identity' ? [] : ['Content-Encoding', coding]),
      'ETag', this.#tag(coding),
      ...this.#headers,
    ], body) // prettier-ignore
  }

  #tag(coding: Coding): string {
    return `"${this.#digest}-${coding}"`
  }

  async #body(coding: Coding): Promise<Buffer> {
    let body = this.#bodies.get(coding)
    if (!body) {
      body = this.#bodies.get('identity')!.then((bytes) => compress(coding, bytes))
      this.#bodies.set(coding, body)
    }
    return await body
  }
}
