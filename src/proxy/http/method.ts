// Request methods as small integers. Any token is a method (RFC 9110 section 9.1); the ones here have meaning to an
// intermediary or are common, all others are `other` and told apart by their bytes. Methods are case-sensitive.

export const Method = {
  other: 0,
  get: 1,
  head: 2,
  post: 3,
  put: 4,
  delete: 5,
  connect: 6,
  options: 7,
  trace: 8,
  patch: 9,
} as const

export type Method = (typeof Method)[keyof typeof Method]

/** No registered method comes near this length; a longer one is refused. */
export const LONGEST_METHOD = 32

/** Names by code; `other` has none. */
export const METHOD_NAMES: readonly string[] = Object.keys(Method).map((key) =>
  key === 'other' ? '' : key.toUpperCase(),
)

const NAMES: readonly Uint8Array[] = METHOD_NAMES.map((name) => Buffer.from(name, 'latin1'))

/** By first letter's low five bits and length. No two methods here share both. */
const BY_SHAPE = new Uint8Array(32 * 8)
for (let code = 1; code < NAMES.length; code++)
  BY_SHAPE[shape(NAMES[code]!, 0, NAMES[code]!.length)] = code

function shape(bytes: Uint8Array, start: number, length: number): number {
  return (bytes[start]! & 31) * 8 + length
}

export function methodOf(bytes: Buffer, start: number, end: number): Method {
  const length = end - start
  if (length > 7) return Method.other
  const code = BY_SHAPE[shape(bytes, start, length)]!
  const name = NAMES[code]!
  for (let i = 0; i < name.length; i++) {
    if (bytes[start + i] !== name[i]) return Method.other
  }
  return code as Method
}

const SAFE: readonly boolean[] = METHOD_NAMES.map((name) =>
  ['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(name),
)

/** RFC 9110 section 9.2.1: it asks for no change, so that asking twice does no harm. */
export function isSafe(method: Method): boolean {
  return SAFE[method] === true
}
