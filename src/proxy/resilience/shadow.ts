// The bytes of a request's copy for a mirror: as it was sent, but to a host of another name.
//
// They are a request of HTTP/1.1 whatever the original came as. The original's bytes lie in buffers that are used
// again, so that everything is copied. When a copy is made, and what becomes of it, is left to the callers.

import { isIP } from 'node:net'
import { hostEnd } from '../http/authority.ts'
import { Field, fieldBits, HOP_BY_HOP } from '../http/fields.ts'
import { Event } from '../http/h1/event.ts'
import { HeadWriter } from '../http/h1/head-writer.ts'
import { TRAILERS_LINES } from '../http/h1/hop-lines.ts'
import { RequestReader } from '../http/h1/request-reader.ts'
import { Framing, type Head, TargetForm } from '../http/head.ts'
import { DEFAULT_LIMITS } from '../http/limits.ts'
import type { Exchange } from '../stack/exchange.ts'

/** By this an application can tell a copy, as users of other proxies know it. */
const SUFFIX: Buffer = Buffer.from('-shadow')
const HOST = fieldBits(Field.host)
const TRAILER = fieldBits(Field.trailer)
const LENGTH_LINE: Buffer = Buffer.from('Content-Length: ')
const END: Buffer = Buffer.from('\r\n')
const BRACKET = 0x5d
const NOTHING: Buffer = Buffer.alloc(0)

/** All of the request was sent, and is kept. */
export function isWhole({ kept, requestEnded, isReplayable }: Exchange): boolean {
  return kept !== undefined || (requestEnded && isReplayable)
}

/** Makes copies, one after the other, with one reader and one writer. */
export class Shadows {
  readonly #reader: RequestReader = new RequestReader(DEFAULT_LIMITS)
  readonly #writer: HeadWriter = new HeadWriter()

  /** Of a request that {@link isWhole}. Undefined if its head cannot take a longer name. */
  copy(exchange: Exchange): Buffer | undefined {
    const bytes = this.#copy(exchange)
    this.#reader.release()
    this.#writer.rest()
    return bytes
  }

  #copy(exchange: Exchange): Buffer | undefined {
    const { kept, replay } = exchange
    const body = replay?.body ?? NOTHING
    const sent = kept ?? this.#asSent(exchange, body.length)
    const head = sent && this.#read(sent)
    if (head === undefined) return undefined
    return renamed(head, kept?.subarray(head.end) ?? body)
  }

  #read(bytes: Buffer): Head | undefined {
    const reader = this.#reader
    reader.restart()
    return reader.read(bytes, 0, bytes.length) === Event.head ? reader.head : undefined
  }

  /**
   * What was kept is the head as it came: to be told apart from others in a trace it needs what was added. One that
   * came over HTTP/2 may say nothing of its body, which is at hand as a whole now. Trailers that followed it are not
   * copied: few servers look for them, and a length leaves no room for them.
   */
  #asSent(
    { request, replay, requestCut, requestLines, lastEndpoint }: Exchange,
    length: number,
  ): Buffer | undefined {
    const head = request.isStable ? request : replay && this.#read(replay.head)
    if (head === undefined) return undefined
    const writer = this.#writer
    const isUnframed = head.framing === Framing.stream
    writer.request(head, HOP_BY_HOP | requestCut | (isUnframed ? TRAILER : 0))
    // RFC 9112 section 3.2: HTTP/1.0 may come without a Host, HTTP/1.1 must not leave without one.
    if (!head.has(HOST)) writer.add('Host', lastEndpoint?.key ?? 'unknown')
    if (isUnframed) writer.addNumber(LENGTH_LINE, length, END)
    if (head.trailersWelcome) writer.addLines(TRAILERS_LINES)
    if (requestLines !== undefined) writer.addLines(requestLines)
    return writer.finish()
  }
}

/** The head and the body in one, with the longer name in Host, and in a target that names the host too. */
function renamed(head: Head, body: Buffer): Buffer {
  const { bytes, start, end } = head
  const inTarget =
    head.targetForm === TargetForm.absolute
      ? nameEnd(head, head.authorityStart, head.authorityEnd)
      : -1
  const slot = head.indexOf(Field.host) * 4
  const inField = nameEnd(head, head.spans[slot + 2] ?? 0, head.spans[slot + 3] ?? 0)
  const pieces: Buffer[] = []
  let from = start
  for (const at of [inTarget, inField]) {
    if (at < 0) continue
    pieces.push(bytes.subarray(from, at), SUFFIX)
    from = at
  }
  pieces.push(bytes.subarray(from, end), body)
  return Buffer.concat(pieces)
}

/** Where the host's name ends; -1 for an address, which has no name to add to. */
function nameEnd(head: Head, start: number, end: number): number {
  const at = hostEnd(head, start, end)
  if (at < 0 || head.bytes[at - 1] === BRACKET || isIP(head.text(start, at)) !== 0) return -1
  return at
}
