// Hashes that say which client is which: the same for bytes and for the text that they spell in latin1.
//
// FNV-1a over the characters, then the finaliser of MurmurHash3, so that near texts are far apart. Nobody is kept
// from choosing a text with a certain hash: it only picks an endpoint, which every client may have anyway.

/** Before the first character. */
export const EMPTY: number = 0x811c9dc5 | 0
const PRIME = 0x01000193

/** A 32-bit state and a byte more. */
export function addByte(state: number, byte: number): number {
  return Math.imul(state ^ byte, PRIME)
}

export function addBytes(state: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = state
  for (let at = start; at < end; at += 1) hash = addByte(hash, bytes[at] ?? 0)
  return hash
}

/** A state's hash. Of 31 bits: V8 keeps such numbers in place, while larger ones may be objects of their own. */
export function finish(state: number): number {
  return mix(state) >>> 1
}

export function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  return finish(addBytes(EMPTY, bytes, start, end))
}

export function hashText(text: string): number {
  let hash = EMPTY
  for (let at = 0; at < text.length; at += 1) hash = addByte(hash, text.charCodeAt(at))
  return finish(hash)
}

/** Every bit of the input moves half of the bits of the output; no two inputs give the same. Unsigned, 32 bits. */
export function mix(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
