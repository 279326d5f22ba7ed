// Writes strings in the Huffman code (RFC 7541 section 5.2).

import { CODE_LENGTHS, CODES } from './huffman-code.ts'

const LENGTHS = Uint8Array.from(CODE_LENGTHS)
const BYTE = 8

/** How many bytes these are in code. */
export function huffmanLength(from: Uint8Array, start: number, end: number): number {
  let bits = 0
  for (let i = start; i < end; i++) bits += LENGTHS[from[i]!]!
  return (bits + BYTE - 1) >>> 3
}

/** Writes them in code. Gives the position after it. */
export function writeHuffman(
  from: Uint8Array,
  start: number,
  end: number,
  to: Uint8Array,
  at: number,
): number {
  let next = at
  // Bits that are not written yet, fewer than eight between two symbols.
  let rest = 0
  let count = 0
  for (let i = start; i < end; i++) {
    const symbol = from[i]!
    let length = LENGTHS[symbol]!
    let code = CODES[symbol]!
    // With what is left they must fit 32 bits.
    if (length > 24) {
      length -= BYTE
      rest = (rest << length) | (code >>> BYTE)
      count += length
      for (; count >= BYTE; count -= BYTE) to[next++] = rest >>> (count - BYTE)
      code &= 0xff
      length = BYTE
    }
    rest = (rest << length) | code
    count += length
    for (; count >= BYTE; count -= BYTE) to[next++] = rest >>> (count - BYTE)
  }
  // RFC 7541 section 5.2: what is left of the last byte has the first bits of EOS, ones.
  if (count > 0) to[next++] = (rest << (BYTE - count)) | (0xff >>> count)
  return next
}
