// Reads one head after another from the reads of a connection: a start line, then a field section.
//
// A head that lies whole within one read is parsed where it lies. Only the beginning of a head that was cut is
// copied, into a small buffer of the parser's own that then holds all of it; bodies are never copied. Framing and
// meaning are left to the readers and rules.

import { Head } from '../head.ts'
import type { Limits } from '../limits.ts'
import { Refusal } from '../refusal.ts'
import { FieldSection, MORE, REFUSED } from './field-section.ts'

/** The first line of a section of fields: RequestLine, StatusLine, or none at all before trailers. */
export interface StartLine {
  readonly refusal: Refusal
  /** True while no byte of the line itself has been seen. */
  readonly idle: boolean
  /** True while no byte has been seen, not even of an empty line before. */
  readonly untouched: boolean
  begin(): void
  scan(head: Head, bytes: Buffer, from: number, end: number): number
}

const NOTHING: Buffer = Buffer.alloc(0)
/** A cut head is copied by so much at once, because the rest of the read may be a body. */
const BLOCK = 1024
/** A buffer that grew over this is not kept for the next head: few are so large, and few of those are cut. */
const KEPT = 16 * 1024

export class HeadParser {
  readonly head: Head = new Head()
  refusal: Refusal = Refusal.none
  readonly #line: StartLine
  readonly #fields: FieldSection
  #inFields = false
  #cut: Buffer = NOTHING
  #cutLength = 0

  constructor(line: StartLine, fields: FieldSection) {
    this.#line = line
    this.#fields = fields
  }

  /** Gets ready for the next head. The last one may be used until its first byte is read. */
  begin(): void {
    this.#line.begin()
    this.#inFields = false
    this.#cutLength = 0
    if (this.#cut.length > KEPT) this.#cut = NOTHING
  }

  /** Lets go of all bytes. Not while a head is half read. */
  release(): void {
    this.head.release()
    this.#cut = NOTHING
    this.#cutLength = 0
  }

  /** True while nothing of a next head has been seen. */
  get untouched(): boolean {
    return !this.#inFields && this.#line.untouched
  }

  /** True while at most an empty line before the next head has been seen. */
  get idle(): boolean {
    return !this.#inFields && this.#line.idle
  }

  /** Reads on from `start`; gives the position after the head, MORE (everything is taken) or REFUSED. */
  read(bytes: Buffer, start: number, end: number): number {
    if (this.#cutLength > 0) return this.#readCut(bytes, start, end)
    const at = this.#scan(bytes, start, end)
    if (at === MORE && !this.idle) {
      const head = this.head
      const from = head.start
      this.#append(bytes, from, end)
      head.move(this.#cut, -from)
    }
    return at
  }

  #scan(bytes: Buffer, from: number, end: number): number {
    const head = this.head
    let at = from
    if (!this.#inFields) {
      at = this.#line.scan(head, bytes, at, end)
      if (at < 0) return at === MORE ? MORE : this.#refuse(this.#line.refusal)
      this.#inFields = true
      this.#fields.begin(head, at)
    }
    at = this.#fields.scan(head, at, end)
    if (at === REFUSED) return this.#refuse(this.#fields.refusal)
    if (at >= 0) head.end = at
    return at
  }

  /** Goes on with a head whose beginning was copied. */
  #readCut(bytes: Buffer, start: number, end: number): number {
    let from = start
    while (from < end) {
      const to = end - from > BLOCK ? from + BLOCK : end
      const before = this.#cutLength
      this.#append(bytes, from, to)
      this.head.look(this.#cut)
      const at = this.#scan(this.#cut, before, this.#cutLength)
      if (at !== MORE) {
        this.#cutLength = 0
        return at < 0 ? at : from + at - before
      }
      from = to
    }
    return MORE
  }

  #append(bytes: Buffer, from: number, to: number): void {
    const length = this.#cutLength + to - from
    if (length > this.#cut.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(BLOCK, 2 * length))
      this.#cut.copy(grown, 0, 0, this.#cutLength)
      this.#cut = grown
    }
    bytes.copy(this.#cut, this.#cutLength, from, to)
    this.#cutLength = length
  }

  #refuse(refusal: Refusal): number {
    this.refusal = refusal
    return REFUSED
  }
}

/** A parser of whole heads behind the given kind of first line. */
export function headParser(line: StartLine, limits: Limits): HeadParser {
  return new HeadParser(
    line,
    new FieldSection(limits.field, limits.head, limits.fields, Refusal.headTooLarge),
  )
}
