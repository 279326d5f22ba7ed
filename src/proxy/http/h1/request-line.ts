// Reads the request line (RFC 9112 section 3): method, target, version, each followed by exactly what the grammar
// says. Stops and goes on at any byte, as FieldSection does. What form of target goes with what method is left to
// the rules.

import { CR, DOT, isDigit, LF, PERCENT, SP, TARGET, TOKEN, ZERO } from '../characters.ts'
import type { Head } from '../head.ts'
import { LONGEST_METHOD, methodOf } from '../method.ts'
import { Refusal } from '../refusal.ts'
import { runEnd } from '../runs.ts'
import { MORE, REFUSED } from './field-section.ts'

const START = 0
const START_FEED = 1
const BEGIN = 2
const METHOD = 3
const TARGET_PART = 4
const VERSION = 5

/** `HTTP/1.1` and CRLF. */
const VERSION_LENGTH = 10
const NAME = Buffer.from('HTTP/', 'latin1')
const ONE = ZERO + 1
const HTTP = 0x50545448
const SLASH_1_1 = 0x312e312f
const CRLF = 0x0a0d

export class RequestLine {
  /** Where a scan stopped that did not finish. */
  at = 0
  refusal: Refusal = Refusal.none
  /** Whether the target holds a percent sign, so that the rules need not look for one. */
  percent = false
  #state = START
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  /** True until the first byte of the line itself has been seen. */
  get idle(): boolean {
    return this.#state < METHOD
  }

  /** True if nothing at all of a next message has been seen, not even an empty line. */
  get untouched(): boolean {
    return this.#state === START
  }

  begin(): void {
    this.#state = START
    this.percent = false
  }

  /** Reads on from `from` of `bytes`; gives the position after the line, MORE or REFUSED. */
  scan(head: Head, bytes: Buffer, from: number, end: number): number {
    let at = from
    if (this.#state < METHOD) {
      at = this.#start(bytes, at, end)
      if (at < 0) return at
      head.begin(bytes, at)
      this.#state = METHOD
    }
    const limit = head.start + this.#limit
    const stop = Math.min(end, limit)
    if (this.#state === METHOD) at = this.#method(head, at, stop)
    if (at >= 0 && this.#state === TARGET_PART) at = this.#target(head, at, stop)
    if (at >= 0) at = this.#version(head, at, stop)
    // All but the target is bounded by the grammar, so the target made the line too long.
    if (at === MORE && this.at >= limit) return this.#refuse(Refusal.targetTooLong)
    return at
  }

  /** RFC 9112 section 2.2: one empty line before a request is ignored, as some clients send it after a body. */
  #start(bytes: Buffer, from: number, end: number): number {
    let at = from
    if (at >= end) return this.#pause(this.#state, at)
    if (this.#state === START && bytes[at] === CR) {
      this.#state = START_FEED
      at++
      if (at >= end) return this.#pause(START_FEED, at)
    }
    if (this.#state === START_FEED) {
      if (bytes[at] !== LF) return this.#refuse(Refusal.bareCr)
      this.#state = BEGIN
      at++
      if (at >= end) return this.#pause(BEGIN, at)
    }
    if (bytes[at] === LF) return this.#refuse(Refusal.bareLf)
    return bytes[at] === CR ? this.#refuse(Refusal.emptyLine) : at
  }

  #method(head: Head, from: number, stop: number): number {
    const bytes = head.bytes
    const limit = head.start + LONGEST_METHOD + 1
    const last = Math.min(stop, limit)
    let at = from
    at = runEnd(head.view, at, last, TOKEN)
    if (at >= limit) return this.#refuse(Refusal.methodTooLong)
    if (at >= last) return this.#pause(METHOD, at)
    if (bytes[at] !== SP || at === head.start) return this.#refuse(Refusal.methodInvalid)
    head.methodEnd = at
    head.method = methodOf(bytes, head.start, at)
    head.targetStart = at + 1
    this.#state = TARGET_PART
    return at + 1
  }

  #target(head: Head, from: number, stop: number): number {
    const bytes = head.bytes
    let at = from
    for (;;) {
      at = runEnd(head.view, at, stop, TARGET)
      if (at >= stop) return this.#pause(TARGET_PART, at)
      if (bytes[at] !== PERCENT) break
      this.percent = true
      at++
    }
    if (bytes[at] !== SP) return this.#refuse(targetRefusal(bytes[at]!))
    if (at === head.targetStart) return this.#refuse(Refusal.targetInvalid)
    head.targetEnd = at
    this.#state = VERSION
    return at + 1
  }

  /** `HTTP/1.0` or `HTTP/1.1` and CRLF, RFC 9112 section 2.3. */
  #version(head: Head, from: number, stop: number): number {
    const start = head.targetEnd + 1
    if (start + VERSION_LENGTH <= stop && from === start && isCommon(head.view, start)) {
      head.minor = 1
      head.fieldsStart = start + VERSION_LENGTH
      return head.fieldsStart
    }
    const last = Math.min(start + VERSION_LENGTH, stop)
    for (let at = from; at < last; at++) {
      const refusal = versionRefusal(head.bytes[at]!, at - start, head.bytes, start)
      if (refusal !== Refusal.none) return this.#refuse(refusal)
    }
    if (last < start + VERSION_LENGTH) return this.#pause(VERSION, last)
    head.minor = head.bytes[start + 7]! - ZERO
    head.fieldsStart = last
    return last
  }

  #pause(state: number, at: number): number {
    this.#state = state
    this.at = at
    return MORE
  }

  #refuse(refusal: Refusal): number {
    this.refusal = refusal
    return REFUSED
  }
}

/** `HTTP/1.1` and CRLF, as nearly all requests have it, in three steps instead of ten. */
function isCommon(view: DataView, start: number): boolean {
  return (
    view.getInt32(start, true) === HTTP &&
    view.getInt32(start + 4, true) === SLASH_1_1 &&
    view.getUint16(start + 8, true) === CRLF
  )
}

function targetRefusal(byte: number): Refusal {
  // A line that ends after the target is HTTP/0.9, which has no version, no head and no status.
  return byte === CR || byte === LF ? Refusal.versionMissing : Refusal.targetInvalid
}

/** Judges the byte at `index` of a version; a status line and a request line share it. */
export function versionRefusal(byte: number, index: number, bytes: Buffer, start: number): Refusal {
  if (index < NAME.length) return byte === NAME[index] ? Refusal.none : Refusal.versionInvalid
  switch (index) {
    case 6:
      return byte === DOT ? Refusal.none : Refusal.versionInvalid
    case 5:
    case 7:
      return isDigit(byte) ? Refusal.none : Refusal.versionInvalid
    case 8:
      if (byte === LF) return Refusal.bareLf
      return byte === CR ? majorRefusal(bytes, start) : Refusal.versionInvalid
    default:
      return byte === LF ? Refusal.none : Refusal.bareCr
  }
}

/** Only 1.0 and 1.1 exist; RFC 9110 section 2.5 lets a higher minor pass for 1.1, which is refused. */
export function majorRefusal(bytes: Buffer, start: number): Refusal {
  const minor = bytes[start + 7]!
  const known = bytes[start + 5] === ONE && (minor === ZERO || minor === ONE)
  return known ? Refusal.none : Refusal.versionUnsupported
}
