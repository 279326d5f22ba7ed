// An HTTP/1.1 connection to an endpoint: one request and its response after another.
//
// A response's bytes go to the client's side as they are read, and leave when the whole read was found sound. The
// connection is given back to its pool when both messages are through; anything odd about it, and it is not used
// again. Which request it gets, and what becomes of one that failed, is left to the pool and the stages above.

import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { Field, fieldBits } from '../http/fields.ts'
import { Event } from '../http/h1/event.ts'
import { HeadWriter } from '../http/h1/head-writer.ts'
import { ResponseReader } from '../http/h1/response-reader.ts'
import { askedBy } from '../http/h1/response-rules.ts'
import { Staging } from '../http/h1/staging.ts'
import { Framing, type Head } from '../http/head.ts'
import type { Limits } from '../http/limits.ts'
import { Refusal, refusalName } from '../http/refusal.ts'
import type { Connection, Receiver } from '../net/connection.ts'
import { NO_RECEIVER } from '../net/connection.ts'
import { Outlet } from '../net/outlet.ts'
import type { ByteCounters } from '../net/relay.ts'
import type { Exchange, Upstream } from '../stack/exchange.ts'
import { grpcStatusOf } from '../stack/grpc.ts'
import { timeoutOf } from './keep-alive.ts'
import { isShort, Leftover } from './leftover.ts'
import { writeRequestHead } from './request-head.ts'

const KEEP_ALIVE = fieldBits(Field.keepAlive)

/** What all connections to an endpoint share. */
export interface UpstreamHost {
  readonly clock: Clock
  readonly limits: Limits
  readonly counters: ByteCounters
  /** It can carry another request, from now on (by the clock). */
  released(connection: H1Upstream, now: Millis): void
  /** It cannot, and is closed. */
  lost(connection: H1Upstream): void
  /** A connection reads what nobody wants, to be released or lost by it: to be swept until then. */
  draining(leftover: Leftover): void
  headers(exchange: Exchange): void
  ended(exchange: Exchange, error: ErrorCode | undefined): void
  /** A response was refused, for the reason of that name. */
  refused(reason: string): void
}

export class H1Upstream implements Receiver, Upstream {
  /** Requests that it has begun to carry. */
  uses = 0
  /** Since when it carries nothing, by the clock. */
  idleSince: number = NaN
  /** What the server said of how long it waits (Keep-Alive: timeout), in milliseconds; NaN if nothing. */
  keepAliveHint: number = NaN
  readonly #connection: Connection
  readonly #host: UpstreamHost
  readonly #outlet: Outlet
  readonly #reader: ResponseReader
  /** Its own, because a request stays at hand until it is answered. */
  readonly #writer = new HeadWriter()
  readonly #staging: Staging
  #exchange: Exchange | undefined
  #requestEnded = false
  #responseEnded = false
  /** The client does not take what was read last, which must stay where it is. */
  #isHeldBack = false
  #isClosing = false
  /** The exchange knows the time: its head was in the bytes that are being read. */
  #isTimely = false
  /** A response's head is being handed up. */
  #isAtHead = false
  /** What is left of a response that was not wanted. */
  #leftover: Leftover | undefined

  constructor(connection: Connection, host: UpstreamHost) {
    this.#connection = connection
    this.#host = host
    this.#outlet = new Outlet(connection)
    this.#reader = new ResponseReader(host.limits)
    this.#staging = new Staging(this.#writer)
    this.#exchange = undefined
    this.#leftover = undefined
    connection.receiver = this
    connection.readStart()
  }

