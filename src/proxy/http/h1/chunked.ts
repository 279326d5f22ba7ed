// The chunked transfer coding (RFC 9112 section 7.1), read in place: it says up to where the bytes at hand are
// sound, and the caller forwards them as they came, or only the data between if it decodes.
//
// Every byte passes the state machine before it counts as sound, so what is forwarded is always the beginning of a
// valid body. White space, which the grammar calls bad (section 7.1.1), is refused. The trailer section that
// follows the last chunk is left to `trailers.ts`.

import {
  BACKSLASH,
  CLASS,
  CR,
  EQUALS,
  HEX,
  hexValue,
  LF,
  QUOTE,
  QUOTED,
  SEMICOLON,
  TEXT,
  TOKEN,
} from '../characters.ts'
import { Refusal } from '../refusal.ts'

const SIZE_FIRST = 0
const SIZE = 1
const SIZE_FEED = 2
const EXTENSION_NAME_FIRST = 3
const EXTENSION_NAME = 4
const EXTENSION_VALUE_FIRST = 5
const EXTENSION_VALUE = 6
const EXTENSION_QUOTED = 7
const EXTENSION_ESCAPED = 8
const EXTENSION_END = 9
const DATA = 10
const DATA_CR = 11
const DATA_FEED = 12
const LAST = 13

/** Sixteen digits hold any size that a double can count exactly; more are padding that somebody else may cut. */
const MOST_DIGITS = 16

export class ChunkedScanner {
  refusal: Refusal = Refusal.none
  /** Bytes of the chunk that are still to come. A double from the start, as chunks may be large. */
  #left = NaN
  #state = SIZE_FIRST
  #digits = 0
  #extension = 0
  readonly #extensionLimit: number

  constructor(extensionLimit: number) {
    this.#extensionLimit = extensionLimit
  }

  begin(): void {
    this.#state = SIZE_FIRST
    this.#left = 0
    this.#digits = 0
    this.#extension = 0
    this.refusal = Refusal.none
  }

  /** True if the next byte is of a chunk's data. */
  get inData(): boolean {
    return this.#state === DATA
  }

  /** True after the last chunk's line: the trailer section follows. */
  get last(): boolean {
    return this.#state === LAST
  }

  /** Takes data, which must be next; gives the position after what there is of it. */
  data(at: number, end: number): number {
    const there = end - at
    if (there < this.#left) {
      this.#left -= there
      return end
    }
    const after = at + this.#left
    this.#left = 0
    this.#state = DATA_CR
    return after
  }

  /** Reads what stands between data; gives the position of data, of trailers, of a refused byte, or `end`. */
  between(bytes: Buffer, from: number, end: number): number {
    let at = from
    while (at < end && this.#state !== DATA && this.#state !== LAST) {
      this.refusal = this.#step(bytes[at]!)
      if (this.refusal !== Refusal.none) return at
      at++
    }
    return at
  }

  #step(byte: number): Refusal {
    switch (this.#state) {
      case DATA_CR:
        return byte === CR ? this.#go(DATA_FEED) : Refusal.chunkEndInvalid
      case DATA_FEED:
        return byte === LF ? this.#go(SIZE_FIRST) : Refusal.chunkEndInvalid
      case SIZE_FIRST:
        return (CLASS[byte]! & HEX) !== 0 ? this.#firstDigit(byte) : Refusal.chunkSizeInvalid
      case SIZE:
        return this.#size(byte)
      case SIZE_FEED:
        return byte === LF ? this.#go(this.#left === 0 ? LAST : DATA) : Refusal.bareCr
      default:
        return this.#extensionByte(byte)
    }
  }

  #firstDigit(byte: number): Refusal {
    this.#left = hexValue(byte)
    this.#digits = 1
    return this.#go(SIZE)
  }

  #size(byte: number): Refusal {
    if ((CLASS[byte]! & HEX) !== 0) {
      this.#left = this.#left * 16 + hexValue(byte)
      this.#digits++
      const overflow = this.#digits > MOST_DIGITS || this.#left > Number.MAX_SAFE_INTEGER
      return overflow ? Refusal.chunkSizeOverflow : Refusal.none
    }
    if (byte === CR) return this.#go(SIZE_FEED)
    if (byte === LF) return Refusal.bareLf
    if (byte !== SEMICOLON) return Refusal.chunkSizeInvalid
    this.#extension = 1
    return this.#go(EXTENSION_NAME_FIRST)
  }

  /** Section 7.1.1: `;name`, `;name=token` or `;name="quoted"`, any number of times. */
  #extensionByte(byte: number): Refusal {
    if (++this.#extension > this.#extensionLimit) return Refusal.chunkExtensionTooLarge
    const kind = CLASS[byte]!
    switch (this.#state) {
      case EXTENSION_NAME_FIRST:
        return (kind & TOKEN) !== 0 ? this.#go(EXTENSION_NAME) : extensionRefusal(byte)
      case EXTENSION_NAME:
        if ((kind & TOKEN) !== 0) return Refusal.none
        return byte === EQUALS ? this.#go(EXTENSION_VALUE_FIRST) : this.#extensionEnd(byte)
      case EXTENSION_VALUE_FIRST:
        if (byte === QUOTE) return this.#go(EXTENSION_QUOTED)
        return (kind & TOKEN) !== 0 ? this.#go(EXTENSION_VALUE) : extensionRefusal(byte)
      case EXTENSION_VALUE:
        return (kind & TOKEN) !== 0 ? Refusal.none : this.#extensionEnd(byte)
      case EXTENSION_QUOTED:
        if (byte === QUOTE) return this.#go(EXTENSION_END)
        if (byte === BACKSLASH) return this.#go(EXTENSION_ESCAPED)
        return (kind & QUOTED) !== 0 ? Refusal.none : extensionRefusal(byte)
      case EXTENSION_ESCAPED:
        return (kind & TEXT) !== 0 ? this.#go(EXTENSION_QUOTED) : extensionRefusal(byte)
      default:
        return this.#extensionEnd(byte)
    }
  }

  #extensionEnd(byte: number): Refusal {
    if (byte === SEMICOLON) return this.#go(EXTENSION_NAME_FIRST)
    return byte === CR ? this.#go(SIZE_FEED) : extensionRefusal(byte)
  }

  #go(state: number): Refusal {
    this.#state = state
    return Refusal.none
  }
}

function extensionRefusal(byte: number): Refusal {
  // Parsers that skip an extension up to a line feed, or up to CRLF, see different chunks after a bare LF.
  return byte === LF ? Refusal.bareLf : Refusal.chunkExtensionInvalid
}
