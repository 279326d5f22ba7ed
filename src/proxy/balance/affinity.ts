// What clients are held together by, read off a request: their address, a header's value, or a cookie's.
//
// Asked for every request, before an endpoint is picked. Values are hashed where they stand, no string is made; only
// a client without its cookie costs something, the line that gives it one. What the hash then means is left to the
// pickers.

import type { SessionAffinity } from '../../api/resources.ts'
import type { Head } from '../http/head.ts'
import type { Affinity } from '../stack/destination.ts'
import { type Exchange, NO_AFFINITY } from '../stack/exchange.ts'
import { CookieAffinity } from './cookie-affinity.ts'
import { addByte, addBytes, EMPTY, finish, hashText } from './hash.ts'

const SPANS = 4
const COMMA = 0x2c
const SPACE = 0x20

/** Undefined where nothing is to be read. */
export function makeAffinity(affinity: SessionAffinity): Affinity | undefined {
  switch (affinity.kind) {
    case 'none':
      return undefined
    case 'sourceIp':
      return new SourceAffinity()
    case 'header':
      return new HeaderAffinity(affinity.name)
    case 'cookie':
      return new CookieAffinity(affinity.name, affinity.ttl)
  }
}

export class SourceAffinity implements Affinity {
  /** A client that stays connected asks again and again. */
  #source = ''
  #hash: number = NO_AFFINITY

  read(exchange: Exchange): void {
    const { source } = exchange
    if (source !== this.#source) {
      this.#source = source
      this.#hash = source === '' ? NO_AFFINITY : hashText(source)
    }
    exchange.affinity = this.#hash
  }
}

export class HeaderAffinity implements Affinity {
  readonly #name: string

  /** The name is in lower case. */
  constructor(name: string) {
    this.#name = name
  }

  read(exchange: Exchange): void {
    exchange.affinity = this.#hash(exchange.request)
  }

  /** Of all values; an empty one stands for no client. */
  #hash(head: Head): number {
    let hash = EMPTY
    let found = false
    for (let at = head.find(this.#name); at >= 0; at = head.find(this.#name, at + 1)) {
      const start = head.spans[at * SPANS + 2] ?? 0
      const end = head.spans[at * SPANS + 3] ?? 0
      if (start === end) continue
      // RFC 9110 section 5.3: several lines mean what one does that has them all, with commas between.
      if (found) hash = addByte(addByte(hash, COMMA), SPACE)
      hash = addBytes(hash, head.bytes, start, end)
      found = true
    }
    return found ? finish(hash) : NO_AFFINITY
  }
}
