// The head of a request as it leaves for an endpoint over HTTP/1.1: without what belonged to the client's hop, with
// what belongs to this one, and with what the stages add.
//
// How its body is sent is left to the connection.

import type { Clock } from '../../lib/clock.ts'
import { Field, fieldBits, HOP_BY_HOP } from '../http/fields.ts'
import type { HeadWriter } from '../http/h1/head-writer.ts'
import {
  CHUNKED_LINE,
  TRAILERS_LINES,
  UPGRADE_LINE,
  UPGRADE_TRAILERS_LINES,
} from '../http/h1/hop-lines.ts'
import { Framing, type Head } from '../http/head.ts'
import { Method } from '../http/method.ts'
import type { Exchange } from '../stack/exchange.ts'
import { addResilienceLines, cutForResilience } from './resilience-lines.ts'

const UPGRADE = fieldBits(Field.upgrade)
const HOST = fieldBits(Field.host)
const LENGTH = fieldBits(Field.contentLength)

const EMPTY_LINE: Buffer = Buffer.from('Content-Length: 0\r\n')

/** Begins the head of the exchange's request; the caller ends it. */
export function writeRequestHead(writer: HeadWriter, exchange: Exchange, clock: Clock): void {
  const { request } = exchange
  // RFC 9110 section 7.8: an upgrade is offered again on this hop, since we can become the tunnel it asks for.
  const hop = request.upgrade ? HOP_BY_HOP & ~UPGRADE : HOP_BY_HOP
  writer.request(request, hop | exchange.requestCut | cutForResilience(exchange))
  // RFC 9112 section 3.2: HTTP/1.0 may come without a Host, HTTP/1.1 must not leave without one.
  exchange.lacksHost ||= !request.has(HOST)
  if (exchange.lacksHost) writer.add('Host', exchange.endpoint?.key ?? '')
  if (request.framing === Framing.stream) writer.addLines(CHUNKED_LINE)
  else if (lacksLength(request)) writer.addLines(EMPTY_LINE)
  if (request.upgrade) {
    writer.addLines(request.trailersWelcome ? UPGRADE_TRAILERS_LINES : UPGRADE_LINE)
  } else if (request.trailersWelcome) {
    writer.addLines(TRAILERS_LINES)
  }
  if (exchange.requestLines !== undefined) writer.addLines(exchange.requestLines)
  addResilienceLines(writer, exchange, request, clock)
}

/**
 * RFC 9110 section 8.6: with these methods a server expects to be told that there is no content, and may refuse a
 * request that does not (411). In HTTP/2 the frames have told it.
 */
function lacksLength(request: Head): boolean {
  if (!request.isStable || request.framing !== Framing.none || request.has(LENGTH)) return false
  const { method } = request
  return method === Method.post || method === Method.put || method === Method.patch
}
