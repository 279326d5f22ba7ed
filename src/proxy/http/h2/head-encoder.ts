// Writes a head as a header block (RFC 9113 section 8): pseudo-header fields first, names in lower case, without what
// belongs to one HTTP/1.1 hop, with what the caller adds.
//
// Nothing is compressed before `finish`, when all of it was found sound: what a block puts into the table stays there,
// so that a block that was begun must also be sent, and in that order. Until then the head must stay as it is. What to
// add and take out is left to the callers.

import { CLASS, COLON, CR, HOST, HT, IP_LITERAL, LF, SP, TEXT, TOKEN } from '../characters.ts'
import { Field, fieldBits, fieldOf, HOP_BY_HOP, LOOKALIKE } from '../fields.ts'
import { Framing, Head } from '../head.ts'
import type { HeadOutput } from '../head-output.ts'
import { runEnd, textEnd } from '../runs.ts'
import { HeadText, restHead } from './head-text.ts'
import type { HpackEncoder } from './hpack/hpack-encoder.ts'
import { writePseudos } from './request-pseudos.ts'

const REQUEST = 0
const RESPONSE = 1
/** Of our own: it has a status and what is added. */
const STATUS = 2
const TRAILERS = 3

const LENGTH = fieldBits(Field.contentLength)
const EXPECT = fieldBits(Field.expect)
/** RFC 9113 section 8.2.2. */
const OF_HOPS = HOP_BY_HOP | fieldBits(Field.transferEncoding)
/** What no block may have as a line. */
const NEVER = OF_HOPS | fieldBits(Field.host)

const OPEN = 0x5b
const CLOSE = 0x5d
const TE_LINE = Buffer.from('te: trailers', 'latin1')
const TE_NAME_END = 2
const TE_VALUE = 4

export class HeadEncoder implements HeadOutput {
  /** The block, after `finish`: in `block`, from 0 to `length`. Good until the next head begins. */
  block: Buffer = Buffer.alloc(0)
  length = 0
  readonly #hpack: HpackEncoder
  #what: number = STATUS
  #head: Head | undefined
  #cut = 0
  #status = 0
  /** Instead of the head's; empty for none. */
  #authority = ''
  /** A head was begun, and nothing was added that could break it. */
  #isSound = false
  /** What is added. */
  readonly #own: Head = new Head()
  readonly #text: HeadText = new HeadText()

  constructor(hpack: HpackEncoder) {
    this.#hpack = hpack
    this.#head = undefined
  }

  /**
   * Begins a request. `cut` has the recognised fields to take out; those nominated, and those of the hop, always go.
   * A request of HTTP/1.0 may have no authority, which it needs here: then, or to replace it, the caller gives one.
   */
  request(head: Head, cut: number, authority = ''): void {
    // RFC 9110 section 10.1.1: HTTP/1.0 has no expectations, and the request leaves as a newer one.
    const expect = head.minor === 0 ? EXPECT : 0
    this.#begin(REQUEST, head, cut | expect)
    this.#authority = authority
    const hasOne = head.authorityStart < head.authorityEnd
    this.#isSound = authority === '' ? hasOne : isAuthority(authority)
  }

  /** Begins a response. */
  response(head: Head, cut: number): void {
    const { status, framing } = head
    // RFC 9110 section 8.6: no Content-Length in these, not even of 0.
    const isWithout = status < 200 || status === 204 || framing === Framing.tunnel
    this.#begin(RESPONSE, head, isWithout ? cut | LENGTH : cut)
    this.#status = status
  }

  /** Begins a response of our own, with no field but its status. */
  status(status: number): void {
    this.#begin(STATUS, undefined, 0)
    this.#status = status
  }

  /** Begins a trailer section; without a head an empty one, to be added to. */
  trailers(head: Head | undefined): void {
    this.#begin(TRAILERS, head, 0)
  }

