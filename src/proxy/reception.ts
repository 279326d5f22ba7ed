// What becomes of a connection whose destination is known: L4 as it is, HTTP request by request, or whichever of them
// its first bytes say.
//
// A policy's mode goes before the proxy's own; a port that says what it speaks is not looked at. A connection ends as
// it began: changing the mode is for those that follow. Requests take the way that `outbound.ts` and `inbound.ts`
// put together; this is also the world around every request: clock, buffers, counters, log.

import type { SocketAddress } from '../lib/address.ts'
import type { Clock } from '../lib/clock.ts'
import type { ErrorCode } from '../lib/errors.ts'
import type { Log } from '../lib/log.ts'
import { type Random, systemRandom } from '../lib/random.ts'
import { TimerWheel } from '../lib/timer-wheel.ts'
import { Detecting, type DetectingHost } from './detecting.ts'
import { FirstBytes } from './downstream/first-bytes.ts'
import { H1Downstream } from './downstream/h1-downstream.ts'
import { H2Downstream } from './downstream/h2-downstream.ts'
import type { Answered, DownstreamHost } from './downstream/host.ts'
import { HeadWriter } from './http/h1/head-writer.ts'
import { DEFAULT_H2_LIMITS, type H2Limits } from './http/h2/h2-limits.ts'
import { H2Error, h2ErrorName } from './http/h2/protocol.ts'
import { DEFAULT_LIMITS, type Limits } from './http/limits.ts'
import type { Connection, Dial, Dialer } from './net/connection.ts'
import type { Opening } from './net/relay.ts'
import type { Ticker } from './net/ticker.ts'
import { Turn } from './net/turn.ts'
import type { Carried } from './stack/carried.ts'
import type { CounterRegistry } from './stack/counters.ts'
import type { Destination, Mode, Wire } from './stack/destination.ts'
import type { Endpoint, Pool } from './stack/endpoint.ts'
import type { Exchange } from './stack/exchange.ts'
import { grpcStatusOfError } from './stack/grpc.ts'
import type { World } from './stack/world.ts'
import { type BalancingHost, resumePending } from './upstream/balancing.ts'
import { H1Pool } from './upstream/h1-pool.ts'
import { H2Pool } from './upstream/h2-pool.ts'
import type { PoolHost } from './upstream/pool-host.ts'
import type { Session } from './upstream/session.ts'
import type { Admitted, Sessions } from './upstream/sessions.ts'

const NOTHING = Buffer.alloc(0)

/** Whose connection or request it is. */
type Client = Pick<Exchange, 'destination' | 'source'>

export class Reception implements DetectingHost, BalancingHost, PoolHost, World {
  /** For destinations whose policy does not say. */
  mode: Mode
  readonly clock: Clock
  readonly random: Random
  readonly wheel: TimerWheel<Exchange>
  readonly log: Log
  readonly limits: Limits = DEFAULT_LIMITS
  readonly h2Limits: H2Limits
  /** What leaves HTTP/2 connections leaves once a turn. */
  readonly turn: Turn = new Turn()
  readonly #downstreamHost: DownstreamHost
  readonly #sessions: Sessions
  readonly #counters: CounterRegistry
  readonly #pools = new Set<H1Pool | H2Pool>()

  constructor(
    sessions: Sessions,
    mode: Mode,
    counters: CounterRegistry,
    log: Log,
    random: Random = systemRandom,
    h2Limits: H2Limits = DEFAULT_H2_LIMITS,
  ) {
    this.mode = mode
    this.clock = sessions.clock
    this.#sessions = sessions
    this.#counters = counters
    this.log = log
    this.random = random
    this.h2Limits = h2Limits
    this.wheel = new TimerWheel(sessions.clock)
    this.#downstreamHost = this.#makeDownstreamHost(sessions.ticker)
    sessions.eachTick((now) => {
      this.#sweep(now)
    })
  }

