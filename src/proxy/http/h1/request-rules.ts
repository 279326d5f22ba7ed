// What a request's head must be once it is read: a target that suits the method, one valid Host, framing that
// cannot be taken in two ways, and no expectation that nobody can meet.
//
// RFC 9110 and 9112 for an intermediary; each branch names its section. Paths are not normalised or judged here
// beyond their syntax: that is for policy and routing, which compare them.

import { hostEnd, sameAuthority } from '../authority.ts'
import { AT, CLASS, HEX, isDigit, PERCENT, QUESTION, SLASH, STAR } from '../characters.ts'
import { Field } from '../fields.ts'
import { Framing, type Head, TargetForm } from '../head.ts'
import { Method } from '../method.ts'
import { Refusal } from '../refusal.ts'
import {
  CLOSE,
  connectionRefusal,
  KEEP_ALIVE,
  readConnection,
  UPGRADE,
  welcomesTrailers,
} from './connection.ts'
import { readFraming } from './framing.ts'

const HOST = 1 << Field.host
const EXPECT = 1 << Field.expect
const MAX_FORWARDS = 1 << Field.maxForwards
const HTTP_PORT = 80
const HTTPS_PORT = 443
/** No default: CONNECT always names its port (RFC 9110 section 9.3.6). */
const NO_PORT = 0

/** Fills in what follows from a request's fields, or says why it is refused. */
export function judgeRequest(head: Head, percent: boolean): Refusal {
  const target = judgeTarget(head, percent)
  if (target !== Refusal.none) return target
  const host = judgeHost(head)
  if (host !== Refusal.none) return host
  const framing = readFraming(head, Framing.none)
  if (framing !== Refusal.none) return framing
  // RFC 9110 section 9.3.6 and 9.3.8: neither CONNECT nor TRACE has content, and what follows a CONNECT would
  // be read as tunnelled bytes by one recipient and as a body by another.
  const bodiless = head.method === Method.connect || head.method === Method.trace
  if (bodiless && head.framing !== Framing.none) return Refusal.bodyForbidden
  const options = readConnection(head)
  if (options < 0) return connectionRefusal(options)
  // RFC 9112 section 9.3.
  head.persistent = (options & CLOSE) === 0 && (head.minor === 1 || (options & KEEP_ALIVE) !== 0)
  // RFC 9110 section 7.8: Upgrade counts only with its connection option, and never in HTTP/1.0.
  head.upgrade = (options & UPGRADE) !== 0 && head.minor === 1 && head.has(1 << Field.upgrade)
  head.trailersWelcome = welcomesTrailers(head)
  if (head.has(MAX_FORWARDS) && !countsForwards(head)) return Refusal.maxForwardsInvalid
  return head.has(EXPECT) ? judgeExpect(head) : Refusal.none
}

/** RFC 9112 section 3.2: four forms, each for its methods. */
function judgeTarget(head: Head, percent: boolean): Refusal {
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
function judgeHost(head: Head): Refusal {
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

/** RFC 9110 section 7.6.2: one number, and only for these methods does it matter. */
function countsForwards(head: Head): boolean {
  if (head.method !== Method.options && head.method !== Method.trace) return true
  const slot = head.firsts[Field.maxForwards]! * 4
  const start = head.spans[slot + 2]!
  const end = head.spans[slot + 3]!
  let at = start
  while (at < end && isDigit(head.bytes[at]!)) at++
  return at === end && end > start && (head.repeated & MAX_FORWARDS) === 0
}

/** RFC 9110 section 10.1.1: 100-continue is the only expectation there is; HTTP/1.0 has none. */
function judgeExpect(head: Head): Refusal {
  if (head.minor === 0) return Refusal.none
  const slot = head.firsts[Field.expect]! * 4
  const start = head.spans[slot + 2]!
  const known = head.spans[slot + 3]! - start === 12 && head.reads(start, '100-continue')
  if (!known || (head.repeated & EXPECT) !== 0) return Refusal.expectUnknown
  head.expectsContinue = head.framing !== Framing.none
  return Refusal.none
}
