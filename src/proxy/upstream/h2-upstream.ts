// An HTTP/2 connection to an endpoint: a socket, the streams on it, and the calls that they carry.
//
// It carries requests of any clients side by side. One that takes no new streams, because the endpoint or the pool said
// so, carries on with those it has and is closed when the last of them is over. Which connection a request gets is left
// to the pool.

import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { askedBy } from '../http/h1/response-rules.ts'
import { H2Connection, type H2Owner, type H2Sink } from '../http/h2/h2-connection.ts'
import type { H2LimitName, H2Limits } from '../http/h2/h2-limits.ts'
import { HeadEncoder } from '../http/h2/head-encoder.ts'
import { HpackEncoder } from '../http/h2/hpack/hpack-encoder.ts'
import { H2Error } from '../http/h2/protocol.ts'
import type { StreamReceiver } from '../http/h2/stream-receiver.ts'
import type { Limits } from '../http/limits.ts'
import { type Connection, type Receiver, WRITTEN } from '../net/connection.ts'
import type { ByteCounters } from '../net/relay.ts'
import type { Flushed, Turn } from '../net/turn.ts'
import type { Exchange } from '../stack/exchange.ts'
import type { Http2Counters } from '../stack/http2-counters.ts'
import { type CallHost, H2Call } from './h2-call.ts'
import type { Held } from './pool-dial.ts'

/** What all connections to an endpoint share. */
export interface H2UpstreamHost {
  readonly clock: Clock
  readonly limits: Limits
  readonly h2Limits: H2Limits
  readonly turn: Turn
  readonly counters: ByteCounters
  readonly http2: Http2Counters
  /** Streams that one may carry before the endpoint has said how many. */
  readonly presumedStreams: number
  headers(exchange: Exchange): void
  ended(exchange: Exchange, error: ErrorCode | undefined): void
  /** It can carry another request; or the endpoint has said how many. */
  roomMade(connection: H2Upstream): void
  /** It carries nothing, and the endpoint lets it carry nothing. */
  useless(connection: H2Upstream): void
  /** It takes no new streams any more. */
  leaving(connection: H2Upstream): void
  /** It is closed. */
  lost(connection: H2Upstream): void
  /** A response was refused, for the reason of that name. */
  refused(reason: string): void
  /** The endpoint broke the rules, or reached a limit of ours: that ended the connection, or a stream. */
  failed(code: number, details: string): void
}

export class H2Upstream implements Receiver, H2Sink, H2Owner, CallHost, Flushed {
  /** Requests that it has begun to carry, writes, and reads. */
  uses = 0
  writes = 0
  reads = 0
  /** Since when it carries nothing, by the clock. */
  idleSince: number
  /** Connections that the pool had lost when this one was opened. */
  readonly generation: number
  readonly held: Held
  readonly clock: Clock
  readonly limits: Limits
  readonly counters: ByteCounters
  readonly carrier: Connection
  readonly #host: H2UpstreamHost
  readonly #h2: H2Connection
  readonly #free: H2Call[] = []
  #isLeaving = false
  #isOver = false

  constructor(connection: Connection, host: H2UpstreamHost, held: Held, generation: number) {
    this.carrier = connection
    this.#host = host
    this.held = held
    this.generation = generation
    this.clock = host.clock
    this.limits = host.limits
    this.counters = host.counters
    this.idleSince = host.clock.now()
    const heads = new HeadEncoder(new HpackEncoder(host.h2Limits.headerTableSize))
    this.#h2 = new H2Connection('client', heads, host.h2Limits, this, this)
    connection.receiver = this
    connection.readStart()
    this.#h2.start()
  }

  get isIdle(): boolean {
    return this.#h2.open === 0
  }

