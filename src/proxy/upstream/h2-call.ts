// One request and its response on a stream of an HTTP/2 connection to an endpoint.
//
// A request leaves as it is given: who gives it has found it sound. A response goes to the client's side once all of
// it that one read brought was found sound; what the client does not take for now stays with the stream, whose window
// then holds the endpoint back and nobody else. Calls are used again for one request after another. Which stream a
// request gets, and what becomes of one that failed, is left to the connection, the pool and the stages above.

import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { Field, fieldBits } from '../http/fields.ts'
import { Body } from '../http/h1/body.ts'
import { Event } from '../http/h1/event.ts'
import type { H2Stream } from '../http/h2/h2-stream.ts'
import { H2Error } from '../http/h2/protocol.ts'
import type { StreamReceiver, StreamReset } from '../http/h2/stream-receiver.ts'
import { Framing, type Head, TargetForm } from '../http/head.ts'
import type { Limits } from '../http/limits.ts'
import { Method } from '../http/method.ts'
import type { SliceTap } from '../http/slices.ts'
import type { Connection } from '../net/connection.ts'
import type { ByteCounters } from '../net/relay.ts'
import { type Exchange, NO_GRPC_STATUS, type Upstream } from '../stack/exchange.ts'
import { grpcStatusOf } from '../stack/grpc.ts'
import { StreamConnection } from '../stack/stream-connection.ts'
import { addResilienceLines, cutForResilience } from './resilience-lines.ts'

const HOST = fieldBits(Field.host)
/** A request that was given up after so long without a byte on its connection may have met a dead one. */
const SUSPICIOUS_SILENCE: Millis = 1000

/** What the calls of a connection share. */
export interface CallHost {
  readonly clock: Clock
  readonly limits: Limits
  readonly counters: ByteCounters
  readonly carrier: Connection
  /** Writes to the socket so far, and reads. */
  readonly writes: number
  readonly reads: number
  headers(exchange: Exchange): void
  ended(exchange: Exchange, error: ErrorCode | undefined): void
  /** A request was given up for which nothing at all came of the connection, for a while. */
  silent(): void
  /** The call carries nothing any more. */
  freed(call: H2Call): void
}

export class H2Call implements Upstream, StreamReceiver, SliceTap {
  readonly copies = true
  readonly #host: CallHost
  #stream: H2Stream | undefined
  #exchange: Exchange | undefined
  /** Takes the chunks off a request of HTTP/1.1. Made for the first that has them. */
  #chunks: Body | undefined
  #isChunked = false
  #requestEnded = false
  /** The client's side was told that no more is wanted for now. */
  #isFull = false
  /** The response's head was passed up, and all of it was given. */
  #hasHead = false
  #responseEnded = false
  /** The endpoint has broken the response off: why, once what there is of it was passed up. */
  #brokenOff: string | undefined
  /** The client does not take what was given last, which must stay where it is. */
  #isHeldBack = false
  /** The writes that there had been when it began: as long as there is no other, nothing of it has left. */
  #writes = 0
  /** The reads that there had been. */
  #reads = 0
  /** The exchange knows the time: its head was in the bytes that are being read. */
  #isTimely = false

  constructor(host: CallHost) {
    this.#host = host
    this.#stream = undefined
    this.#exchange = undefined
    this.#chunks = undefined
    this.#brokenOff = undefined
  }

