// The ids that say what trace a request belongs to: in traceparent, in both forms of B3, and x-request-id.
//
// Each becomes 128 bits. A trace's id is that already, whichever of the formats it is written in (an id of 64 bits is
// one with zeros in front, as OpenTelemetry and Zipkin have it), so that an application may take one in and give the
// other out. Any other text becomes a keyed hash: who does not know the key cannot find a second text for it.

import type { HalfSipHash } from '../../lib/half-sip-hash.ts'
import { CLASS, HEX, hexValue } from '../http/characters.ts'
import { Field, fieldBits } from '../http/fields.ts'
import type { Exchange } from '../stack/exchange.ts'

/** Ids that one request can have. */
export const MOST_IDS = 4
/** 32-bit words of an id. */
export const WORDS = 4

const TRACEPARENT = fieldBits(Field.traceparent)
const ANY = fieldBits(Field.traceparent, Field.b3, Field.xB3Traceid, Field.xRequestId)
/** Digits of an id, and of one of half the size. */
const LONG = 32
const SHORT = 16
/** W3C Trace Context section 3.2: `00-` trace `-` span of 16 digits `-` flags of 2. */
const TRACE_AT = 3
const LEAST_TRACEPARENT = TRACE_AT + LONG + 1 + SHORT + 1 + 2
/** A longer x-request-id is not looked at: it would cost more than it is worth. */
const MOST_TEXT = 256
const DASH = 0x2d
/** How a line of our own tracing begins. */
const OWN_LINE: Buffer = Buffer.from('traceparent: ', 'latin1')

export class TraceIds {
  /** What was read last, one id after another. */
  readonly words: Int32Array = new Int32Array(MOST_IDS * WORDS)
  #count = 0
  readonly #hashes: readonly [HalfSipHash, HalfSipHash]

  constructor(hashes: readonly [HalfSipHash, HalfSipHash]) {
    this.#hashes = hashes
  }

  /** Reads the ids that the request carries when it is sent on; gives their number. */
  read({ request: head, requestCut, requestLines }: Exchange): number {
    this.#count = 0
    // What our own tracing put in its place, or gave to a request that had none.
    const own = requestLines === undefined ? -1 : requestLines.indexOf(OWN_LINE)
    if (requestLines !== undefined && own >= 0) {
      this.#traceparent(requestLines, own + OWN_LINE.length, requestLines.length)
    }
    const known = head.seen & ANY & ~head.repeated & ~(requestCut & TRACEPARENT)
    if (known === 0) return this.#count
    for (let i = 0; i < head.count && this.#count < MOST_IDS; i++) {
      const kind = head.kinds[i] ?? 0
      if (kind === Field.other || (known & (1 << kind)) === 0) continue
      this.#field(kind, head.bytes, head.spans[i * 4 + 2] ?? 0, head.spans[i * 4 + 3] ?? 0)
    }
    return this.#count
  }

  #field(kind: number, bytes: Buffer, start: number, end: number): void {
    if (kind === Field.traceparent) this.#traceparent(bytes, start, end)
    else if (kind === Field.xB3Traceid) this.#id(bytes, start, end)
    else if (kind === Field.b3) this.#b3(bytes, start, end)
    else if (end - start !== LONG && end - start !== SHORT) this.#text(bytes, start, end)
    else if (!this.#id(bytes, start, end)) this.#text(bytes, start, end)
  }

  #traceparent(bytes: Buffer, start: number, end: number): void {
    const at = start + TRACE_AT
    if (end - start < LEAST_TRACEPARENT || bytes[at - 1] !== DASH || bytes[at + LONG] !== DASH)
      return
    this.#id(bytes, at, at + LONG)
  }

  /** `b3: trace-span-sampled-parent`; a sampling decision alone has no id. */
  #b3(bytes: Buffer, start: number, end: number): void {
    if (end - start > LONG && bytes[start + LONG] === DASH) this.#id(bytes, start, start + LONG)
    else if (end - start > SHORT && bytes[start + SHORT] === DASH) {
      this.#id(bytes, start, start + SHORT)
    }
  }

  /** Hexadecimal digits that are not all zero, of either size. False if they are not. */
  #id(bytes: Buffer, start: number, end: number): boolean {
    const length = end - start
    if (length !== LONG && length !== SHORT) return false
    const { words } = this
    const base = this.#count * WORDS
    words.fill(0, base, base + WORDS)
    let any = 0
    let place = base + (length === LONG ? 0 : WORDS / 2)
    for (let at = start; at < end; at += 8, place++) {
      let word = 0
      for (let i = at; i < at + 8; i++) {
        const digit = bytes[i] ?? 0
        if (((CLASS[digit] ?? 0) & HEX) === 0) return false
        word = (word << 4) | hexValue(digit)
      }
      words[place] = word
      any |= word
    }
    if (any !== 0) this.#count += 1
    return any !== 0
  }

  #text(bytes: Buffer, start: number, end: number): void {
    if (end === start || end - start > MOST_TEXT) return
    const { words } = this
    let place = this.#count * WORDS
    for (const hash of this.#hashes) {
      hash.bytes(bytes, start, end)
      words[place++] = hash.out[0] ?? 0
      words[place++] = hash.out[1] ?? 0
    }
    this.#count += 1
  }
}