  get hasRoom(): boolean {
    const h2 = this.#h2
    if (this.#isLeaving || !h2.hasRoom) return false
    return h2.control.isGreeted || h2.open < this.#host.presumedStreams
  }

  /** Streams that the endpoint allows, once it has said. */
  get allowedStreams(): number {
    return this.#h2.peerStreams
  }

  /** It has said another number than that. One that allows none for now may have second thoughts. */
  allows(other: number): boolean {
    const { control, peerStreams } = this.#h2
    return control.isGreeted && peerStreams >= 1 && peerStreams !== other
  }

  /** Sends a request. Only while it `hasRoom`. */
  carry(exchange: Exchange): void {
    const call = this.#free.pop() ?? new H2Call(this)
    const wasReused = this.uses > 0
    this.uses += 1
    this.#host.http2.streamOpened()
    call.carry(exchange, this.#h2.openStream(call, askedBy(exchange.request)), wasReused)
  }

  /** Takes no new requests, and ends when the last one is over. */
  leave(): void {
    if (this.#isLeaving) return
    this.#sayGoaway()
    this.#host.turn.add(this)
  }

  /** Ends it in order. Only when it is idle. */
  close(): void {
    if (this.#isOver) return
    this.#sayGoaway()
    this.#h2.flush()
    this.#end('closed')
  }

  /** Once a second. */
  sweep(now: Millis, idleTimeout: Millis): void {
    this.#h2.sweep(now)
    if (this.#isOver || !this.isIdle) return
    if (now - this.idleSince >= idleTimeout) this.close()
    else this.carrier.rest()
  }

  /** The turn is over. */
  flush(): void {
    if (this.#isOver) return
    this.#h2.flush()
    if (this.#isLeaving && this.isIdle) this.close()
  }

  onData(_: Connection, chunk: Buffer): void {
    this.counters.sent += chunk.length
    this.reads += 1
    this.#h2.read(chunk)
  }

  onEnd(): void {
    this.#end('closed')
  }

  onError(_: Connection, code: string): void {
    this.#end(code)
  }

  onDrain(): void {
    this.#h2.drained()
  }

  onFinished(): void {
    // It never ends its direction before it closes.
  }

  /** Of a write that failed one hears in a moment. */
  write(bytes: Buffer): boolean {
    this.counters.received += bytes.length
    this.writes += 1
    return this.carrier.write(bytes) === WRITTEN
  }

  schedule(): void {
    this.#host.turn.add(this)
  }

  leaveRead(): void {
    this.carrier.leave()
  }

  /** Cannot come about: we let no server open streams (RFC 9113 section 8.4). */
  receiverFor(): StreamReceiver {
    return new H2Call(this)
  }

  onFailed(code: number, details: string): void {
    this.#host.failed(code, details)
    this.#end(details)
  }

  onGoaway(code: number): void {
    this.#host.http2.goawayReceived(code)
    this.#isLeaving = true
    this.#host.leaving(this)
    // If nothing is open it ends with this turn.
    this.#host.turn.add(this)
  }

  onRoom(): void {
    if (this.isIdle) {
      this.idleSince = this.clock.now()
      if (this.#isLeaving) this.#host.turn.add(this)
    }
    // Without room too: how many it allows is of use to those that are dialled.
    this.#host.roomMade(this)
    if (this.isIdle && !this.#isLeaving && this.allowedStreams < 1) this.#host.useless(this)
  }

  onLimit(name: H2LimitName): void {
    this.#host.http2.limit(name)
  }

  onRefused(reason: string): void {
    this.#host.refused(reason)
  }

  onReset(code: number, isOurs: boolean): void {
    if (isOurs) this.#host.http2.resetSent(code)
    else this.#host.http2.resetReceived(code)
  }

  headers(exchange: Exchange): void {
    this.#host.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    this.#host.ended(exchange, error)
  }

  /** It is spoken to no more than it must: that would be in vain if its endpoint is gone without a word. */
  silent(): void {
    this.leave()
    this.#host.leaving(this)
  }

  freed(call: H2Call): void {
    this.#host.http2.streamClosed()
    this.#free.push(call)
  }

  #sayGoaway(): void {
    if (!this.#isLeaving) this.#host.http2.goawaySent(H2Error.none)
    this.#isLeaving = true
    this.#h2.drain()
  }

  /** Requests that it carried are told last, for they may be sent again, and not here. */
  #end(details: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#isLeaving = true
    this.carrier.close()
    this.#host.lost(this)
    this.#h2.lost(details)
  }
}
