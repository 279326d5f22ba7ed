// One request that a client makes on an HTTP/2 stream, and its response.
//
// It belongs to the stream object and is used again with it: a request allocates nothing here. What upstream does not
// take waits in the stream, bounded by its window; what the client does not take waits there too, bounded by one read
// of upstream's, which is told to stop. Streams are ended as RFC 9113 section 8.1 has it: a response that is complete
// before its request asks the client to send no more of it.

import type { Millis } from '../../lib/duration.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { Field, fieldBits } from '../http/fields.ts'
import type { H2Stream } from '../http/h2/h2-stream.ts'
import { H2Error } from '../http/h2/protocol.ts'
import type { StreamReceiver, StreamReset } from '../http/h2/stream-receiver.ts'
import type { Head } from '../http/head.ts'
import { Method } from '../http/method.ts'
import type { Connection } from '../net/connection.ts'
import { Outlet } from '../net/outlet.ts'
import type { Destination } from '../stack/destination.ts'
import { type Downstream, Exchange, type TunnelEnd, type Upstream } from '../stack/exchange.ts'
import { isGrpc } from '../stack/grpc.ts'
import { NO_STATUS } from '../stack/request-counters.ts'
import { StreamConnection } from '../stack/stream-connection.ts'
import { isUnanswered } from './answer.ts'
import { H2Response } from './h2-response.ts'
import type { DownstreamHost, Successor } from './host.ts'
import { ownAnswer } from './max-forwards.ts'
import { isTooStill } from './stillness.ts'
import { Tunnel } from './tunnel.ts'

/** How long the rest of a request is waited for when its answer is complete. */
const ABANDONED: Millis = 3000
const MAX_FORWARDS = fieldBits(Field.maxForwards)

/** What is counted of a request whose head was refused, which is answered by a reset. */
const UNREAD = { status: NO_STATUS, requestBytes: 0, isGrpc: false }

const IDLE = 0
const BUSY = 1
/** The exchange is over, and the last of the answer waits for the client. */
const LEAVING = 2
const TUNNEL = 3

/** The connection that it is a stream of. */
export interface RequestOwner {
  readonly host: DownstreamHost
  readonly connection: Connection
  readonly destination: Destination
  /** The client's IP address; empty if it is not known. */
  readonly source: string
  readonly depth: number
  began(request: H2Request): void
  /** It is over in every respect, and its stream released. */
  ended(request: H2Request): void
}

export class H2Request implements Downstream, StreamReceiver {
  readonly copies = true
  /** Its place among the owner's that are under way. */
  place = -1
  readonly exchange: Exchange
  readonly #stream: H2Stream
  readonly #owner: RequestOwner
  readonly #response: H2Response
  #state: number = IDLE
  #isOpened = false
  /** Of CONNECT the head is all there is: what follows belongs to the tunnel (RFC 9113 section 8.5). */
  #isConnect = false
  /** Upstream has the end of this attempt, or does not take more of it for now. */
  #isEndGiven = false
  #isHeldBack = false
  /** What the stream had left when it was last given. */
  #left = 0
  #lastActive: number
  #tunnel: Successor | undefined

  constructor(stream: H2Stream, owner: RequestOwner) {
    const { destination, source, depth, host } = owner
    this.#stream = stream
    this.#owner = owner
    this.#response = new H2Response(stream)
    this.exchange = new Exchange(destination, this, stream.head, source, depth)
    this.exchange.speaks = 'http2'
    this.exchange.isAgreed = owner.connection.alpn === 'h2'
    this.#lastActive = host.ticker.now
    this.#tunnel = undefined
  }

  get hasBegun(): boolean {
    return this.#response.headSent
  }

  get isAnswered(): boolean {
    return this.#response.isComplete
  }

