// What a head received over HTTP/2 must be once it stands in the common form: what HTTP/1.1 asks of it (RFC 9110), and
// what the end of the stream says of its body (RFC 9113 section 8.1).
//
// The rules are those of the HTTP/1.1 codec wherever both have them, so that what is accepted here is accepted there.
// Fields by themselves, and pseudo-header fields, are judged before.

import { PERCENT, SLASH, STAR, TARGET, TOKEN } from '../characters.ts'
import { readFraming } from '../h1/framing.ts'
import { judgeDemands } from '../h1/request-rules.ts'
import { judgeBody } from '../h1/response-rules.ts'
import { Framing, type Head } from '../head.ts'
import { LONGEST_METHOD, Method } from '../method.ts'
import { Refusal } from '../refusal.ts'
import { runEnd } from '../runs.ts'
import { judgeHost, judgeTarget } from '../target.ts'

const SWITCHING = 101

/** `isEnd`: the stream ends with the head. */
export function judgeRequestHead(head: Head, isEnd: boolean): Refusal {
  const line = judgeLine(head)
  if (line !== Refusal.none) return line
  const host = judgeHost(head)
  if (host !== Refusal.none) return host
  const framing = readEnd(head, isEnd)
  if (framing !== Refusal.none) return framing
  if (head.method === Method.connect) {
    // RFC 9113 section 8.5: what follows is the tunnel's, and a length would have it be content.
    if (head.framing === Framing.length) return Refusal.bodyForbidden
    head.framing = Framing.none
  } else if (head.method === Method.trace && head.framing !== Framing.none) {
    // RFC 9110 section 9.3.8.
    return Refusal.bodyForbidden
  }
  return isEnd && head.framing !== Framing.none ? Refusal.lengthMismatch : judgeDemands(head)
}

/** A method and a target as HTTP/1.1 has them in its first line. */
function judgeLine(head: Head): Refusal {
  const { view, start, methodEnd, targetStart, targetEnd } = head
  if (methodEnd - start > LONGEST_METHOD) return Refusal.methodTooLong
  const isToken = methodEnd > start && runEnd(view, start, methodEnd, TOKEN) === methodEnd
  if (!isToken) return Refusal.methodInvalid
  let hasPercent = false
  let at = runEnd(view, targetStart, targetEnd, TARGET)
  while (at < targetEnd && head.bytes[at] === PERCENT) {
    hasPercent = true
    at = runEnd(view, at + 1, targetEnd, TARGET)
  }
  if (at < targetEnd || at === targetStart) return Refusal.targetInvalid
  // RFC 9113 section 8.3.1: the path and query, or `*`. Of the other forms only CONNECT has one, from its authority.
  const first = head.bytes[targetStart]
  const isPath = first === SLASH || first === STAR || head.method === Method.connect
  return isPath ? judgeTarget(head, hasPercent) : Refusal.targetForm
}

/** `asked` as in h1/response-rules.ts. */
export function judgeResponseHead(head: Head, asked: number, isEnd: boolean): Refusal {
  // RFC 9113 section 8.6: there are no upgrades.
  if (head.status === SWITCHING) return Refusal.switchUnasked
  // Section 8.1: the response proper must follow.
  if (head.status < 200 && isEnd) return Refusal.headTruncated
  const framing = readEnd(head, isEnd)
  if (framing !== Refusal.none) return framing
  const body = judgeBody(head, asked)
  if (body !== Refusal.none) return body
  return isEnd && head.framing === Framing.length ? Refusal.lengthMismatch : Refusal.none
}

/** Without a length the stream's end is the body's. */
function readEnd(head: Head, isEnd: boolean): Refusal {
  head.contentLength = NaN
  return readFraming(head, isEnd ? Framing.none : Framing.stream)
}
