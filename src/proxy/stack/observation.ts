// What logs and traces know of one request: text that is made only where somebody wants it.
//
// Counting is for everybody and cheap; this is neither. With no observer the hot path makes no string at all.

import type { Exchange } from './exchange.ts'

/** Noted when a request's head is read, because the bytes are gone when it ends. */
export class Observation {
  readonly method: string
  /** As it came, query included. */
  readonly target: string
  readonly authority: string
  /** Of the trace that the request belongs to, in lower-case hexadecimal; empty if it has none. */
  traceId = ''
  /** Our own span, its parent, and whether it is to be exported. */
  spanId = ''
  parentId = ''
  isSampled = false

  constructor(method: string, target: string, authority: string) {
    this.method = method
    this.target = target
    this.authority = authority
  }
}

/** Told of every request, for what costs more than counting. */
export interface RequestObserver {
  /** The head can be read; lines may be added to the request, and recognised fields cut. */
  began(exchange: Exchange): void
  /** Everything is known; called once for each that began. */
  ended(exchange: Exchange): void
}
