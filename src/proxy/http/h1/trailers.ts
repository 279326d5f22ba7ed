// The trailer section after the last chunk (RFC 9112 section 7.1.2), read as a head without a first line.
//
// Fields that frame, route, authenticate or modify a message, or describe its content, have done their work when
// trailers arrive; one that merged them into the head would read another message (RFC 9110 section 6.5.1). Such
// trailers are refused, so nothing of the section is sound before all of it was read.

import { Field, fieldBits } from '../fields.ts'
import type { Head } from '../head.ts'
import type { Limits } from '../limits.ts'
import { Refusal } from '../refusal.ts'
import { FieldSection } from './field-section.ts'
import { HeadParser, type StartLine } from './head-parser.ts'

/** The recognised ones of them, as bits. */
export const FORBIDDEN_KINDS: number = fieldBits(
  Field.host,
  Field.contentLength,
  Field.transferEncoding,
  Field.connection,
  Field.keepAlive,
  Field.proxyConnection,
  Field.te,
  Field.upgrade,
  Field.http2Settings,
  Field.expect,
  Field.trailer,
  Field.maxForwards,
  Field.via,
  Field.forwarded,
  Field.xForwardedFor,
  Field.xForwardedProto,
  Field.xForwardedHost,
  Field.cookie,
  Field.setCookie,
  Field.authorization,
  Field.contentType,
)

const FORBIDDEN_NAMES: readonly string[] = [
  'age',
  'cache-control',
  'content-encoding',
  'content-location',
  'content-range',
  'date',
  'expires',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'location',
  'pragma',
  'proxy-authenticate',
  'proxy-authorization',
  'range',
  'retry-after',
  'vary',
  'warning',
  'www-authenticate',
]

/** Most names can be told from these by their length. */
const FORBIDDEN_LENGTHS = FORBIDDEN_NAMES.reduce((bits, { length }) => bits | (1 << length), 0)
const LONGEST = Math.max(...FORBIDDEN_NAMES.map(({ length }) => length))

/** Stands where a head has its first line: the fields begin at once. */
class NoLine implements StartLine {
  readonly refusal: Refusal = Refusal.none
  idle = true

  get untouched(): boolean {
    return this.idle
  }

  begin(): void {
    this.idle = true
  }

  scan(head: Head, bytes: Buffer, from: number): number {
    head.begin(bytes, from)
    head.fieldsStart = from
    this.idle = false
    return from
  }
}

export function trailerParser(limits: Limits): HeadParser {
  const fields = new FieldSection(
    Math.min(limits.field, limits.trailer),
    limits.trailer,
    limits.fields,
    Refusal.trailerTooLarge,
  )
  return new HeadParser(new NoLine(), fields)
}

export function judgeTrailers(trailers: Head): Refusal {
  if (trailers.has(FORBIDDEN_KINDS)) return Refusal.trailerForbidden
  const { spans, count } = trailers
  for (let i = 0; i < count; i++) {
    const start = spans[i * 4]!
    if (isForbidden(trailers, start, spans[i * 4 + 1]! - start)) return Refusal.trailerForbidden
  }
  return Refusal.none
}

function isForbidden(trailers: Head, start: number, length: number): boolean {
  if (length > LONGEST || (FORBIDDEN_LENGTHS & (1 << length)) === 0) return false
  for (const name of FORBIDDEN_NAMES) {
    if (name.length === length && trailers.reads(start, name)) return true
  }
  return false
}
