// Which bytes may stand where in a message: one table of bits for all 256 of them, so that a scan is one load and
// one test a byte.
//
// The sets are those of RFC 9110 section 5 and RFC 3986, narrowed or widened only where said so here.

export const HT = 0x09
export const LF = 0x0a
export const CR = 0x0d
export const SP = 0x20
export const QUOTE = 0x22
export const PERCENT = 0x25
export const STAR = 0x2a
export const COMMA = 0x2c
export const DOT = 0x2e
export const SLASH = 0x2f
export const ZERO = 0x30
export const NINE = 0x39
export const COLON = 0x3a
export const SEMICOLON = 0x3b
export const EQUALS = 0x3d
export const QUESTION = 0x3f
export const AT = 0x40
export const BACKSLASH = 0x5c

/** tchar, RFC 9110 section 5.6.2: methods, field names, connection options. */
export const TOKEN = 1
/** Field values and reason phrases: HTAB, SP, VCHAR and obs-text (RFC 9110 section 5.5), so no other control. */
export const TEXT = 2
/**
 * Request targets: RFC 3986 and the seven characters that browsers leave as they are in paths and queries (the
 * URL standard's encode sets), which no implementation takes for the target's end. Never `#`, `"`, `<`, `>`, `\`,
 * controls or anything that is not ASCII.
 */
export const TARGET = 4
/** A host name, narrower than RFC 3986's reg-name: no sub-delims (`,` in Host reads as a list), no percent. */
export const HOST = 8
/** The inside of an IP literal's brackets. */
export const IP_LITERAL = 16
export const HEX = 32
/** qdtext, RFC 9110 section 5.6.4: the inside of a quoted string but quote and backslash. */
export const QUOTED = 64

const ALPHA = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const DIGITS = '0123456789'

function build(): Uint8Array {
  const table = new Uint8Array(256)
  const add = (bit: number, characters: string): void => {
    for (const character of characters) table[character.charCodeAt(0)]! |= bit
  }
  add(TOKEN, `${ALPHA}${DIGITS}!#$%&'*+-.^_\`|~`)
  add(TARGET, `${ALPHA}${DIGITS}-._~!$&'()*+,;=:@/?[]^\`{|}`)
  add(HOST, `${ALPHA}${DIGITS}-._~`)
  add(IP_LITERAL, `${DIGITS}abcdefABCDEF:.`)
  add(HEX, `${DIGITS}abcdefABCDEF`)
  for (let byte = 0; byte < 256; byte++) {
    const text = byte === HT || (byte >= SP && byte !== 0x7f)
    if (text) table[byte]! |= byte === QUOTE || byte === BACKSLASH ? TEXT : TEXT | QUOTED
  }
  return table
}

export const CLASS: Uint8Array = build()

export function isDigit(byte: number): boolean {
  return byte >= ZERO && byte <= NINE
}

/** The value of a hexadecimal digit, which the byte must be. */
export function hexValue(byte: number): number {
  return byte <= NINE ? byte - ZERO : (byte | 0x20) - 0x57
}