  onHead(_: H2Stream, head: Head): void {
    const { exchange } = this
    const { host } = this.#owner
    exchange.begin(host.clock.now())
    exchange.requestBytes = head.end - head.start
    exchange.plainBody = true
    exchange.isGrpc = isGrpc(head)
    this.#state = BUSY
    this.#isOpened = false
    this.#isConnect = head.method === Method.connect
    this.#isEndGiven = false
    this.#isHeldBack = false
    this.#left = 0
    this.#response.begin()
    this.#owner.began(this)
  }

  onRead(stream: H2Stream): void {
    if (this.#state !== BUSY) return
    const { exchange } = this
    this.#lastActive = this.#owner.host.ticker.now
    if (!this.#isConnect) exchange.requestBytes += stream.unread - this.#left
    if (stream.remoteEnded || this.#isConnect) exchange.isAtHand = true
    if (this.#isOpened) this.#pass()
    else this.#open()
    this.#left = stream.unread
  }

  onWritable(): void {
    this.#lastActive = this.#owner.host.ticker.now
    if (this.#state === BUSY) this.exchange.upstream?.resume()
    else if (this.#state === LEAVING) this.#leave()
  }

  onReset(_: H2Stream, { by, code, details }: StreamReset): void {
    const isRefused = by === 'us' && code === H2Error.protocol
    if (this.#state === LEAVING) {
      this.#release()
    } else if (this.#state === BUSY) {
      this.#broken(isRefused ? 'request-refused' : 'downstream-reset', details)
    } else if (this.#state === IDLE) {
      // There never was a head that could be accepted.
      if (isRefused)
        this.#owner.host.answered(
          { ...UNREAD, destination: this.#owner.destination },
          'request-refused',
        )
      this.#stream.release()
    }
  }

  ready(): void {
    this.#isEndGiven = false
    this.#isHeldBack = false
    this.#pass()
  }

  resume(): void {
    if (this.#state !== BUSY) return
    this.#isHeldBack = false
    this.#stream.consumed()
    if (!this.#isEndGiven) this.#pass()
  }

  interim(response: Head): void {
    if (this.#state === BUSY) this.#response.interim(response)
  }

  head(response: Head): void {
    this.#response.head(response)
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#response.body(bytes, start, end)
  }

  trailers(fields: Head): void {
    this.#response.trailers(fields)
  }

  end(): void {
    this.#response.end()
  }

  flush(): boolean {
    if (this.#state !== BUSY) return true
    this.#lastActive = this.#owner.host.ticker.now
    return this.#response.flush(this.exchange)
  }

  discard(): void {
    this.#response.discard()
  }

  over(): void {
    if (this.#state === BUSY) this.#leave()
  }

  fail(error: ErrorCode): void {
    if (this.#state !== BUSY) return
    const { exchange } = this
    this.#response.discard()
    if (isUnanswered(error) || this.#stream.isClosed) this.#stream.reset(H2Error.cancel)
    else if (this.#response.headSent) {
      this.#response.breakOff(exchange, error, resetCodeOf(exchange, error))
    } else {
      this.#response.answer(exchange, error, exchange.request.method !== Method.head)
    }
    this.#leave()
  }

  tunnel(upstream: TunnelEnd, bytes: Buffer | undefined): void {
    const { connection, host } = this.#owner
    this.#response.flush(this.exchange)
    // RFC 9113 section 8.5: what breaks the other connection is a CONNECT_ERROR of the stream.
    const client = new StreamConnection(this.#stream, H2Error.connect, connection)
    const start = { client, outlet: new Outlet(client), clientEnded: false, fromClient: undefined }
    this.#state = TUNNEL
    const tunnel = new Tunnel(
      this.exchange,
      { ...start, upstream, fromUpstream: bytes },
      host,
      () => {
        this.#release()
      },
    )
    if (this.#isTunnel) this.#tunnel = tunnel
  }

  /** Once a second, while it is under way. */
  sweep(now: Millis): void {
    const { exchange } = this
    this.#tunnel?.sweep(now, exchange.destination.idleTimeout)
    if (this.#state === LEAVING) this.#leave()
    if (this.#state !== BUSY) return
    const idle = now - this.#lastActive
    if (this.#response.isComplete && idle >= ABANDONED) this.#abandonRequest()
    else if (isTooStill(exchange, idle, true)) this.#broken('idle-timeout', '')
  }

  abort(error: ErrorCode): void {
    this.#tunnel?.abort(error)
    if (this.#state === BUSY) this.#broken(error, '')
    else if (this.#state === LEAVING) this.#release()
  }

  #open(): void {
    const { exchange } = this
    const { head } = this.#stream
    const lines = head.has(MAX_FORWARDS) ? ownAnswer(head, exchange) : undefined
    if (lines !== undefined) {
      exchange.status = 200
      this.#owner.host.answered(exchange, undefined)
      this.#response.answerOwn(lines)
      this.#leave()
      return
    }
    this.#isOpened = true
    exchange.destination.requests?.open(exchange)
  }

  /** Gives upstream what is there. What it does not take waits in the stream. */
  #pass(): void {
    const { upstream } = this.exchange
    if (upstream === undefined || this.#isEndGiven || this.#isHeldBack) return
    this.#give(upstream)
    this.#left = this.#stream.unread
    const isTaken = upstream.flush()
    // With that the exchange may have ended, or begun another attempt.
    if (this.#state !== BUSY || this.exchange.upstream !== upstream) return
    if (isTaken) {
      this.#stream.consumed()
      return
    }
    this.#isHeldBack = true
    if (upstream.copies === true) this.#stream.copied()
  }

  #give(upstream: Upstream): void {
    const stream = this.#stream
    const { kept, request, replay, attempt } = this.exchange
    if (kept !== undefined) {
      upstream.body(kept, request.end, kept.length)
    } else if (replay !== undefined) {
      replay.giveTo(upstream, attempt)
      stream.giveTo(upstream, replay)
    } else if (!this.#isConnect) {
      stream.giveTo(upstream)
    }
    if (!stream.remoteEnded && !this.#isConnect) return
    this.#isEndGiven = true
    // What was kept has them behind its last chunk.
    if (stream.trailers !== undefined && !this.#isConnect && kept === undefined) {
      this.exchange.requestTrailers = stream.trailers
      upstream.trailers(stream.trailers)
    }
    upstream.end()
  }

  /** The answer is complete, and the rest of the request does not come. */
  #abandonRequest(): void {
    const { exchange } = this
    exchange.upstream?.cancel()
    exchange.now = this.#owner.host.clock.now()
    exchange.lowest?.ended(exchange, undefined)
  }

  /** The client is gone, or must go. */
  #broken(error: ErrorCode, details: string): void {
    const { exchange } = this
    exchange.details = details
    if (!this.#isOpened) {
      this.#owner.host.answered(exchange, error)
      this.#release()
      return
    }
    exchange.upstream?.cancel()
    exchange.lowest?.ended(exchange, error)
  }

  /** The exchange is over: once the answer has left nothing more is awaited. */
  #leave(): void {
    const stream = this.#stream
    if (!stream.remoteEnded && !stream.isClosed) {
      if (!stream.isWritable) {
        this.#state = LEAVING
        return
      }
      stream.reset(H2Error.none)
    }
    this.#release()
  }

  get #isTunnel(): boolean {
    return this.#state === TUNNEL
  }

  #release(): void {
    this.#state = IDLE
    this.#tunnel = undefined
    this.#response.discard()
    this.exchange.settle()
    this.#stream.release()
    this.#owner.ended(this)
  }
}

/** What a stream is reset with whose response cannot be completed: the endpoint's own word for it comes first. */
function resetCodeOf({ resetCode }: Exchange, error: ErrorCode): number {
  // Clients take NO_ERROR for the end of a response, which this one has not.
  if (resetCode !== H2Error.none) return resetCode
  return ERRORS[error].source === 'upstream' ? H2Error.internal : H2Error.cancel
}
