// Reads field lines (RFC 9112 section 5), of a head or of trailers, up to and with the empty line that ends them.
//
// It can stop at any byte and go on with the next read: the spans of the line at hand are already in the head, and
// `#state` says which part of it is being read. Every byte is judged when it is seen, so the verdict on a message
// does not depend on how it was cut. What the fields mean is left to the rules.

import { CLASS, COLON, CR, HT, LF, SP, TOKEN } from '../characters.ts'
import { Field, fieldOf, LOOKALIKE } from '../fields.ts'
import type { Head } from '../head.ts'
import { Refusal } from '../refusal.ts'
import { runEnd, textEnd } from '../runs.ts'

/** Returned by scans instead of a position: all bytes are read and more are needed. */
export const MORE = -1
/** Returned by scans instead of a position: see `refusal`. */
export const REFUSED = -2

const LINE = 0
const NAME = 1
const SPACE = 2
const VALUE = 3
const FEED = 4
const LAST_FEED = 5
const ENDED = 6

export class FieldSection {
  /** Where a scan stopped that did not finish. */
  at = 0
  refusal: Refusal = Refusal.none
  #state = LINE
  /** Where the line at hand began, from the head's start. */
  #line = 0
  readonly #fieldLimit: number
  readonly #sectionLimit: number
  readonly #countLimit: number
  readonly #sectionRefusal: Refusal

  constructor(field: number, section: number, count: number, tooLarge: Refusal) {
    this.#fieldLimit = field
    this.#sectionLimit = section
    this.#countLimit = count
    this.#sectionRefusal = tooLarge
  }

  /** Starts a section whose first line begins at `at`. */
  begin(head: Head, at: number): void {
    this.#state = LINE
    this.#line = at - head.start
  }

  /** Reads on from `from`; gives the position after the section, MORE or REFUSED. */
  scan(head: Head, from: number, end: number): number {
    const bytes = head.bytes
    const sectionStop = head.start + this.#sectionLimit
    let at = from
    for (;;) {
      const lineStop = head.start + this.#line + this.#fieldLimit
      const limit = Math.min(lineStop, sectionStop)
      at = this.#readLine(head, bytes, at, Math.min(end, limit))
      if (at === MORE && this.at >= limit) {
        return this.#refuse(limit === sectionStop ? this.#sectionRefusal : Refusal.fieldTooLarge)
      }
      if (at < 0 || this.#state === ENDED) return at
      const refusal = this.#commit(head)
      if (refusal !== Refusal.none) return this.#refuse(refusal)
      this.#line = at - head.start
    }
  }

  /** One line, or the rest of it from wherever the last read left off. */
  #readLine(head: Head, bytes: Buffer, from: number, stop: number): number {
    let at = from
    let state = this.#state
    if (state === LINE) {
      if (at >= stop) return this.#pause(LINE, at)
      if ((CLASS[bytes[at]!]! & TOKEN) === 0) return this.#lastLine(bytes, at, stop)
      head.reserve()
      head.spans[head.count * 4] = at
      state = NAME
    }
    const spans = head.spans
    const slot = head.count * 4
    if (state === NAME) {
      at = runEnd(head.view, at, stop, TOKEN)
      if (at >= stop) return this.#pause(NAME, at)
      if (bytes[at] !== COLON) return this.#refuse(nameRefusal(bytes[at]!))
      spans[slot + 1] = at++
      state = SPACE
    }
    if (state === SPACE) {
      while (at < stop && (bytes[at] === SP || bytes[at] === HT)) at++
      if (at >= stop) return this.#pause(SPACE, at)
      spans[slot + 2] = at
      state = VALUE
    }
    if (state === VALUE) {
      at = textEnd(head.view, at, stop)
      if (at >= stop) return this.#pause(VALUE, at)
      if (bytes[at] !== CR) return this.#refuse(valueRefusal(bytes[at]!))
      spans[slot + 3] = trimmedEnd(bytes, spans[slot + 2]!, at)
      at++
      state = FEED
    }
    if (at >= stop) return this.#pause(state, at)
    if (bytes[at] !== LF) return this.#refuse(Refusal.bareCr)
    this.#state = state === FEED ? LINE : ENDED
    return at + 1
  }

  /** A line that does not begin with a name: the empty one at the end, or a mistake. */
  #lastLine(bytes: Buffer, at: number, stop: number): number {
    const byte = bytes[at]!
    if (byte !== CR) return this.#refuse(lineStartRefusal(byte))
    if (at + 1 >= stop) return this.#pause(LAST_FEED, at + 1)
    if (bytes[at + 1] !== LF) return this.#refuse(Refusal.bareCr)
    this.#state = ENDED
    return at + 2
  }

  /** Counts the line just read among the head's fields. */
  #commit(head: Head): Refusal {
    const index = head.count
    if (index >= this.#countLimit) return Refusal.tooManyFields
    const slot = index * 4
    const kind = fieldOf(head.bytes, head.spans[slot]!, head.spans[slot + 1]!)
    if (kind === LOOKALIKE) return Refusal.nameLookalike
    head.kinds[index] = kind
    head.count = index + 1
    if (kind === Field.other) return Refusal.none
    const bit = 1 << kind
    if ((head.seen & bit) === 0) head.firsts[kind] = index
    else head.repeated |= bit
    head.seen |= bit
    return Refusal.none
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

function lineStartRefusal(byte: number): Refusal {
  // RFC 9112 section 5.2: a line that begins with white space goes on with the one before (obs-fold), and
  // section 2.2: white space between start line and first field. Both are refused.
  if (byte === SP || byte === HT) return Refusal.obsFold
  if (byte === LF) return Refusal.bareLf
  return byte === COLON ? Refusal.nameEmpty : Refusal.nameInvalid
}

function nameRefusal(byte: number): Refusal {
  // RFC 9112 section 5.1: no white space between name and colon; it has been used for smuggling.
  if (byte === SP || byte === HT) return Refusal.spaceBeforeColon
  return byte === CR || byte === LF ? Refusal.colonMissing : Refusal.nameInvalid
}

function valueRefusal(byte: number): Refusal {
  // RFC 9112 section 2.2 lets a recipient take a bare LF for a line's end; two recipients then see two messages.
  return byte === LF ? Refusal.bareLf : Refusal.valueInvalid
}

/** Where the value ends without the white space after it. */
function trimmedEnd(bytes: Buffer, start: number, end: number): number {
  let at = end
  while (at > start && (bytes[at - 1] === SP || bytes[at - 1] === HT)) at--
  return at
}