  /** Takes a connection whose destination is known. `dialled` is the address that the client connected to. */
  receive(
    connection: Connection,
    destination: Destination,
    dialled: SocketAddress | undefined,
  ): void {
    const admitted = this.#sessions.admit(connection, destination, dialled)
    if (admitted === undefined) return
    const mode = destination.mode ?? this.mode
    if (mode === 'l4' || destination.protocol === 'opaque') {
      this.#sessions.start(connection, destination, admitted)
    } else if (connection.alpn === 'h2') {
      // RFC 9113 section 3.2: agreed on, it is not a matter of the first bytes any more.
      this.#makeHttp2(connection, destination, admitted).start(NOTHING)
    } else if (destination.protocol === 'http') {
      this.#awaitHttp(connection, destination, admitted)
    } else {
      const detecting = new Detecting(connection, destination, admitted, this)
      this.#sessions.carry(detecting)
      detecting.start()
    }
  }

  /** No connection is kept for another request. */
  drain(): void {
    this.#downstreamHost.isDraining = true
  }

  /** Lets go of the connections to endpoints: what is idle is closed at once, the rest when it is done. */
  stop(): void {
    for (const pool of this.#pools) pool.retire()
  }

  speculate(detecting: Detecting): Session | undefined {
    const { connection, destination, admitted } = detecting
    // A request may wait for its turn where a connection may not.
    if (destination.open >= destination.maxConnections) return undefined
    const session = this.#sessions.start(connection, destination, admitted, detecting)
    if (!detecting.isFailed) this.#sessions.closed(detecting)
    return session
  }

  kept(detecting: Detecting): void {
    this.#sessions.carry(detecting)
  }

  http(detecting: Detecting, session: Session | undefined, bytes: Buffer): void {
    const { connection, destination, admitted } = detecting
    const downstream = this.#makeHttp(connection, destination, admitted)
    this.#leave(detecting, session)
    downstream.start(bytes)
  }

  http2(detecting: Detecting, session: Session | undefined, bytes: Buffer): void {
    const { connection, destination, admitted } = detecting
    const downstream = this.#makeHttp2(connection, destination, admitted)
    this.#leave(detecting, session)
    downstream.start(bytes)
  }

  opaque(detecting: Detecting, session: Session | undefined, opening: Opening): void {
    const { connection, destination, admitted } = detecting
    const carrying = session ?? this.#sessions.start(connection, destination, admitted)
    this.#sessions.closed(detecting)
    carrying?.settle(opening)
  }

  lost(detecting: Detecting): void {
    this.#sessions.closed(detecting)
  }

  connect(address: SocketAddress, dialer: Dialer): Dial {
    return this.#sessions.connect(address, dialer)
  }

  connecting(depth: number, path: string): void {
    this.#sessions.connecting(depth, path)
  }

  disconnected(path: string): void {
    this.#sessions.disconnected(path)
  }

  connectFailed(attempt: number, endpoint: Endpoint, reason: ErrorCode, errno: string): void {
    this.#sessions.connectFailed(attempt, endpoint, reason, errno)
  }

  isOwnPort(address: SocketAddress): boolean {
    return this.#sessions.isOwnPort(address)
  }

  makePool(endpoint: Endpoint, wire: Wire): Pool {
    const pool = wire === 'http2' ? this.#makeH2Pool(endpoint) : new H1Pool(endpoint, this)
    this.#pools.add(pool)
    return pool
  }

  roomMade(destination: Destination): void {
    if (destination.pending.length > 0) resumePending(destination, this.clock.now())
  }

  brokeRules({ counters, key }: Endpoint, code: number, details: string): void {
    const { direction, service } = counters
    // What is said to a peer that reached one of our limits.
    const error = code === H2Error.enhanceYourCalm ? 'http2-limit' : 'http2-error'
    this.#counters.http2Of(direction, 'upstream').goawaySent(code)
    this.log.warn({
      event: 'http2-failed',
      direction,
      service,
      endpoint: key,
      error,
      reason: details,
      message: `${error}: ${details} (${h2ErrorName(code)}), to ${key}`,
    })
  }

  refused({ counters, key }: Endpoint, reason: string): void {
    const { direction, service } = counters
    this.#counters.countRefusal(direction, 'response', reason)
    this.log.warn({
      event: 'response-refused',
      direction,
      service,
      endpoint: key,
      error: 'response-refused',
      reason,
      message: `response-refused: ${reason}, from ${key}`,
    })
  }

  #makeH2Pool(endpoint: Endpoint): H2Pool {
    const counters = this.#counters.http2Of(endpoint.counters.direction, 'upstream')
    return new H2Pool(endpoint, counters, this)
  }

