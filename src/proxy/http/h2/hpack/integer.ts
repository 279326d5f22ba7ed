// Integers of HPACK (RFC 7541 section 5.1): what fits the low bits of a byte stands there, the rest in bytes of seven
// bits, the lowest first.
//
// Four such bytes are the most that are read: no length or index that means anything is as large as what they hold.

import { viewOf } from './copy.ts'

const NOTHING: Buffer = Buffer.alloc(0)
const MOST_BYTES = 4

/** Where a block is being read. */
export class Cursor {
  bytes: Buffer = NOTHING
  /** The same bytes, for reading several at once. */
  view: DataView = viewOf(NOTHING)
  at = 0
  end = 0

  begin(bytes: Buffer, start: number, end: number): void {
    // A read buffer that is filled again and again needs one view only.
    if (bytes !== this.bytes) this.view = viewOf(bytes)
    this.bytes = bytes
    this.at = start
    this.end = end
  }

  /** Reads the integer whose first byte, which is there, has it in the bits of `mask`. -1 if it is too long or cut off. */
  integer(mask: number): number {
    const low = this.bytes[this.at++]! & mask
    return low < mask ? low : this.#rest(mask)
  }

  #rest(mask: number): number {
    const stop = Math.min(this.end, this.at + MOST_BYTES)
    let value = mask
    for (let shift = 0; this.at < stop; shift += 7) {
      const byte = this.bytes[this.at++]!
      value += (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
    return -1
  }
}

/** The most bytes that {@link writeInteger} writes. */
export const LONGEST_INTEGER = 5

/** Writes the value behind `flags`, in the bits of `mask` and as many bytes as it needs. Gives the position after it. */
export function writeInteger(
  to: Uint8Array,
  at: number,
  flags: number,
  mask: number,
  value: number,
): number {
  if (value < mask) {
    to[at] = flags | value
    return at + 1
  }
  to[at] = flags | mask
  let rest = value - mask
  let next = at + 1
  for (; rest >= 0x80; rest >>>= 7) to[next++] = (rest & 0x7f) | 0x80
  to[next] = rest
  return next + 1
}
