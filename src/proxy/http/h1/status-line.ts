// Reads the status line (RFC 9112 section 4): version, three digits, reason. Stops and goes on at any byte, as
// FieldSection does. Which status may answer which request is left to the rules.

import { CR, isDigit, LF, SP, ZERO } from '../characters.ts'
import type { Head } from '../head.ts'
import { Refusal } from '../refusal.ts'
import { textEnd } from '../runs.ts'
import { MORE, REFUSED } from './field-section.ts'
import { majorRefusal, versionRefusal } from './request-line.ts'

const START = 0
const FIXED = 1
const REASON = 2
const FEED = 3

/** `HTTP/1.1 200 `: the space after the status stands even where the reason is empty. */
const FIXED_LENGTH = 13
const VERSION_END = 8
const STATUS_START = 9
const STATUS_END = 12

export class StatusLine {
  /** Where a scan stopped that did not finish. */
  at = 0
  refusal: Refusal = Refusal.none
  #state = START
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  /** True until the first byte of the line has been seen. */
  get idle(): boolean {
    return this.#state === START
  }

  get untouched(): boolean {
    return this.#state === START
  }

  begin(): void {
    this.#state = START
  }

  /** Reads on from `from` of `bytes`; gives the position after the line, MORE or REFUSED. */
  scan(head: Head, bytes: Buffer, from: number, end: number): number {
    if (this.#state === START) {
      if (from >= end) return this.#pause(START, from)
      head.begin(bytes, from)
      this.#state = FIXED
    }
    const limit = head.start + this.#limit
    const stop = Math.min(end, limit)
    let at = from
    if (this.#state === FIXED) at = this.#fixed(head, at, stop)
    if (at >= 0) at = this.#reason(head, at, stop)
    if (at === MORE && this.at >= limit) return this.#refuse(Refusal.startLineTooLong)
    return at
  }

  #fixed(head: Head, from: number, stop: number): number {
    const bytes = head.bytes
    const start = head.start
    const last = Math.min(start + FIXED_LENGTH, stop)
    for (let at = from; at < last; at++) {
      const refusal = fixedRefusal(bytes[at]!, at - start, bytes, start)
      if (refusal !== Refusal.none) return this.#refuse(refusal)
    }
    if (last < start + FIXED_LENGTH) return this.#pause(FIXED, last)
    head.minor = bytes[start + 7]! - ZERO
    head.status = statusAt(bytes, start + STATUS_START)
    head.targetStart = last
    this.#state = REASON
    return last
  }

  #reason(head: Head, from: number, stop: number): number {
    const bytes = head.bytes
    let at = from
    if (this.#state === REASON) {
      at = textEnd(head.view, at, stop)
      if (at >= stop) return this.#pause(REASON, at)
      if (bytes[at] === LF) return this.#refuse(Refusal.bareLf)
      if (bytes[at] !== CR) return this.#refuse(Refusal.reasonInvalid)
      head.targetEnd = at++
    }
    if (at >= stop) return this.#pause(FEED, at)
    if (bytes[at] !== LF) return this.#refuse(Refusal.bareCr)
    head.fieldsStart = at + 1
    return at + 1
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

/** RFC 9112 section 4, byte by byte: nothing in the line but the reason is free to vary. */
function fixedRefusal(byte: number, index: number, bytes: Buffer, start: number): Refusal {
  if (index < VERSION_END) return versionRefusal(byte, index, bytes, start)
  if (index === VERSION_END)
    return byte === SP ? majorRefusal(bytes, start) : Refusal.versionInvalid
  // RFC 9110 section 15: below 100 there is no class. Above 599 is for the client to take as a 5xx.
  if (index === STATUS_START)
    return byte > ZERO && isDigit(byte) ? Refusal.none : Refusal.statusInvalid
  if (index < STATUS_END) return isDigit(byte) ? Refusal.none : Refusal.statusInvalid
  return byte === SP ? Refusal.none : Refusal.statusInvalid
}

function statusAt(bytes: Buffer, at: number): number {
  return (bytes[at]! - ZERO) * 100 + (bytes[at + 1]! - ZERO) * 10 + (bytes[at + 2]! - ZERO)
}