  add(name: string, value: string): void {
    const start = this.#text.end
    this.#isSound &&= isAll(name, TOKEN) && isAll(value, TEXT)
    if (!this.#isSound) return
    this.#text.string(name)
    this.#text.byte(COLON)
    this.#text.byte(SP)
    this.#text.string(value)
    this.#text.crlf()
    this.#readLines(start)
  }

  /** Lines of a hop of HTTP/1.1 among them are passed over. */
  addLines(lines: Buffer): void {
    const start = this.#text.end
    this.#text.bytes(lines)
    this.#readLines(start)
  }

  addNumber(before: Buffer, value: number, after: Buffer): void {
    const start = this.#text.end
    this.#text.bytes(before)
    this.#text.number(value)
    this.#text.bytes(after)
    this.#readLines(start)
  }

  /** Ends the block, which must then be sent. False if something added could break it: then there is none. */
  finish(): boolean {
    const head = this.#head
    this.#head = undefined
    this.length = 0
    if (!this.#isSound) return false
    this.#isSound = false
    const hpack = this.#hpack
    hpack.begin()
    if (head !== undefined) hpack.look(head.bytes, head.view)
    if (this.#what === REQUEST && head !== undefined) writePseudos(hpack, head, this.#authority)
    else if (this.#what !== TRAILERS) hpack.status(this.#status)
    if (head !== undefined) this.#fields(head, this.#cut | NEVER)
    if (this.#own.count > 0) {
      hpack.look(this.#own.bytes, this.#own.view)
      this.#fields(this.#own, OF_HOPS)
    }
    // RFC 9110 section 10.1.4: it is said anew on every hop.
    if (this.#what === REQUEST && head?.trailersWelcome === true) {
      hpack.field(TE_LINE, 0, TE_NAME_END, TE_VALUE, TE_LINE.length, Field.te)
    }
    this.block = hpack.block
    this.length = hpack.length
    return true
  }

  /** Nothing was written for a while: gives back what a large head has taken. */
  rest(): void {
    restHead(this.#own)
  }

  /** The peer's SETTINGS_HEADER_TABLE_SIZE, acknowledged by us. */
  tableSize(most: number): void {
    this.#hpack.tableSize(most)
  }

  #begin(what: number, head: Head | undefined, cut: number): void {
    this.#what = what
    this.#head = head
    this.#cut = cut
    this.#isSound = true
    this.#text.begin(this.#own)
  }

  #fields(head: Head, cut: number): void {
    const { bytes, spans, kinds, nominated, count, sensitive } = head
    const hpack = this.#hpack
    for (let i = 0; i < count; i++) {
      const kind = kinds[i]!
      if (kind !== Field.other && (cut & (1 << kind)) !== 0) continue
      if (nominated[i] === 1) continue
      const slot = i * 4
      const nameEnd = spans[slot + 1]!
      const value = spans[slot + 2]!
      const valueEnd = spans[slot + 3]!
      const isSensitive = sensitive !== 0 && head.isSensitiveAt(i)
      hpack.field(bytes, spans[slot]!, nameEnd, value, valueEnd, kind, isSensitive)
    }
  }

  /** Counts the field lines that were added from `start` on. */
  #readLines(start: number): void {
    const end = this.#text.end
    let at = start
    while (at < end && this.#isSound) at = this.#readLine(at, end)
  }

  /** Gives the position after it. */
  #readLine(start: number, end: number): number {
    const { bytes, view } = this.#own
    const nameEnd = runEnd(view, start, end, TOKEN)
    const kind = fieldOf(bytes, start, nameEnd)
    // What has an authority is given it when it begins.
    const isName = nameEnd > start && kind !== LOOKALIKE && kind !== Field.host
    let value = nameEnd + 1
    while (value < end && isSpace(bytes[value]!)) value++
    const lineEnd = value < end ? textEnd(view, value, end) : end
    const isLine = bytes[nameEnd] === COLON && bytes[lineEnd] === CR && bytes[lineEnd + 1] === LF
    this.#isSound = isName && isLine && lineEnd + 2 <= end
    // RFC 9113 section 8.2.1: no space around the value.
    let valueEnd = lineEnd
    while (valueEnd > value && isSpace(bytes[valueEnd - 1]!)) valueEnd--
    if (this.#isSound) this.#text.count(start, nameEnd, value, valueEnd, kind)
    return lineEnd + 2
  }
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HT
}

function isAll(text: string, kind: number): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 255 || (CLASS[code]! & kind) === 0) return false
  }
  return true
}

/** It was made here, not received: whether it can be told from what stands around it is all that matters. */
function isAuthority(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    const isHost = code < 128 && (CLASS[code]! & (HOST | IP_LITERAL)) !== 0
    if (!isHost && code !== OPEN && code !== CLOSE) return false
  }
  return true
}
