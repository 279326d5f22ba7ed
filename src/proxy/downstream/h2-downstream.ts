// A client's HTTP/2 connection: the socket beneath it, the requests on its streams, and how it ends.
//
// It is read all the time, since windows bound what a client can send; bytes leave once a turn. It ends in good order,
// with GOAWAY, when it was idle for too long, when the proxy drains, and when the client broke the rules: then what it
// still sends is thrown away for a while, or a reset would take the GOAWAY with it. What becomes of a request is left
// to h2-request.ts.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { H2Connection, type H2Owner, type H2Sink } from '../http/h2/h2-connection.ts'
import type { H2LimitName } from '../http/h2/h2-limits.ts'
import type { H2Stream } from '../http/h2/h2-stream.ts'
import { HeadEncoder } from '../http/h2/head-encoder.ts'
import { HpackEncoder } from '../http/h2/hpack/hpack-encoder.ts'
import { H2Error, h2ErrorName } from '../http/h2/protocol.ts'
import type { StreamReceiver } from '../http/h2/stream-receiver.ts'
import type { Connection, Receiver } from '../net/connection.ts'
import { Outlet } from '../net/outlet.ts'
import { TICK } from '../net/ticker.ts'
import type { Flushed } from '../net/turn.ts'
import type { Carried } from '../stack/carried.ts'
import type { Destination } from '../stack/destination.ts'
import type { Http2Counters } from '../stack/http2-counters.ts'
import { H2Request, type RequestOwner } from './h2-request.ts'
import type { DownstreamHost, Successor } from './host.ts'
import { Lingering } from './lingering.ts'

/** How long a client that is to go may keep from us that it has heard so. */
const PATIENCE: Millis = 5 * TICK

export class H2Downstream implements Receiver, Carried, H2Sink, H2Owner, Flushed, RequestOwner {
  readonly host: DownstreamHost
  readonly connection: Connection
  readonly destination: Destination
  readonly source: string
  readonly depth: number
  readonly #outlet: Outlet
  readonly #http2: H2Connection
  readonly #counters: Http2Counters
  readonly #active: H2Request[] = []
  #lastActive: number
  #isScheduled = false
  #isDraining = false
  /** The client broke the rules, and was told. */
  #isFailed = false
  #limit: H2LimitName | undefined
  /** Somebody else has the connection, or it is closed. */
  #isGone = false
  #isClosed = false
  #successor: Successor | undefined

