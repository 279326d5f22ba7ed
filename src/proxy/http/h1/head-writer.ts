// Writes a head as it is forwarded: the bytes as they came, case and order kept, without the fields that belong to
// one hop only, with our version, and with what the caller adds.
//
// Ranges of bytes between the fields taken out are copied into a slab that many heads share; a slab is never written
// twice, so a socket may keep what it was given as long as it likes. What to add and take out is left to the callers.

import { CLASS, CR, LF, SP, TEXT, TOKEN, ZERO } from './characters.ts'
import { Field, HOP_BY_HOP } from './fields.ts'
import type { Head } from './head.ts'

const SLAB = 64 * 1024
const ONE = ZERO + 1
const COLON = 0x3a
const LENGTH = 1 << Field.contentLength
const EXPECT = 1 << Field.expect

export class HeadWriter {
  #slab: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  #sound = true

  /**
   * Begins a request's head. `cut` has the recognised fields to take out; those nominated always go. A request of
   * HTTP/1.0 may lack the Host that it needs as HTTP/1.1: the caller adds it.
   */
  request(head: Head, cut: number = HOP_BY_HOP): void {
    // RFC 9110 section 10.1.1: HTTP/1.0 has no expectations, and the request leaves as HTTP/1.1.
    const expect = head.minor === 0 ? EXPECT : 0
    this.#begin(head)
    this.#copyRange(head.bytes, head.start, head.fieldsStart)
    // RFC 9112 section 2.3: an intermediary sends its own version. The line ends in `1.x` and CRLF.
    this.#slab[this.#end - 3] = ONE
    this.#copyFields(head, cut | expect)
  }

  /** Begins a response's head; as {@link request}. */
  response(head: Head, cut: number = HOP_BY_HOP): void {
    // RFC 9110 section 8.6: no Content-Length in these, not even of 0.
    const length = head.status < 200 || head.status === 204 ? LENGTH : 0
    this.#begin(head)
    this.#copyRange(head.bytes, head.start, head.fieldsStart)
    this.#slab[this.#start + 7] = ONE
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

  /**
   * Ends the head and gives its bytes, or undefined if something added could break it. Bytes of the body, if given,
   * are copied behind it, so that a small message leaves in one write.
   */
  finish(body?: Buffer, start = 0, end = 0): Buffer | undefined {
    this.#reserve(2 + end - start)
    this.#crlf()
    if (body !== undefined) this.#copyRange(body, start, end)
    return this.#sound ? this.#slab.subarray(this.#start, this.#end) : undefined
  }

  #begin(head: Head): void {
    this.#sound = true
    this.#start = this.#end
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
        this.#copyRange(head.bytes, from, spans[i * 4]!)
        from = i + 1 < head.count ? spans[i * 4 + 4]! : last
      }
    }
    this.#copyRange(head.bytes, from, last)
  }

  #copyRange(bytes: Buffer, start: number, end: number): void {
    if (start >= end) return
    bytes.copy(this.#slab, this.#end, start, end)
    this.#end += end - start
  }

  #text(text: string): void {
    this.#end += this.#slab.write(text, this.#end, 'latin1')
  }

  #byte(byte: number): void {
    this.#slab[this.#end++] = byte
  }

  #crlf(): void {
    this.#byte(CR)
    this.#byte(LF)
  }

  /** Makes room; what was written of this head moves along to a new slab. */
  #reserve(size: number): void {
    if (this.#end + size <= this.#slab.length) return
    const written = this.#end - this.#start
    const slab = Buffer.allocUnsafeSlow(Math.max(SLAB, 2 * (written + size)))
    this.#slab.copy(slab, 0, this.#start, this.#end)
    this.#slab = slab
    this.#start = 0
    this.#end = written
  }
}

function isAll(text: string, kind: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 255 || (CLASS[code]! & kind) === 0) return false
  }
  return true
}
