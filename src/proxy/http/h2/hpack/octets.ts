// Which bytes may stand in names and values of HTTP/2 (RFC 9113 section 8.2.1), as bits: those of a string are the
// AND of those of its bytes, so that reading a string and judging it is one loop.

import { CLASS, TEXT, TOKEN } from '../../characters.ts'
import { lower } from '../../head.ts'

/** A name: a token without capitals. */
export const NAME = 1
/** What would be a name in lower case. */
export const NAME_IN_CAPITALS = 2
export const VALUE = 4
export const ALL_OCTETS = 7

function build(): Uint8Array {
  return Uint8Array.from(CLASS, (bits, byte) => {
    const name = (bits & TOKEN) === 0 ? 0 : NAME_IN_CAPITALS | (lower(byte) === byte ? NAME : 0)
    return name | ((bits & TEXT) === 0 ? 0 : VALUE)
  })
}

/** By byte. */
export const OCTETS: Uint8Array = build()
