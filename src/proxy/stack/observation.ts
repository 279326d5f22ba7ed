// What logs and traces know of one request: text that is made only where somebody wants it.
//
// Counting is for everybody and cheap; this is neither. With no observer the hot path makes no string at all.

import type { Millis } from '../../lib/duration.ts'
import type { Head } from '../http/head.ts'
import type { Exchange } from './exchange.ts'

/** Bytes of a target and of an authority that are kept, so that what is queued has a bound. */
const LONGEST_TARGET = 2048
const LONGEST_AUTHORITY = 256
/** Cannot come from a request's head, which is ASCII where it is read here. */
const CUT = '\u2026'

/** Noted when a request's head is read, because the bytes are gone when it ends. */
export class Observation {
  readonly method: string
  /** As it came, query included; what is longer than 2 KiB is cut and ends in an ellipsis. */
  readonly target: string
  readonly authority: string
  /** Of the trace that the request belongs to, in lower-case hexadecimal; empty if it has none. */
  traceId = ''
  /** Our own span, its parent, and whether it is to be exported. */
  spanId = ''
  parentId = ''
  isSampled = false
  /** The time of day when the head was read; NaN where nobody asks for it. */
  startedAt: Millis = NaN

  constructor(head: Head) {
    this.method = head.methodText
    this.target = bounded(head, head.targetStart, head.targetEnd, LONGEST_TARGET)
    this.authority = bounded(head, head.authorityStart, head.authorityEnd, LONGEST_AUTHORITY)
  }
}

function bounded(head: Head, start: number, end: number, longest: number): string {
  return end - start <= longest ? head.text(start, end) : head.text(start, start + longest) + CUT
}

/** Told of every request, for what costs more than counting. */
export interface RequestObserver {
  /** The head can be read; lines may be added to the request, and recognised fields cut. */
  began(exchange: Exchange): void
  /** Everything is known; called once for each that began. */
  ended(exchange: Exchange): void
}
