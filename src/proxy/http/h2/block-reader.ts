// Puts header blocks together (RFC 9113 section 4.3): HEADERS and the CONTINUATION frames behind it, without padding and
// priority.
//
// A block that lies in one frame is not copied. How many frames and bytes there may be is bounded: the rest of an
// endless block would be work for nothing.

import type { H2LimitName, H2Limits } from './h2-limits.ts'
import { Flag, H2Error } from './protocol.ts'

const NOTHING: Buffer = Buffer.alloc(0)
const PRIORITY_SIZE = 5

export class BlockReader {
  /** The stream whose block is not whole yet; 0 for none. Nothing else may come meanwhile. */
  id = 0
  /** Of the block that is whole. */
  bytes: Buffer = NOTHING
  start = 0
  end = 0
  isEnd = false
  /** It says that the stream depends on itself. */
  isSelfish = false
  readonly #limits: H2Limits
  #collected: Buffer = NOTHING
  #length = 0
  #frames = 0

  constructor(limits: H2Limits) {
    this.#limits = limits
  }

  /** A HEADERS frame. The block is whole if `id` is 0 behind it. */
  headers(flags: number, id: number, bytes: Buffer, start: number, end: number): H2Error {
    const isPadded = (flags & Flag.padded) !== 0
    const hasPriority = (flags & Flag.priority) !== 0
    const fixed = (isPadded ? 1 : 0) + (hasPriority ? PRIORITY_SIZE : 0)
    if (end - start < fixed) return H2Error.frameSize
    const padding = isPadded ? bytes[start]! : 0
    // Section 6.2: padding that is longer than what is left is an error.
    if (padding > end - start - fixed) return H2Error.protocol
    this.isSelfish = hasPriority && dependency(bytes, start + fixed - PRIORITY_SIZE) === id
    this.isEnd = (flags & Flag.endStream) !== 0
    this.bytes = bytes
    this.start = start + fixed
    this.end = end - padding
    if ((flags & Flag.endHeaders) !== 0) return H2Error.none
    this.id = id
    this.#frames = 0
    this.#length = 0
    this.#collect(bytes, this.start, this.end)
    return H2Error.none
  }

  /** A CONTINUATION frame of the block that is not whole. Gives the limit that it exceeds. */
  continuation(flags: number, bytes: Buffer, start: number, end: number): H2LimitName | undefined {
    this.#frames += 1
    if (this.#frames > this.#limits.maxContinuations) return 'continuations'
    if (this.#length + end - start > this.#limits.maxHeaderListSize) return 'header-list'
    this.#collect(bytes, start, end)
    if ((flags & Flag.endHeaders) === 0) return undefined
    this.id = 0
    this.bytes = this.#collected
    this.start = 0
    this.end = this.#length
    return undefined
  }

  /** The block was read. */
  release(): void {
    this.bytes = NOTHING
    this.#collected = NOTHING
  }

  #collect(bytes: Buffer, start: number, end: number): void {
    const length = this.#length + end - start
    if (length > this.#collected.length) {
      const larger = Buffer.allocUnsafe(2 * length)
      this.#collected.copy(larger, 0, 0, this.#length)
      this.#collected = larger
    }
    bytes.copy(this.#collected, this.#length, start, end)
    this.#length = length
  }
}

/** Section 5.3.1 of RFC 7540, which RFC 9113 has taken out: looked at for one rule only. */
export function dependency(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) & 0x7fff_ffff
}
