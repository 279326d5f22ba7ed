// What is counted about HTTP/2 connections of one direction and side: how many there are, their streams, what they
// were reset and ended for, and the limits that were reached.
//
// Plain numbers, those by error code in typed arrays: a peer that resets streams as fast as it can must not be able
// to make the counting dear. Refused messages are counted with those of HTTP/1.1 (counters.ts). Exposition is left to
// telemetry.

import type { H2LimitName } from '../http/h2/h2-limits.ts'

/** Which side of the proxy: connections of clients, or those to endpoints. */
export type Http2Role = 'downstream' | 'upstream'

/** One more than the last code of RFC 9113 section 7: where all codes that it does not have are counted. */
export const OTHER_CODE = 14

export class Http2Counters {
  connectionsOpened = 0
  connectionsClosed = 0
  streamsOpened = 0
  streamsClosed = 0
  readonly #resetsReceived = new Float64Array(OTHER_CODE + 1)
  readonly #resetsSent = new Float64Array(OTHER_CODE + 1)
  readonly #goawaysReceived = new Float64Array(OTHER_CODE + 1)
  readonly #goawaysSent = new Float64Array(OTHER_CODE + 1)
  readonly limits: Map<H2LimitName, number> = new Map()

  /** Whether there ever was such a connection. */
  get used(): boolean {
    return this.connectionsOpened > 0
  }

  get openConnections(): number {
    return this.connectionsOpened - this.connectionsClosed
  }

  get openStreams(): number {
    return this.streamsOpened - this.streamsClosed
  }

  connectionOpened(): void {
    this.connectionsOpened += 1
  }

  connectionClosed(): void {
    this.connectionsClosed += 1
  }

  streamOpened(): void {
    this.streamsOpened += 1
  }

  streamClosed(): void {
    this.streamsClosed += 1
  }

  /** RST_STREAM with that code came. */
  resetReceived(code: number): void {
    add(this.#resetsReceived, code)
  }

  resetSent(code: number): void {
    add(this.#resetsSent, code)
  }

  goawayReceived(code: number): void {
    add(this.#goawaysReceived, code)
  }

  goawaySent(code: number): void {
    add(this.#goawaysSent, code)
  }

  /** A limit was reached. */
  limit(name: H2LimitName): void {
    this.limits.set(name, (this.limits.get(name) ?? 0) + 1)
  }

  /** By code, those that occurred; OTHER_CODE for all that RFC 9113 does not have. */
  resets(way: 'received' | 'sent'): [code: number, count: number][] {
    return occurred(way === 'sent' ? this.#resetsSent : this.#resetsReceived)
  }

  goaways(way: 'received' | 'sent'): [code: number, count: number][] {
    return occurred(way === 'sent' ? this.#goawaysSent : this.#goawaysReceived)
  }
}

function add(counts: Float64Array, code: number): void {
  const place = code >= 0 && code < OTHER_CODE ? code : OTHER_CODE
  counts[place] = (counts[place] ?? 0) + 1
}

function occurred(counts: Float64Array): [code: number, count: number][] {
  return Array.from(counts, (count, code): [number, number] => [code, count]).filter(
    ([, count]) => count > 0,
  )
}
