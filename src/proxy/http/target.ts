// What a request asks for, and of whom: a target that suits the method, one valid Host, and no contradiction between
// the two.
//
// The rules of HTTP/1.1 (RFC 9112 section 3.2). A request of HTTP/2 is held to them in the common form, so that whatever
// is accepted can go on as HTTP/1.1. Paths are not normalised or judged beyond their syntax: that is for policy and
// routing, which compare them.

import { hostEnd, sameAuthority } from './authority.ts'
import { AT, CLASS, HEX, PERCENT, QUESTION, SLASH, STAR } from './characters.ts'
import { Field } from './fields.ts'
import { type Head, TargetForm } from './head.ts'
import { Method } from './method.ts'
import { Refusal } from './refusal.ts'

const HOST = 1 << Field.host
export const HTTP_PORT = 80
export const HTTPS_PORT = 443
/** No default: CONNECT always names its port (RFC 9110 section 9.3.6). */
export const NO_PORT = 0

/** RFC 9112 section 3.2: four forms, each for its methods. `percent`: there may be percent signs to look at. */
export function judgeTarget(head: Head, percent: boolean): Refusal {
  const first = head.bytes[head.targetStart]
  if (head.method === Method.connect) return judgeAuthorityForm(head)
  if (first === SLASH) {
    head.targetForm = TargetForm.origin
    return percent ? judgePercents(head, head.targetStart) : Refusal.none
  }
  if (first === STAR && head.targetEnd - head.targetStart === 1) {
    head.targetForm = TargetForm.asterisk
    return head.method === Method.options ? Refusal.none : Refusal.targetForm
  }
  return judgeAbsoluteForm(head, percent)
}

/** Section 3.2.3: host and port, nothing else. */
function judgeAuthorityForm(head: Head): Refusal {
  const end = hostEnd(head, head.targetStart, head.targetEnd)
  if (end < 0 || end === head.targetEnd) return Refusal.targetForm
  head.targetForm = TargetForm.authority
  head.authorityStart = head.targetStart
  head.authorityEnd = head.targetEnd
  return Refusal.none
}

/** Section 3.2.2: an http or https URI with an authority. */
function judgeAbsoluteForm(head: Head, percent: boolean): Refusal {
  const start = head.targetStart + schemeLength(head)
  if (start === head.targetStart) return Refusal.targetForm
  let at = start
  while (at < head.targetEnd && !endsAuthority(head.bytes[at]!)) at++
  if (head.bytes[at] === AT || hostEnd(head, start, at) < 0) return Refusal.targetForm
  head.targetForm = TargetForm.absolute
  head.authorityStart = start
  head.authorityEnd = at
  return percent ? judgePercents(head, at) : Refusal.none
}

function schemeLength(head: Head): number {
  const length = head.targetEnd - head.targetStart
  if (length > 7 && head.reads(head.targetStart, 'http://')) return 7
  return length > 8 && head.reads(head.targetStart, 'https://') ? 8 : 0
}

function endsAuthority(byte: number): boolean {
  return byte === SLASH || byte === QUESTION || byte === AT
}

/** RFC 3986 section 2.1, in the path. A query may hold a percent sign by itself: browsers send it. */
function judgePercents(head: Head, from: number): Refusal {
  const bytes = head.bytes
  for (let at = from; at < head.targetEnd && bytes[at] !== QUESTION; at++) {
    if (bytes[at] !== PERCENT) continue
    if (at + 2 >= head.targetEnd) return Refusal.targetInvalid
    if ((CLASS[bytes[at + 1]!]! & CLASS[bytes[at + 2]!]! & HEX) === 0) return Refusal.targetInvalid
  }
  return Refusal.none
}

/** RFC 9112 section 3.2: in HTTP/1.1 exactly one valid Host; a target with an authority may not contradict it. */
export function judgeHost(head: Head): Refusal {
  if ((head.seen & HOST) === 0) return head.minor === 0 ? Refusal.none : Refusal.hostMissing
  if ((head.repeated & HOST) !== 0) return Refusal.hostRepeated
  const slot = head.firsts[Field.host]! * 4
  const start = head.spans[slot + 2]!
  const end = head.spans[slot + 3]!
  if (hostEnd(head, start, end) < 0) return Refusal.hostInvalid
  if (head.authorityStart === head.authorityEnd) {
    head.authorityStart = start
    head.authorityEnd = end
    return Refusal.none
  }
  const port = defaultPort(head)
  // Section 3.2.2 has a proxy believe the target and replace Host; a server behind it might believe the other.
  return sameAuthority(head, head.authorityStart, head.authorityEnd, start, end, port)
    ? Refusal.none
    : Refusal.hostMismatch
}

function defaultPort(head: Head): number {
  if (head.targetForm !== TargetForm.absolute) return NO_PORT
  return head.authorityStart - head.targetStart === 7 ? HTTP_PORT : HTTPS_PORT
}
