// Clients are held together by a cookie, which is given to those that come without it.
//
// The Cookie field is read as RFC 6265 section 4.2.1 writes it: pairs between semicolons, a name only where a pair
// begins, the value as it stands, quotes included. The value that we give is chance and means nothing; where it
// leads is for the hash to say, so no state is kept and every sidecar agrees.

import { randomFillSync } from 'node:crypto'
import type { Millis } from '../../lib/duration.ts'
import { Field } from '../http/fields.ts'
import type { Head } from '../http/head.ts'
import type { Affinity } from '../stack/destination.ts'
import { type Exchange, NO_AFFINITY } from '../stack/exchange.ts'
import { hashBytes } from './hash.ts'

const SPANS = 4
const HT = 0x09
const SP = 0x20
const SEMICOLON = 0x3b
const EQUALS = 0x3d

/** 96 bits of chance: no two clients will ever have the same. */
const VALUE_BYTES = 12
const VALUE_LENGTH = 16
/** The system is asked for so many values at a time. */
const BATCH = 256

export class CookieAffinity implements Affinity {
  readonly #name: Uint8Array
  /** What stands before the value in the line that sets the cookie, and what after it. */
  readonly #before: string
  readonly #after: string
  readonly #chance: Buffer = Buffer.alloc(VALUE_BYTES * BATCH)
  #used: number = BATCH

  /** With a `ttl` of 0 the cookie lasts as long as the client runs. */
  constructor(name: string, ttl: Millis) {
    this.#name = Buffer.from(name, 'latin1')
    this.#before = `Set-Cookie: ${name}=`
    const age = ttl === 0 ? '' : `; Max-Age=${Math.ceil(ttl / 1000)}`
    // Not Secure: from here to the client there is no TLS that we know of, and a browser would not send it back.
    this.#after = `${age}; Path=/; HttpOnly; SameSite=Lax\r\n`
  }

  read(exchange: Exchange): void {
    const hash = this.#find(exchange.request)
    if (hash === NO_AFFINITY) this.#give(exchange)
    else exchange.affinity = hash
  }

  #give(exchange: Exchange): void {
    const line = Buffer.from(this.#before + this.#newValue() + this.#after, 'latin1')
    const start = this.#before.length
    exchange.affinity = hashBytes(line, start, start + VALUE_LENGTH)
    exchange.responseLines = line
  }

  #newValue(): string {
    if (this.#used === BATCH) {
      randomFillSync(this.#chance)
      this.#used = 0
    }
    const start = this.#used * VALUE_BYTES
    this.#used += 1
    return this.#chance.toString('base64url', start, start + VALUE_BYTES)
  }

  /** The hash of the first value that is not empty, or NO_AFFINITY. */
  #find(head: Head): number {
    for (let at = head.indexOf(Field.cookie); at >= 0; at = head.find('cookie', at + 1)) {
      const start = head.spans[at * SPANS + 2] ?? 0
      const hash = this.#findIn(head.bytes, start, head.spans[at * SPANS + 3] ?? start)
      if (hash !== NO_AFFINITY) return hash
    }
    return NO_AFFINITY
  }

  /** The same, within one field's value. */
  #findIn(bytes: Uint8Array, start: number, stop: number): number {
    let at = start
    while (at < stop) {
      while (at < stop && isSpace(bytes[at])) at += 1
      const valueStart = this.#valueAfterName(bytes, at, stop)
      while (at < stop && bytes[at] !== SEMICOLON) at += 1
      if (valueStart >= 0) {
        let end = at
        while (end > valueStart && isSpace(bytes[end - 1])) end -= 1
        if (end > valueStart) return hashBytes(bytes, valueStart, end)
      }
      at += 1
    }
    return NO_AFFINITY
  }

  /** Where the value begins, if a pair of our name begins here; else -1. */
  #valueAfterName(bytes: Uint8Array, start: number, stop: number): number {
    const name = this.#name
    const end = start + name.length
    if (end >= stop || bytes[end] !== EQUALS) return -1
    for (let at = 0; at < name.length; at += 1) {
      if (bytes[start + at] !== name[at]) return -1
    }
    return end + 1
  }
}

function isSpace(byte: number | undefined): boolean {
  return byte === SP || byte === HT
}
