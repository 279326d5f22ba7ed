// The fields that the codec or a proxy around it looks at, recognised from their bytes without making a string.
//
// A name's length and first letter pick at most a few candidates from a table, which are then compared byte for
// byte without regard to case. What the fields mean is left to the rules; any other field is found by `Head.find`.

export const Field = {
  other: 0,
  host: 1,
  contentLength: 2,
  transferEncoding: 3,
  connection: 4,
  keepAlive: 5,
  proxyConnection: 6,
  te: 7,
  upgrade: 8,
  http2Settings: 9,
  expect: 10,
  trailer: 11,
  maxForwards: 12,
  via: 13,
  forwarded: 14,
  xForwardedFor: 15,
  xForwardedProto: 16,
  xForwardedHost: 17,
  cookie: 18,
  setCookie: 19,
  authorization: 20,
  contentType: 21,
  traceparent: 22,
  tracestate: 23,
  b3: 24,
  xB3Traceid: 25,
  xRequestId: 26,
  proxyStatus: 27,
  xEnvoyExpectedRqTimeoutMs: 28,
  grpcTimeout: 29,
  xEnvoyAttemptCount: 30,
} as const

export type Field = (typeof Field)[keyof typeof Field]

/** What {@link fieldOf} says of a name that reads as a framing field to software that takes `_` for `-`. */
export const LOOKALIKE = -1

const LONGEST = 31
const UNDERSCORE = 0x5f
const DASH = 0x2d

/** Lower-case names by code. */
export const FIELD_NAMES: readonly string[] = Object.keys(Field).map((key) =>
  key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
)

const NAMES: readonly Uint8Array[] = FIELD_NAMES.map((name) => Buffer.from(name, 'latin1'))

/** By length and the low five bits of the first letter: the first candidate; NEXT leads to the others. */
const FIRST = new Uint8Array((LONGEST + 1) * 32)
const NEXT = new Uint8Array(NAMES.length)

for (let code = NAMES.length - 1; code > 0; code--) {
  const name = NAMES[code]!
  const slot = name.length * 32 + (name[0]! & 31)
  NEXT[code] = FIRST[slot]!
  FIRST[slot] = code
}

/** The code of the field named by these bytes (which must be a token), or {@link LOOKALIKE}. */
export function fieldOf(bytes: Buffer, start: number, end: number): Field | typeof LOOKALIKE {
  const length = end - start
  if (length > LONGEST) return Field.other
  let code = FIRST[length * 32 + (bytes[start]! & 31)]!
  while (code !== 0) {
    const match = compare(bytes, start, NAMES[code]!)
    if (match === 0) return code as Field
    if (match === UNDERSCORE && isFraming(code)) return LOOKALIKE
    code = NEXT[code]!
  }
  return Field.other
}

/** 0 if equal but for case, an underscore's code if equal but for case and underscores, else 1. */
function compare(bytes: Buffer, start: number, name: Uint8Array): number {
  let result = 0
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[start + i]!
    if ((byte | 0x20) === name[i]) continue
    if (byte !== UNDERSCORE || name[i] !== DASH) return 1
    result = UNDERSCORE
  }
  return result
}

function isFraming(code: number): boolean {
  return code === Field.contentLength || code === Field.transferEncoding
}

/** A set of fields as bits, to be tested against `Head.seen` or given to a writer. */
export function fieldBits(...fields: readonly Field[]): number {
  return fields.reduce<number>((bits, field) => bits | (1 << field), 0)
}

/**
 * What RFC 9110 section 7.6.1 takes out of every message that is forwarded, besides the fields that Connection
 * names. Transfer-Encoding stays, because the chunks are forwarded as they came; a caller that decodes them adds it.
 */
export const HOP_BY_HOP: number = fieldBits(
  Field.connection,
  Field.keepAlive,
  Field.proxyConnection,
  Field.te,
  Field.upgrade,
  Field.http2Settings,
)
