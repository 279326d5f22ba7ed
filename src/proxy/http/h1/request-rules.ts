// What a request's head must be once it is read: a target that suits the method, one valid Host, framing that
// cannot be taken in two ways, and no expectation that nobody can meet.
//
// RFC 9110 and 9112 for an intermediary; each branch names its section.

import { isDigit } from '../characters.ts'
import { Field } from '../fields.ts'
import { Framing, type Head } from '../head.ts'
import { Method } from '../method.ts'
import { Refusal } from '../refusal.ts'
import { judgeHost, judgeTarget } from '../target.ts'
import {
  CLOSE,
  connectionRefusal,
  KEEP_ALIVE,
  readConnection,
  UPGRADE,
  welcomesTrailers,
} from './connection.ts'
import { readFraming } from './framing.ts'

const EXPECT = 1 << Field.expect
const MAX_FORWARDS = 1 << Field.maxForwards

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
  return judgeDemands(head)
}

/** What a request asks of those on its way, once its framing is known. The same in HTTP/2. */
export function judgeDemands(head: Head): Refusal {
  if (!head.has(MAX_FORWARDS | EXPECT)) return Refusal.none
  if (head.has(MAX_FORWARDS) && !countsForwards(head)) return Refusal.maxForwardsInvalid
  return head.has(EXPECT) ? judgeExpect(head) : Refusal.none
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
