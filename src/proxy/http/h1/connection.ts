// The Connection field (RFC 9110 section 7.6.1): what this connection's own options are, and which other fields
// belong to this hop only. TE is read here too, because it is one of those.
//
// A sender that names a field which decides where a message ends or who it is for would have the next hop see
// another message than this one; such a message is refused.

import { CLASS, COMMA, HT, SEMICOLON, SP, TOKEN } from '../characters.ts'
import { Field, fieldBits, fieldOf, HOP_BY_HOP, LOOKALIKE } from '../fields.ts'
import type { Head } from '../head.ts'
import { lower } from '../head.ts'
import { Refusal } from '../refusal.ts'

export const CLOSE = 1
export const KEEP_ALIVE = 2
export const UPGRADE = 4
/** Returned for a field that cannot be accepted; the reason is {@link connectionRefusal}. */
const WRONG_SYNTAX = -1
const WRONG_NAME = -2

/** Every option may name a field, and each is looked for among all fields. */
const MOST_OPTIONS = 32

const PROTECTED = fieldBits(
  Field.host,
  Field.contentLength,
  Field.transferEncoding,
  Field.connection,
  // Without it the server would not send the 100 that the client waits for.
  Field.expect,
)

/** The options as bits; marks the fields they name as nominated. Negative if the field is refused. */
export function readConnection(head: Head): number {
  if ((head.seen & (1 << Field.connection)) === 0) return 0
  let options = 0
  let room = MOST_OPTIONS
  for (let i = head.firsts[Field.connection]!; i < head.count; i++) {
    if (head.kinds[i] !== Field.connection) continue
    const bytes = head.bytes
    const end = head.spans[i * 4 + 3]!
    let at = skipToElement(bytes, head.spans[i * 4 + 2]!, end)
    while (at < end) {
      const start = at
      while (at < end && (CLASS[bytes[at]!]! & TOKEN) !== 0) at++
      if (at === start || room-- === 0) return WRONG_SYNTAX
      const option = readOption(head, start, at)
      if (option < 0) return option
      options |= option
      at = skipSpace(bytes, at, end)
      if (at < end && bytes[at] !== COMMA) return WRONG_SYNTAX
      at = skipToElement(bytes, at, end)
    }
  }
  return options
}

export function connectionRefusal(result: number): Refusal {
  return result === WRONG_NAME ? Refusal.connectionNamesProtected : Refusal.connectionInvalid
}

function readOption(head: Head, start: number, end: number): number {
  const kind = fieldOf(head.bytes, start, end)
  if (kind === Field.keepAlive) return KEEP_ALIVE
  if (kind === Field.upgrade) return UPGRADE
  if (kind === LOOKALIKE) return WRONG_NAME
  if (kind === Field.other) {
    if (end - start === 5 && head.reads(start, 'close')) return CLOSE
    nominateByName(head, start, end)
    return 0
  }
  if ((PROTECTED & (1 << kind)) !== 0) return WRONG_NAME
  if ((HOP_BY_HOP & (1 << kind)) === 0) nominateByKind(head, kind)
  return 0
}

function nominateByKind(head: Head, kind: number): void {
  if ((head.seen & (1 << kind)) === 0) return
  for (let i = head.firsts[kind]!; i < head.count; i++) {
    if (head.kinds[i] === kind) nominate(head, i)
  }
}

function nominateByName(head: Head, start: number, end: number): void {
  for (let i = 0; i < head.count; i++) {
    if (head.kinds[i] !== Field.other) continue
    const name = head.spans[i * 4]!
    if (head.spans[i * 4 + 1]! - name !== end - start) continue
    if (sameName(head.bytes, name, start, end)) nominate(head, i)
  }
}

function nominate(head: Head, index: number): void {
  head.nominated[index] = 1
  head.anyNominated = true
}

function sameName(bytes: Buffer, name: number, start: number, end: number): boolean {
  for (let i = 0; i < end - start; i++) {
    if (lower(bytes[name + i]!) !== lower(bytes[start + i]!)) return false
  }
  return true
}

/** RFC 9110 section 10.1.4: whether some TE field has `trailers` among its elements. */
export function welcomesTrailers(head: Head): boolean {
  if ((head.seen & (1 << Field.te)) === 0) return false
  for (let i = head.firsts[Field.te]!; i < head.count; i++) {
    if (head.kinds[i] !== Field.te) continue
    if (hasTrailers(head, head.spans[i * 4 + 2]!, head.spans[i * 4 + 3]!)) return true
  }
  return false
}

function hasTrailers(head: Head, from: number, end: number): boolean {
  const bytes = head.bytes
  let at = skipToElement(bytes, from, end)
  while (at < end) {
    const start = at
    while (at < end && bytes[at] !== COMMA && bytes[at] !== SEMICOLON && bytes[at] !== SP) at++
    if (at - start === 8 && head.reads(start, 'trailers')) return true
    while (at < end && bytes[at] !== COMMA) at++
    at = skipToElement(bytes, at, end)
  }
  return false
}

export function skipSpace(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && (bytes[at] === SP || bytes[at] === HT)) at++
  return at
}

/** RFC 9110 section 5.6.1.2: empty list elements are allowed and mean nothing. */
function skipToElement(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end && (bytes[at] === SP || bytes[at] === HT || bytes[at] === COMMA)) at++
  return at
}