  /** A port that is declared to be HTTP: which version of it is for the client to say. */
  #awaitHttp(connection: Connection, destination: Destination, admitted: Admitted): void {
    const source = admitted.client?.ip ?? ''
    const host = this.#downstreamHost
    const first = new FirstBytes(connection, destination, source, host, (wire, bytes) => {
      if (wire === 'http1') this.#makeHttp(connection, destination, admitted).start(bytes)
      else this.#makeHttp2(connection, destination, admitted).start(bytes)
    })
    this.#sessions.carry(first)
    first.start()
  }

  /** It is known what the client speaks, and that is not bytes for an endpoint. */
  #leave(detecting: Detecting, session: Session | undefined): void {
    // Before the request is sent, for it counts among the connections that the destination may have.
    session?.abandon()
    this.#sessions.closed(detecting)
  }

  #makeHttp2(
    connection: Connection,
    destination: Destination,
    { client, depth }: Admitted,
  ): H2Downstream {
    const host = this.#downstreamHost
    const downstream = new H2Downstream(connection, destination, client?.ip ?? '', depth, host)
    this.#sessions.carry(downstream)
    return downstream
  }

  #makeHttp(
    connection: Connection,
    destination: Destination,
    { client, depth }: Admitted,
  ): H1Downstream {
    const host = this.#downstreamHost
    const downstream = new H1Downstream(connection, destination, client?.ip ?? '', depth, host)
    this.#sessions.carry(downstream)
    return downstream
  }

  #makeDownstreamHost(ticker: Ticker): DownstreamHost {
    return {
      clock: this.clock,
      ticker,
      writer: new HeadWriter(),
      limits: this.limits,
      h2Limits: this.h2Limits,
      turn: this.turn,
      isDraining: false,
      refused: (at, error, reason) => {
        this.#refusedRequest(at, error, reason)
      },
      answered: ({ destination, status, requestBytes, isGrpc }: Answered, error) => {
        const line = this.#counters.of(destination.direction, destination.service, '')
        if (error !== undefined) line.forRequests().countFailure(error)
        line.forRequests().record(status, 0, requestBytes, 0)
        if (isGrpc && error !== undefined) {
          line.forRequests().recordCall(grpcStatusOfError(error, status))
        }
      },
      broken: (at, error, details) => {
        this.#brokenConnection(at, error, details)
      },
      http2Of: (direction) => this.#counters.http2Of(direction, 'downstream'),
      closed: (carried: Carried, exchange?: Exchange) => {
        exchange?.letGo(this.wheel)
        this.#sessions.closed(carried)
      },
    }
  }

  #brokenConnection({ destination, source }: Client, error: ErrorCode, details: string): void {
    this.#counters.countError(destination.direction, error)
    this.log.info({
      event: 'http2-failed',
      direction: destination.direction,
      service: destination.service,
      source: source === '' ? 'gone' : source,
      error,
      reason: details,
      message: `${error}: ${details}`,
    })
  }

  #refusedRequest({ destination, source }: Client, error: ErrorCode, reason: string): void {
    this.#counters.countRefusal(destination.direction, 'request', reason === '' ? error : reason)
    this.log.info({
      event: 'request-refused',
      direction: destination.direction,
      service: destination.service,
      source: source === '' ? 'gone' : source,
      error,
      reason,
      message: `${error}: ${reason}`,
    })
  }

  #sweep(now: number): void {
    for (const pool of this.#pools) if (pool.sweep(now)) this.#pools.delete(pool)
  }
}
