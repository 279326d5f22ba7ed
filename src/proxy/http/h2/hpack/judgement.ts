// Judges fields (RFC 9113 section 8.2): whether any message may have one of that name, or of that value, and which of
// the names that the codec knows it is.
//
// Names that came in a table were judged then. What must hold between the fields of a head is left to the head.

import { HT, SP } from '../../characters.ts'
import { Field, fieldBits, fieldOf, LOOKALIKE } from '../../fields.ts'
import { lower } from '../../head.ts'
import { Refusal } from '../../refusal.ts'
import { type HeaderField, Pseudo } from './header-field.ts'
import { NAME, NAME_IN_CAPITALS, VALUE } from './octets.ts'

/** RFC 9113 section 8.2.2: what has a meaning for one connection of HTTP/1.1 only. */
const OF_A_CONNECTION = fieldBits(
  Field.connection,
  Field.keepAlive,
  Field.proxyConnection,
  Field.transferEncoding,
  Field.upgrade,
  Field.http2Settings,
)

const COLON = 0x3a
const TRAILERS = Buffer.from('trailers', 'latin1')

const PSEUDO_NAMES: ReadonlyMap<string, Pseudo> = new Map([
  [':method', Pseudo.method],
  [':scheme', Pseudo.scheme],
  [':authority', Pseudo.authority],
  [':path', Pseudo.path],
  [':status', Pseudo.status],
])

/** Finds out what the name, of which OCTETS says `octets`, stands for. */
export function judgeName(field: HeaderField, octets: number): void {
  field.kind = Field.other
  field.pseudo = Pseudo.none
  field.nameRefusal = Refusal.none
  if ((octets & NAME) === 0 || field.nameLength === 0) {
    judgeOddName(field, octets)
    return
  }
  const kind = fieldOf(field.bytes, field.start, field.start + field.nameLength)
  if (kind === Field.other) return
  if (kind === LOOKALIKE) {
    field.nameRefusal = Refusal.nameLookalike
    return
  }
  field.kind = kind
  if (((1 << kind) & OF_A_CONNECTION) !== 0) field.nameRefusal = Refusal.connectionField
}

function judgeOddName(field: HeaderField, octets: number): void {
  const { bytes, start, nameLength } = field
  if (nameLength === 0) field.nameRefusal = Refusal.nameEmpty
  else if (bytes[start] === COLON) {
    // Rare: those that are defined are in the static table.
    const name = bytes.toString('latin1', start, start + nameLength)
    field.pseudo = PSEUDO_NAMES.get(name) ?? Pseudo.unknown
    if (field.pseudo === Pseudo.unknown) field.nameRefusal = Refusal.pseudoUnknown
  } else {
    const isInCapitals = (octets & NAME_IN_CAPITALS) !== 0
    field.nameRefusal = isInCapitals ? Refusal.nameUppercase : Refusal.nameInvalid
  }
}

/** Concludes, once the name is judged, from the value, of which OCTETS says `octets`. */
export function judgeValue(field: HeaderField, octets: number): void {
  field.refusal =
    field.nameRefusal === Refusal.none ? valueRefusal(field, octets) : field.nameRefusal
}

function valueRefusal(field: HeaderField, octets: number): Refusal {
  if ((octets & VALUE) === 0 && field.valueLength > 0) return Refusal.valueInvalid
  const { bytes } = field
  const start = field.start + field.nameLength + 2
  const last = start + field.valueLength - 1
  if (last >= start && (isSpace(bytes[start]!) || isSpace(bytes[last]!))) return Refusal.valuePadded
  if (field.kind === Field.te && !isTrailers(field, start)) return Refusal.teInvalid
  return Refusal.none
}

function isSpace(byte: number): boolean {
  return byte === SP || byte === HT
}

/** RFC 9113 section 8.2.2: the only value that TE may have. */
function isTrailers(field: HeaderField, start: number): boolean {
  if (field.valueLength !== TRAILERS.length) return false
  for (let i = 0; i < TRAILERS.length; i++) {
    if (lower(field.bytes[start + i]!) !== TRAILERS[i]) return false
  }
  return true
}