  /** Begins with a request. Only when it is idle. */
  carry(exchange: Exchange): void {
    const { request } = exchange
    this.#exchange = exchange
    this.#requestEnded = false
    this.#responseEnded = false
    exchange.wasReused = this.uses > 0
    exchange.upstream = this
    exchange.sent += 1
    exchange.requestEnded = false
    this.uses += 1
    this.#reader.expect(askedBy(request))
    writeRequestHead(this.#writer, exchange, this.#host.clock)
    this.#staging.head(request.framing === Framing.stream)
    exchange.downstream.ready()
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#staging.body(bytes, start, end)
  }

  trailers(fields: Head): void {
    this.#staging.trailers(fields)
  }

  end(): void {
    this.#requestEnded = true
    this.#staging.end()
    if (this.#exchange !== undefined) this.#exchange.requestEnded = true
  }

  flush(): boolean {
    const exchange = this.#exchange
    if (exchange === undefined) return true
    if (this.#requestEnded && this.#staging.isWhole) {
      const whole = this.#staging.takeWhole()
      exchange.kept = whole
      // It lies in a buffer of our own, so the client's side need not wait until it is gone.
      if (whole !== undefined) this.#write(whole)
      return true
    }
    const isTaken = this.#staging.flush(this)
    if (this.#responseEnded) this.#finish()
    return isTaken
  }

  /** The sink of what is staged. */
  write(bytes: Buffer): boolean {
    return this.#write(bytes)
  }

  resume(): void {
    this.#isHeldBack = false
    if (this.#responseEnded) this.#finish()
    if (this.#exchange !== undefined || !this.#isClosing) this.#connection.readStart()
  }

  cancel(): void {
    this.#detach()
    this.#connection.reset()
    this.#host.lost(this)
  }

  /** Only while the head is handed up is it known what is to come. */
  abandon(): void {
    const isSent = this.#requestEnded && this.#outlet.isEmpty && !this.#isClosing
    if (!this.#isAtHead || !isSent || !isShort(this.#reader.head)) {
      this.cancel()
      return
    }
    this.#detach()
    // What was sent (`Exchange.kept`) may be sent again elsewhere, while this connection carries something else.
    this.#writer.letGo()
    this.#leftover = new Leftover(this.#reader, this.#host, this)
    this.#connection.receiver = this.#leftover
    this.#host.draining(this.#leftover)
  }

  drained(): void {
    this.#leftover = undefined
    this.#connection.receiver = this
    this.#host.released(this, this.#host.clock.now())
  }

  /** Ends it in order. Only when it is idle. */
  close(): void {
    this.#isClosing = true
    this.#connection.close()
    this.#host.lost(this)
  }

  /** Nothing has moved for a while. */
  rest(): void {
    this.#connection.rest()
    this.#reader.release()
    this.#writer.rest()
  }

  onData(_: Connection, chunk: Buffer): void {
    this.#host.counters.sent += chunk.length
    const exchange = this.#exchange
    if (exchange === undefined) {
      // A response that nobody asked for must never answer the next request (RFC 9112 section 9.2).
      this.#host.refused(refusalName(Refusal.responseUnsolicited))
      this.close()
      return
    }
    if (this.#responseEnded) this.#unsolicited()
    else this.#read(exchange, chunk)
    this.#isTimely = false
  }

  onEnd(): void {
    const exchange = this.#exchange
    if (exchange === undefined) {
      this.close()
      return
    }
    this.#isClosing = true
    const event = this.#responseEnded ? Event.end : this.#reader.close()
    if (event === Event.end && !this.#responseEnded) {
      this.#responseEnded = true
      exchange.downstream.end()
      if (!exchange.downstream.flush()) {
        this.#isHeldBack = true
        return
      }
    }
    if (event === Event.end) this.#finish()
    else
      this.#fail(
        exchange,
        exchange.status === 0 ? 'upstream-reset' : 'response-incomplete',
        'closed',
      )
  }

  onDrain(): void {
    const exchange = this.#exchange
    if (!this.#outlet.drained() || exchange === undefined) return
    if (this.#responseEnded) this.#finish()
    else exchange.downstream.resume()
  }

  onFinished(): void {
    // It never ends its direction before it closes.
  }

  onError(_: Connection, code: string): void {
    const exchange = this.#exchange
    if (exchange === undefined) {
      this.close()
      return
    }
    this.#isClosing = true
    // The answer is there, whatever became of the rest of the request.
    if (this.#responseEnded) this.#finish()
    else
      this.#fail(exchange, exchange.status === 0 ? 'upstream-reset' : 'response-incomplete', code)
  }

  #write(bytes: Buffer): boolean {
    this.#host.counters.received += bytes.length
    return this.#outlet.write(bytes)
  }

  #read(exchange: Exchange, chunk: Buffer): void {
    const reader = this.#reader
    const downstream = exchange.downstream
    let event: Event
    let at = 0
    do {
      event = reader.read(chunk, at, chunk.length)
      at = reader.position
      if (event === Event.body) {
        const { body } = reader
        exchange.responseBytes += body.sliceEnd - body.sliceStart
        downstream.body(body.slice, body.sliceStart, body.sliceEnd)
      } else if (event === Event.head) {
        this.#head(exchange, reader.head)
        // A stage above took the attempt back.
        if (this.#exchange !== exchange) {
          this.#leftover?.read(chunk, at)
          return
        }
      } else if (event === Event.interim) {
        downstream.interim(reader.head)
      } else if (event === Event.end) {
        this.#responseEnded = true
        const { trailers } = reader.body
        // Where the chunks are passed on as they came, these are among them.
        if (exchange.plainBody && trailers !== undefined && trailers.count > 0) {
          if (exchange.isGrpc) exchange.grpcStatus = grpcStatusOf(trailers)
          downstream.trailers(trailers)
        }
        downstream.end()
      }
    } while (event < Event.end && event !== Event.more)
    if (event === Event.refused) this.#refuse(exchange)
    else if (event === Event.paused) this.#tunnel(exchange, chunk, at)
    else this.#pass(exchange, chunk.length - at)
  }

  /** What the read gave is sound: it may leave. `left` bytes came behind the response's end. */
  #pass(exchange: Exchange, left: number): void {
    if (this.#responseEnded && left > 0) {
      this.#isClosing = true
      this.#host.refused(refusalName(Refusal.responseUnsolicited))
    }
    // It was asked whether to send the body and has answered: it may take what still comes for another request.
    if (this.#responseEnded && !this.#requestEnded && exchange.request.expectsContinue) {
      this.#isClosing = true
    }
    if (exchange.downstream.flush()) {
      if (this.#responseEnded) this.#finish()
      return
    }
    if (this.#exchange !== exchange) return
    exchange.wasHeldBack = true
    this.#isHeldBack = true
    this.#connection.readStop()
  }

  /** More than the response came, while the rest of the request is still on its way. */
  #unsolicited(): void {
    this.#isClosing = true
    this.#host.refused(refusalName(Refusal.responseUnsolicited))
    this.#finish()
  }

  #head(exchange: Exchange, head: Head): void {
    exchange.now = this.#host.clock.now()
    this.#isTimely = true
    exchange.status = head.status
    exchange.response = head
    if (exchange.isGrpc && head.framing === Framing.none) exchange.grpcStatus = grpcStatusOf(head)
    exchange.responseBytes += head.end - head.start
    if (exchange.plainBody && head.framing === Framing.chunked) this.#reader.body.decode = true
    if (this.uses === 1 && head.has(KEEP_ALIVE)) this.keepAliveHint = timeoutOf(head)
    this.#isAtHead = true
    this.#host.headers(exchange)
    this.#isAtHead = false
  }

  /** The connection is not HTTP any more. What came behind the head belongs to the tunnel. */
  #tunnel(exchange: Exchange, chunk: Buffer, at: number): void {
    const connection = this.#connection
    // Granted before all of the request was there (RFC 9110 section 7.8): bytes of both would mix.
    if (!this.#requestEnded || !this.#outlet.isEmpty) {
      this.#host.refused(refusalName(Refusal.switchUnasked))
      this.#fail(exchange, 'response-refused', refusalName(Refusal.switchUnasked))
      return
    }
    connection.readStop()
    this.#detach()
    connection.receiver = NO_RECEIVER
    const rest = at < chunk.length ? chunk.subarray(at) : undefined
    const { counters } = this.#host
    const closed = (): void => {
      this.#host.lost(this)
    }
    exchange.downstream.tunnel({ connection, counters, closed }, rest)
  }

  #refuse(exchange: Exchange): void {
    const reason = refusalName(this.#reader.refusal)
    this.#host.refused(reason)
    this.#fail(exchange, 'response-refused', reason)
  }

  #fail(exchange: Exchange, error: ErrorCode, details: string): void {
    this.#detach()
    this.#connection.reset()
    this.#host.lost(this)
    exchange.downstream.discard()
    exchange.details = details
    this.#host.ended(exchange, error)
  }

  /** Both messages are through, or the rest of the request is not wanted any more. */
  #finish(): void {
    const exchange = this.#exchange
    if (exchange === undefined || this.#isHeldBack) return
    const isGoodForMore = this.#reader.idle && !this.#isClosing
    if (isGoodForMore && !(this.#requestEnded && this.#outlet.isEmpty)) return
    this.#detach()
    if (!this.#isTimely) exchange.now = this.#host.clock.now()
    if (isGoodForMore) {
      this.#host.released(this, exchange.now)
    } else {
      this.#connection.close()
      this.#host.lost(this)
    }
    this.#host.ended(exchange, undefined)
  }

  #detach(): void {
    const exchange = this.#exchange
    this.#exchange = undefined
    this.#staging.discard()
    if (exchange !== undefined) exchange.upstream = undefined
  }
}
