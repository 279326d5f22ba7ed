// Writes a head as it is forwarded: the bytes as they came, case and order kept, without the fields that belong to
// one hop only, with our version, and with what the caller adds.
//
// Ranges of bytes between the fields taken out are copied into a buffer that is used again for the next head, unless
// the caller says that somebody still has it. Bytes of the body may follow, behind the head or without one. What to
// add and take out is left to the callers.

import { CLASS, CR, LF, SP, TEXT, TOKEN, ZERO } from '../characters.ts'
import { Field, HOP_BY_HOP } from '../fields.ts'
import type { Head } from '../head.ts'
import type { HeadOutput } from '../head-output.ts'
import type { SliceTaker } from '../slices.ts'

const FIRST_SIZE = 1024
const LARGE = 8 * FIRST_SIZE
/** Up to so many bytes a loop beats the call that copies. */
const FEW = 64
const ONE = ZERO + 1
const COLON = 0x3a
/** Of the largest whole number there is. */
const MOST_DIGITS = 16
const LENGTH = 1 << Field.contentLength
const EXPECT = 1 << Field.expect

export class HeadWriter implements HeadOutput, SliceTaker {
  #buffer: Buffer = Buffer.allocUnsafe(FIRST_SIZE)
  #view: DataView = viewOf(this.#buffer)
  /** What was given last: the next head of the same length needs no new object. */
  #given: Buffer = this.#buffer
  #end = 0
  #sound = true
  #isTaken = false

  /**
   * Begins a request's head. `cut` has the recognised fields to take out; those nominated always go. A request of
   * HTTP/1.0 may lack the Host that it needs as HTTP/1.1: the caller adds it.
   */
  request(head: Head, cut: number = HOP_BY_HOP): void {
    // RFC 9110 section 10.1.1: HTTP/1.0 has no expectations, and the request leaves as HTTP/1.1.
    const expect = head.minor === 0 ? EXPECT : 0
    this.#begin(head)
    this.#copyOf(head, head.start, head.fieldsStart)
    // RFC 9112 section 2.3: an intermediary sends its own version. The line ends in `1.x` and CRLF.
    this.#buffer[this.#end - 3] = ONE
    this.#copyFields(head, cut | expect)
  }

  /** Begins a response's head; as {@link request}. */
  response(head: Head, cut: number = HOP_BY_HOP): void {
    // RFC 9110 section 8.6: no Content-Length in these, not even of 0.
    const length = head.status < 200 || head.status === 204 ? LENGTH : 0
    this.#begin(head)
    this.#copyOf(head, head.start, head.fieldsStart)
    this.#buffer[7] = ONE
    this.#copyFields(head, cut | length)
  }

  /** Adds a field after those that there are. One that could break the head makes `finish` fail. */
  add(name: string, value: string): void {
    this.#reserve(name.length + value.length + 4)
    this.#sound = this.#sound && name !== '' && isAll(name, TOKEN) && isAll(value, TEXT)
    this.#text(name)
    this.#byte(COLON)
    this.#byte(SP)
    this.#text(value)
    this.#crlf()
  }

  /** Adds whole field lines that were made, and found sound, ahead of time. */
  addLines(lines: Buffer): void {
    this.#reserve(lines.length)
    this.#copyRange(lines, 0, lines.length)
  }

  /** Adds a field line with a whole number in it, not negative; what stands before and after it was made ahead of time. */
  addNumber(before: Buffer, value: number, after: Buffer): void {
    this.#reserve(before.length + MOST_DIGITS + after.length)
    this.#copyRange(before, 0, before.length)
    let size = 1
    for (let power = 10; power <= value; power *= 10) size++
    this.#end += size
    let rest = value
    for (let at = this.#end - 1; size > 0; at--, size--) {
      const next = Math.floor(rest / 10)
      this.#buffer[at] = ZERO + (rest - next * 10)
      rest = next
    }
    this.#copyRange(after, 0, after.length)
  }

