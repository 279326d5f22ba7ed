// Writes strings in the Huffman code (RFC 7541 section 5.2), which the encoder does not: the simple way, by text of bits.

import { CODE_LENGTHS, CODES } from '../../../../../src/proxy/http/h2/hpack/huffman-code.ts'

const CODE_TEXTS: readonly string[] = CODE_LENGTHS.map((length, symbol) =>
  (CODES[symbol] ?? 0).toString(2).padStart(length, '0'),
)

/** The code of a symbol, as text of bits. 256 is EOS. */
export function codeText(symbol: number): string {
  return CODE_TEXTS[symbol] ?? ''
}

/** Whole bytes, of bits as text; the last one is filled with ones. */
export function packed(bits: string): Buffer {
  const bytes = bits.match(/.{1,8}/g) ?? []
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte.padEnd(8, '1'), 2)))
}

export function huffman(bytes: Uint8Array): Buffer {
  return packed(Array.from(bytes, codeText).join(''))
}