  /** Begins with a request on a new stream. Only when it is free. */
  carry(exchange: Exchange, stream: H2Stream, wasReused: boolean): void {
    const { request } = exchange
    this.#exchange = exchange
    this.#stream = stream
    this.#isChunked = request.framing === Framing.chunked
    this.#requestEnded = false
    this.#hasHead = false
    this.#responseEnded = false
    this.#brokenOff = undefined
    this.#isFull = false
    this.#isHeldBack = false
    this.#isTimely = false
    this.#writes = this.#host.writes
    this.#reads = this.#host.reads
    exchange.wasReused = wasReused
    exchange.upstream = this
    exchange.sent += 1
    exchange.requestEnded = false
    if (this.#isChunked) this.#expectChunks(request)
    this.#writeHead(exchange, stream, request)
    // What follows the head of a CONNECT is no body, and nothing of it comes before the answer.
    const isAll = request.framing === Framing.none && request.method !== Method.connect
    if (!stream.sendHead(isAll)) {
      this.#fail(exchange, 'internal', 'a head that cannot be sent')
      return
    }
    // Sent, it is nowhere at hand, and an endpoint may refuse it (RFC 9113 section 8.7).
    exchange.keepForReplay()
    exchange.downstream.ready()
  }

  body(bytes: Buffer, start: number, end: number): void {
    if (this.#requestEnded) return
    if (this.#isChunked) this.#unchunk(bytes, start, end)
    else this.#stream?.sendData(bytes, start, end)
  }

  trailers(fields: Head): void {
    this.#stream?.sendTrailers(fields, undefined)
  }

  end(): void {
    const exchange = this.#exchange
    if (exchange === undefined || this.#requestEnded) return
    this.#requestEnded = true
    exchange.requestEnded = true
    if (exchange.request.method === Method.connect) return
    const fields = this.#isChunked ? this.#chunks?.trailers : undefined
    if (fields !== undefined && fields.count > 0) this.#stream?.sendTrailers(fields, undefined)
    else this.#stream?.sendEnd()
  }

  flush(): boolean {
    this.#isFull = this.#stream?.isWritable === false
    return !this.#isFull
  }

  resume(): void {
    if (!this.#isHeldBack) return
    this.#isHeldBack = false
    const exchange = this.#exchange
    const stream = this.#stream
    if (exchange === undefined || stream === undefined) return
    stream.consumed()
    if (this.#responseEnded) this.#finish(exchange)
    else this.#pass(exchange, stream)
  }

  cancel(): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    const host = this.#host
    const isSilent =
      this.#reads === host.reads && host.clock.now() - exchange.sentAt >= SUSPICIOUS_SILENCE
    this.#detach(exchange)
    if (isSilent) host.silent()
  }

  /** The connection is kept in any case, and reading on would be dearer than saying so. */
  abandon(): void {
    this.cancel()
  }

  onHead(stream: H2Stream, head: Head): void {
    const exchange = this.#exchange
    if (exchange === undefined || stream !== this.#stream) return
    if (head.status < 200) {
      exchange.downstream.interim(head)
      return
    }
    this.#hasHead = true
    this.#isTimely = true
    exchange.now = this.#host.clock.now()
    exchange.status = head.status
    exchange.response = head
    exchange.responseBytes += head.end - head.start
    // Where nothing follows, the head has what trailers would have ("trailers-only").
    if (exchange.isGrpc) {
      exchange.grpcStatus = stream.remoteEnded ? grpcStatusOf(head) : NO_GRPC_STATUS
    }
    const { id } = stream
    this.#host.headers(exchange)
    // A stage above took the attempt back; it may have been sent again already, with this very call.
    if (this.#stream !== stream || stream.id !== id) return
    if (head.framing === Framing.tunnel) this.#tunnel(exchange, stream)
  }

  onRead(stream: H2Stream): void {
    const exchange = this.#exchange
    if (exchange === undefined || stream !== this.#stream) return
    if (!this.#isHeldBack) this.#pass(exchange, stream)
    this.#isTimely = false
  }

  onWritable(stream: H2Stream): void {
    if (stream !== this.#stream) return
    this.#isFull = false
    this.#exchange?.downstream.resume()
  }

  onReset(stream: H2Stream, reset: StreamReset): void {
    const exchange = this.#exchange
    if (exchange === undefined || stream !== this.#stream) return
    if (stream.remoteEnded) {
      // RFC 9113 section 8.1: the answer is there, whatever became of the rest of the request.
      this.#requestEnded = true
      this.#passLast(exchange, stream)
      return
    }
    const { by, code, details, isUnprocessed } = reset
    exchange.resetCode = by === 'peer' ? code : H2Error.none
    if (by === 'us') this.#fail(exchange, 'response-refused', details)
    else if (this.#hasHead) this.#breakOff(exchange, stream, details)
    else if (isUnprocessed || this.#writes === this.#host.writes)
      this.#fail(exchange, 'stream-refused', details)
    else this.#fail(exchange, 'upstream-reset', details)
  }

  /** Counts what is given of the response. */
  add(_: Buffer, start: number, end: number): void {
    if (this.#exchange !== undefined) this.#exchange.responseBytes += end - start
  }

  #writeHead(exchange: Exchange, stream: H2Stream, request: Head): void {
    const { heads } = stream.connection
    exchange.lacksHost ||= !request.has(HOST)
    // HTTP/1.0 may come without a Host, and an authority is what a request needs here.
    const needsOne = exchange.lacksHost && request.targetForm === TargetForm.origin
    const authority = needsOne ? (exchange.endpoint?.key ?? '') : ''
    heads.request(request, exchange.requestCut | cutForResilience(exchange), authority)
    if (exchange.requestLines !== undefined) heads.addLines(exchange.requestLines)
    addResilienceLines(heads, exchange, request, this.#host.clock)
  }

  #expectChunks(request: Head): void {
    this.#chunks ??= new Body(this.#host.limits)
    this.#chunks.begin(request)
    this.#chunks.decode = true
  }

  /** What is given was read as chunks before: it cannot be refused here. */
  #unchunk(bytes: Buffer, start: number, end: number): void {
    const chunks = this.#chunks
    const stream = this.#stream
    if (chunks === undefined || stream === undefined) return
    let at = start
    let event: Event
    do {
      event = chunks.read(bytes, at, end)
      at = chunks.position
      if (event === Event.body) stream.sendData(chunks.slice, chunks.sliceStart, chunks.sliceEnd)
    } while (event === Event.body)
  }

  /** What came is sound: it may leave. */
  #pass(exchange: Exchange, stream: H2Stream): void {
    const { downstream } = exchange
    if (this.#hasHead && !this.#responseEnded) {
      stream.giveTo(downstream, this)
      if (stream.remoteEnded) this.#endResponse(exchange, stream)
    }
    const { id } = stream
    const isTaken = downstream.flush()
    // With that it may be over.
    if (this.#stream !== stream || stream.id !== id) return
    if (!isTaken) {
      exchange.wasHeldBack = true
      this.#isHeldBack = true
      if (downstream.copies === true) stream.copied()
      return
    }
    stream.consumed()
    if (this.#responseEnded) this.#finish(exchange)
    else if (this.#brokenOff !== undefined) {
      this.#fail(exchange, 'response-incomplete', this.#brokenOff)
    }
  }

  /** A client that has the beginning gets what came, as it would without us; another one gets an answer it can use. */
  #breakOff(exchange: Exchange, stream: H2Stream, details: string): void {
    if (!exchange.downstream.hasBegun) {
      this.#fail(exchange, 'response-incomplete', details)
      return
    }
    this.#brokenOff = details
    this.#passLast(exchange, stream)
  }

  /** Nothing more comes, and nobody takes the rest of the request, which a client may give before it reads on. */
  #passLast(exchange: Exchange, stream: H2Stream): void {
    const { id } = stream
    if (!this.#isHeldBack) this.#pass(exchange, stream)
    if (this.#isFull && this.#stream === stream && stream.id === id) exchange.downstream.resume()
  }

  #endResponse(exchange: Exchange, { trailers }: H2Stream): void {
    this.#responseEnded = true
    if (trailers !== undefined) {
      if (exchange.isGrpc) exchange.grpcStatus = grpcStatusOf(trailers)
      exchange.downstream.trailers(trailers)
    }
    exchange.downstream.end()
  }

  /** RFC 9113 section 8.5: the stream is a connection from now on. */
  #tunnel(exchange: Exchange, stream: H2Stream): void {
    const host = this.#host
    const { counters } = host
    this.#exchange = undefined
    this.#stream = undefined
    exchange.upstream = undefined
    const connection = new StreamConnection(stream, H2Error.cancel, host.carrier)
    // The call is not used again before the stream is done with: its events would come here.
    const closed = (): void => {
      host.freed(this)
    }
    exchange.downstream.tunnel({ connection, counters, closed }, undefined)
  }

  #fail(exchange: Exchange, error: ErrorCode, details: string): void {
    this.#detach(exchange)
    exchange.downstream.discard()
    exchange.details = details
    this.#host.ended(exchange, error)
  }

  /** The response is through. If the request is not, the rest of it is not wanted (RFC 9113 section 8.1). */
  #finish(exchange: Exchange): void {
    if (!this.#isTimely) exchange.now = this.#host.clock.now()
    this.#detach(exchange)
    this.#host.ended(exchange, undefined)
  }

  /** Lets go of the stream; what of it is not through is given up. */
  #detach(exchange: Exchange): void {
    const stream = this.#stream
    const isThrough = this.#responseEnded && this.#requestEnded
    this.#exchange = undefined
    this.#stream = undefined
    exchange.upstream = undefined
    if (!isThrough) stream?.reset(H2Error.cancel)
    stream?.release()
    this.#host.freed(this)
  }
}
