// Finds which of the bytes at hand belong to a message's body (RFC 9112 section 6.3), whatever its framing.
//
// It hands out slices of the bytes it was given, never copies. A chunked body is handed out as it came, chunk lines
// included, unless the caller decodes it, for a recipient that knows no chunks. Trailers that came in pieces are
// handed out in one, from the buffer that collected them. What to do with slices is left to the callers.

import { Framing, type Head } from '../head.ts'
import type { Limits } from '../limits.ts'
import { Refusal } from '../refusal.ts'
import { ChunkedScanner } from './chunked.ts'
import { Event } from './event.ts'
import { MORE, REFUSED } from './field-section.ts'
import type { HeadParser } from './head-parser.ts'
import { judgeTrailers, trailerParser } from './trailers.ts'

const NOTHING: Buffer = Buffer.alloc(0)

export class Body {
  slice: Buffer = NOTHING
  sliceStart = 0
  sliceEnd = 0
  /** Where to read on. */
  position = 0
  refusal: Refusal = Refusal.none
  /** Chunked bodies are handed out without their chunk lines and trailers. Set after `begin`. */
  decode = false
  #framing: Framing = Framing.none
  /** Bytes still to come with `Framing.length`. */
  #left = NaN
  #inTrailers = false
  #over = false
  readonly #chunks: ChunkedScanner
  readonly #limits: Limits
  #trailers: HeadParser | undefined

  constructor(limits: Limits) {
    this.#limits = limits
    this.#chunks = new ChunkedScanner(limits.chunkExtension)
  }

  begin(head: Head): void {
    this.#framing = head.framing
    this.#left = head.framing === Framing.length ? head.contentLength : 0
    this.#inTrailers = false
    this.#over = head.framing === Framing.none
    this.decode = false
    if (head.framing === Framing.chunked) this.#chunks.begin()
  }

  /** The trailers of a chunked body that is over. */
  get trailers(): Head | undefined {
    return this.#inTrailers ? this.#trailers?.head : undefined
  }

  /** True if the connection's end is the body's end. */
  get endsWithConnection(): boolean {
    return this.#framing === Framing.close
  }

  /** Lets go of all bytes. */
  release(): void {
    this.slice = NOTHING
    if (this.#over || !this.#inTrailers) this.#trailers?.release()
  }

  read(bytes: Buffer, start: number, end: number): Event {
    this.position = start
    if (this.#over) return Event.end
    if (start >= end) return Event.more
    if (this.#framing === Framing.chunked) {
      if (this.#chunks.refusal !== Refusal.none) return this.#refuse(this.#chunks.refusal)
      if (this.#inTrailers) return this.#readTrailers(bytes, start, end)
      return this.#readChunks(bytes, start, end)
    }
    if (this.#framing === Framing.close) return this.#hand(bytes, start, end)
    if (end - start < this.#left) {
      this.#left -= end - start
      return this.#hand(bytes, start, end)
    }
    this.#over = true
    return this.#hand(bytes, start, start + this.#left)
  }

  #readChunks(bytes: Buffer, start: number, end: number): Event {
    const chunks = this.#chunks
    let from = start
    let at = start
    while (at < end && !chunks.last && chunks.refusal === Refusal.none) {
      if (chunks.inData) {
        at = chunks.data(at, end)
        if (this.decode) return this.#hand(bytes, from, at)
      } else {
        at = chunks.between(bytes, at, end)
        if (this.decode) from = at
      }
    }
    if (chunks.last) this.#beginTrailers()
    if (at > from) return this.#hand(bytes, from, at)
    // Only a decoder comes here with bytes taken.
    this.position = at
    if (chunks.refusal !== Refusal.none) return this.#refuse(chunks.refusal)
    return chunks.last ? this.#readTrailers(bytes, at, end) : Event.more
  }

  #beginTrailers(): void {
    this.#inTrailers = true
    this.#trailers ??= trailerParser(this.#limits)
    this.#trailers.begin()
  }

  #readTrailers(bytes: Buffer, start: number, end: number): Event {
    const parser = this.#trailers
    this.position = start
    if (parser === undefined || start >= end) return Event.more
    if (parser.refusal !== Refusal.none) return this.#refuse(parser.refusal)
    const at = parser.read(bytes, start, end)
    if (at === REFUSED) return this.#refuse(parser.refusal)
    this.position = at === MORE ? end : at
    if (at === MORE) return Event.more
    const refusal = judgeTrailers(parser.head)
    if (refusal !== Refusal.none) return this.#refuse(refusal)
    this.#over = true
    if (this.decode) return Event.end
    this.#hand(parser.head.bytes, parser.head.start, parser.head.end)
    this.position = at
    return Event.body
  }

  #hand(bytes: Buffer, start: number, end: number): Event {
    this.slice = bytes
    this.sliceStart = start
    this.sliceEnd = end
    this.position = end
    return Event.body
  }

  #refuse(refusal: Refusal): Event {
    this.refusal = refusal
    return Event.refused
  }
}