  /** Ends the head and gives its bytes, as {@link take} does. */
  finish(): Buffer | undefined {
    this.endHead()
    return this.take()
  }

  /** Begins bytes that follow a head which has left. */
  piece(): void {
    this.#sound = true
    this.#end = 0
    // Not as large as the last: one large head must not make every head that waits as large.
    if (this.#isTaken) this.#renew(FIRST_SIZE)
  }

  /** What is added from now on follows the head. */
  endHead(): void {
    this.#reserve(2)
    this.#crlf()
  }

  /** Makes room at once for so many bytes that are going to be added. */
  room(size: number): void {
    this.#reserve(size)
  }

  /** Adds bytes of the body, as they are. */
  body(bytes: Buffer, start: number, end: number): void {
    this.#reserve(end - start)
    this.#copyRange(bytes, start, end)
  }

  /** All that was written, or undefined if something added could break it; good until the next head or piece begins. */
  take(): Buffer | undefined {
    if (!this.#sound) return undefined
    if (this.#given.length !== this.#end) this.#given = this.#buffer.subarray(0, this.#end)
    return this.#given
  }

  /** Somebody still needs the bytes that were given last: the next head goes elsewhere. */
  letGo(): void {
    this.#isTaken = true
  }

  /** Nothing was written for a while, and nobody needs what was: gives back what a large head has taken. */
  rest(): void {
    if (this.#buffer.length > LARGE) this.#renew(FIRST_SIZE)
  }

  #begin(head: Head): void {
    this.piece()
    this.#reserve(head.end - head.start)
  }

  #copyFields(head: Head, cut: number): void {
    const spans = head.spans
    const last = head.end - 2
    let from = head.fieldsStart
    if ((head.seen & cut) !== 0 || head.anyNominated) {
      for (let i = 0; i < head.count; i++) {
        const kind = head.kinds[i]!
        const goes = (kind !== Field.other && (cut & (1 << kind)) !== 0) || head.nominated[i] === 1
        if (!goes) continue
        this.#copyOf(head, from, spans[i * 4]!)
        from = i + 1 < head.count ? spans[i * 4 + 4]! : last
      }
    }
    this.#copyOf(head, from, last)
  }

  /** Four bytes a step: a head is too short for the call that copies, and the ranges between two cuts more so. */
  #copyOf(head: Head, start: number, end: number): void {
    const from = head.view
    const to = this.#view
    let at = start
    let into = this.#end
    for (const last = end - 4; at <= last; at += 4, into += 4) to.setInt32(into, from.getInt32(at))
    for (; at < end; at++, into++) to.setUint8(into, from.getUint8(at))
    this.#end = into
  }

  #copyRange(bytes: Buffer, start: number, end: number): void {
    if (end - start > FEW) {
      bytes.copy(this.#buffer, this.#end, start, end)
      this.#end += end - start
      return
    }
    for (let at = start; at < end; at++) this.#buffer[this.#end++] = bytes[at]!
  }

  #text(text: string): void {
    this.#end += this.#buffer.write(text, this.#end, 'latin1')
  }

  #byte(byte: number): void {
    this.#buffer[this.#end++] = byte
  }

  #crlf(): void {
    this.#byte(CR)
    this.#byte(LF)
  }

  /** Makes room; what was written of this head moves along. */
  #reserve(size: number): void {
    const all = this.#end + size
    if (all <= this.#buffer.length) return
    // Bodies are not followed by much.
    this.#renew(all > LARGE ? all + FIRST_SIZE : 2 * all)
  }

  #renew(size: number): void {
    const buffer = Buffer.allocUnsafe(size)
    this.#buffer.copy(buffer, 0, 0, Math.min(this.#end, size))
    this.#buffer = buffer
    this.#view = viewOf(buffer)
    this.#given = buffer
    this.#isTaken = false
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

function isAll(text: string, kind: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 255 || (CLASS[code]! & kind) === 0) return false
  }
  return true
}