  constructor(
    connection: Connection,
    destination: Destination,
    source: string,
    depth: number,
    host: DownstreamHost,
  ) {
    this.host = host
    this.connection = connection
    this.destination = destination
    this.source = source
    this.depth = depth
    this.#outlet = new Outlet(connection)
    this.#counters = host.http2Of(destination.direction)
    this.#counters.connectionOpened()
    this.#http2 = new H2Connection(
      'server',
      new HeadEncoder(new HpackEncoder(host.h2Limits.headerTableSize)),
      host.h2Limits,
      this,
      this,
    )
    this.#lastActive = host.ticker.now
    this.#limit = undefined
    this.#successor = undefined
    connection.receiver = this
  }

  /** Begins, with bytes that were read already. */
  start(bytes: Buffer): void {
    this.connection.readStart()
    this.#http2.start()
    if (this.host.isDraining) this.drain()
    this.#http2.read(bytes)
  }

  // Of the socket.

  onData(_: Connection, chunk: Buffer): void {
    this.#lastActive = this.host.ticker.now
    if (!this.#isFailed) this.#http2.read(chunk)
  }

  onDrain(): void {
    this.#lastActive = this.host.ticker.now
    if (this.#outlet.drained()) this.#http2.drained()
    this.#settle()
  }

  onEnd(): void {
    // Nobody can acknowledge anything any more, nor widen a window.
    this.#lost('ended')
  }

  onFinished(): void {
    // Its end is left to whoever ends it.
  }

  onError(_: Connection, code: string): void {
    this.#lost(code)
  }

  // Of the codec.

  write(bytes: Buffer): boolean {
    return !this.#isGone && this.#outlet.write(bytes)
  }

  schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.host.turn.add(this)
  }

  leaveRead(): void {
    this.connection.leave()
  }

  receiverFor(stream: H2Stream): StreamReceiver {
    return new H2Request(stream, this)
  }

  onFailed(code: number, details: string): void {
    this.#isFailed = true
    this.#counters.goawaySent(code)
    const limit = this.#limit
    if (limit !== undefined) this.host.broken(this, 'http2-limit', limit)
    else this.host.broken(this, 'http2-error', `${h2ErrorName(code)}, ${details}`)
    this.schedule()
  }

  onGoaway(code: number): void {
    this.#counters.goawayReceived(code)
    // The client opens no more streams: with the last one it is over.
    this.schedule()
  }

  onRoom(): void {
    if (this.#http2.isDone) this.schedule()
  }

  onLimit(name: H2LimitName): void {
    this.#counters.limit(name)
    this.#limit = name
  }

  onRefused(reason: string): void {
    this.host.refused(this, 'request-refused', reason)
  }

  onReset(code: number, isOurs: boolean): void {
    if (isOurs) this.#counters.resetSent(code)
    else this.#counters.resetReceived(code)
  }

  // Of the requests.

  began(request: H2Request): void {
    this.#counters.streamOpened()
    request.place = this.#active.push(request) - 1
  }

  ended(request: H2Request): void {
    const last = this.#active.pop()
    if (last !== undefined && last !== request) {
      this.#active[request.place] = last
      last.place = request.place
    }
    request.place = -1
    this.#counters.streamClosed()
    if (this.#isClosed && this.#active.length === 0) this.host.closed(this)
    else if (this.#http2.isDone) this.schedule()
  }

  /** The turn is over. */
  flush(): void {
    this.#isScheduled = false
    if (this.#isGone) return
    this.#http2.flush()
    this.#settle()
  }

  sweep(now: Millis): void {
    const { idleTimeout } = this.destination
    this.#successor?.sweep(now, idleTimeout)
    if (!this.#isGone) this.#http2.sweep(now)
    for (let at = this.#active.length - 1; at >= 0; at--) this.#active[at]?.sweep(now)
    if (this.#isGone) return
    const idle = now - this.#lastActive
    const isUnused = this.#active.length === 0
    const isLeaving = this.#isFailed || (this.#isDraining && isUnused)
    if (isLeaving && idle >= PATIENCE && !this.#outlet.isEmpty) this.#reset()
    else if (isUnused && idleTimeout > 0 && idle >= idleTimeout) this.#endIdle(idle - idleTimeout)
    else if (idle >= 2 * TICK && isUnused) this.connection.rest()
  }

  drain(): void {
    if (this.#isGone || this.#isDraining) return
    this.#isDraining = true
    this.#counters.goawaySent(H2Error.none)
    this.#http2.drain()
    this.schedule()
  }

  abort(error: ErrorCode): void {
    for (const request of [...this.#active]) request.abort(error)
    this.#successor?.abort(error)
    if (!this.#isGone) this.#reset()
  }

  #endIdle(since: Millis): void {
    if (since >= PATIENCE) this.#reset()
    else this.drain()
  }

  /** The client is gone: so is what it asked for. */
  #lost(details: string): void {
    if (this.#isGone) return
    this.#http2.lost(details)
    this.#reset()
  }

  /** Ends the connection if nothing is left to be done on it, or may be. */
  #settle(): void {
    if (this.#isGone) return
    const isDone = this.#http2.isDone && this.#active.length === 0
    if (!this.#isFailed && !isDone) return
    this.#http2.flush()
    // What waits for the kernel must leave first.
    if (this.#outlet.isEmpty) this.#farewell()
  }

  #farewell(): void {
    this.#isGone = true
    this.#successor = new Lingering(this.connection, this.#outlet, false, () => {
      this.#closed()
    })
  }

  #reset(): void {
    this.#isGone = true
    this.connection.reset()
    this.#closed()
  }

  #closed(): void {
    this.#isClosed = true
    this.#counters.connectionClosed()
    // A request may be left that its client has sent and had answered, and its endpoint not taken yet.
    if (this.#active.length === 0) this.host.closed(this)
  }
}
