// What a response's head must be once it is read, given the request it answers: which have no body whatever their
// fields say, which become a tunnel, and where the others end (RFC 9112 section 6.3).
//
// A response that is refused is not passed on at all; the client gets a 502 from whoever called.

import { Field } from '../fields.ts'
import { Framing, type Head } from '../head.ts'
import { Method } from '../method.ts'
import { Refusal } from '../refusal.ts'
import { CLOSE, connectionRefusal, KEEP_ALIVE, readConnection, UPGRADE } from './connection.ts'
import { readFraming } from './framing.ts'

/** What of a request matters to its response, as bits. */
export const Asked = { nothing: 0, head: 1, connect: 2, upgrade: 4 } as const

/** The bits of a request that was accepted. */
export function askedBy(request: Head): number {
  if (request.method === Method.head) return Asked.head
  if (request.method === Method.connect) return Asked.connect
  return request.upgrade ? Asked.upgrade : Asked.nothing
}

/** A 1xx that another response follows. */
export function isInterim(head: Head): boolean {
  return head.status < 200 && head.status !== 101
}

/** Fills in what follows from a response's fields, or says why it is refused. */
export function judgeResponse(head: Head, asked: number): Refusal {
  const framing = readFraming(head, Framing.close)
  if (framing !== Refusal.none) return framing
  const options = readConnection(head)
  if (options < 0) return connectionRefusal(options)
  head.upgrade = head.status === 101
  if (head.upgrade && !grantsUpgrade(head, asked, options)) return Refusal.switchUnasked
  const body = judgeBody(head, asked)
  if (body !== Refusal.none) return body
  const ends = head.framing === Framing.close || head.framing === Framing.tunnel
  head.persistent =
    !ends && (options & CLOSE) === 0 && (head.minor === 1 || (options & KEEP_ALIVE) !== 0)
  return Refusal.none
}

/** RFC 9110 section 15.2.2 and 7.8: only what was asked for, and saying what it is. */
function grantsUpgrade(head: Head, asked: number, options: number): boolean {
  return (
    (asked & Asked.upgrade) !== 0 &&
    head.minor === 1 &&
    (options & UPGRADE) !== 0 &&
    head.has(1 << Field.upgrade)
  )
}

/** Whether there is a body, for all that the fields say. The same in HTTP/2. */
export function judgeBody(head: Head, asked: number): Refusal {
  const status = head.status
  const tunnel = status === 101 || ((asked & Asked.connect) !== 0 && status >= 200 && status < 300)
  if (tunnel || status < 200 || status === 204) {
    // RFC 9112 section 6.1 and RFC 9110 section 8.6: these carry neither field. A length of 0 means the same to
    // everybody and is common; anything else would have another recipient wait for a body, or find one.
    if (head.framing === Framing.chunked || head.framing === Framing.length) {
      return Refusal.bodyForbidden
    }
    head.framing = tunnel ? Framing.tunnel : Framing.none
    return Refusal.none
  }
  // RFC 9112 section 6.3: the fields of these speak of a body that is not sent.
  if ((asked & Asked.head) !== 0 || status === 304) head.framing = Framing.none
  return Refusal.none
}
