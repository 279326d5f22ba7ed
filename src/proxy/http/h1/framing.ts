// Content-Length and Transfer-Encoding: the two fields that say where a message ends (RFC 9112 section 6).
//
// Wherever two implementations could come to different ends, the message is refused: that is what request smuggling
// is made of (section 11.2). Which messages have no body at all is left to the rules of requests and responses.

import { CLASS, COMMA, isDigit, SEMICOLON, TOKEN, ZERO } from '../characters.ts'
import { Field } from '../fields.ts'
import { Framing, type Head } from '../head.ts'
import { Refusal } from '../refusal.ts'
import { skipSpace } from './connection.ts'

const LENGTH = 1 << Field.contentLength
const CODING = 1 << Field.transferEncoding

/** Sets framing and length from the fields alone; `fallback` is the framing without either of them. */
export function readFraming(head: Head, fallback: Framing): Refusal {
  const seen = head.seen & (LENGTH | CODING)
  head.framing = fallback
  if (seen === 0) return Refusal.none
  // Section 6.1: a coding in an HTTP/1.0 message is faulty framing, and an intermediary of 1.0 may have let it pass.
  if ((seen & CODING) !== 0 && head.minor === 0) return Refusal.codingInHttp10
  // Section 6.3: a sender may not send both; which of them counts differs between implementations.
  if (seen === (LENGTH | CODING)) return Refusal.lengthWithCoding
  return seen === CODING ? readCoding(head) : readLength(head)
}

function readLength(head: Head): Refusal {
  // Section 6.3 lets a repeated length pass if all values agree, which is a repair.
  if ((head.repeated & LENGTH) !== 0) return Refusal.lengthRepeated
  const slot = head.firsts[Field.contentLength]! * 4
  const length = decimal(head.bytes, head.spans[slot + 2]!, head.spans[slot + 3]!)
  if (length < 0) return Refusal.lengthInvalid
  head.framing = length === 0 ? Framing.none : Framing.length
  head.contentLength = length
  return Refusal.none
}

/** RFC 9110 section 8.6: digits, nothing else. -1 for anything else, or what a double cannot count. */
function decimal(bytes: Buffer, start: number, end: number): number {
  let value = 0
  if (start === end) return -1
  for (let at = start; at < end; at++) {
    if (!isDigit(bytes[at]!)) return -1
    value = value * 10 + bytes[at]! - ZERO
    if (value > Number.MAX_SAFE_INTEGER) return -1
  }
  return value
}

function readCoding(head: Head): Refusal {
  if ((head.repeated & CODING) !== 0) return Refusal.codingInvalid
  const slot = head.firsts[Field.transferEncoding]! * 4
  const start = head.spans[slot + 2]!
  const end = head.spans[slot + 3]!
  if (!isChunked(head, start, end)) return otherCoding(head, start, end)
  head.framing = Framing.chunked
  return Refusal.none
}

function isChunked(head: Head, start: number, end: number): boolean {
  return end - start === 7 && head.reads(start, 'chunked')
}

/**
 * Section 6.1: a coding that is not known, with chunked after it, is a 501. Section 6.3: without a final chunked
 * the end cannot be known, a 400; and so is a list that breaks the grammar or holds chunked twice.
 */
function otherCoding(head: Head, start: number, end: number): Refusal {
  let at = start
  for (;;) {
    const token = at
    while (at < end && (CLASS[head.bytes[at]!]! & TOKEN) !== 0) at++
    if (at === token) return Refusal.codingInvalid
    const chunked = isChunked(head, token, at)
    at = skipSpace(head.bytes, at, end)
    if (at === end) return chunked ? Refusal.codingUnknown : Refusal.codingInvalid
    if (chunked) return Refusal.codingInvalid
    if (head.bytes[at] === SEMICOLON) while (at < end && head.bytes[at] !== COMMA) at++
    if (at === end || head.bytes[at] !== COMMA) return Refusal.codingInvalid
    at = skipSpace(head.bytes, at + 1, end)
  }
}
