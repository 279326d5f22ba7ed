// The HTTP/2 connections to one endpoint: normally one, which the requests of all clients share.
//
// The first that has room is used first, so that those in excess grow old and are closed; another one is opened only
// when all have as many streams as the endpoint allows. Requests wait while it is dialled, or until there is room. One
// that said GOAWAY gets no more of them. What happens to a request that fails is decided above.

import type { Millis } from '../../lib/duration.ts'
import type { H2Limits } from '../http/h2/h2-limits.ts'
import type { Connection } from '../net/connection.ts'
import type { Turn } from '../net/turn.ts'
import type { Endpoint, Pool } from '../stack/endpoint.ts'
import type { Exchange } from '../stack/exchange.ts'
import type { Http2Counters } from '../stack/http2-counters.ts'
import { EndpointPool } from './endpoint-pool.ts'
import { H2Upstream, type H2UpstreamHost } from './h2-upstream.ts'
import type { Held } from './pool-dial.ts'
import type { PoolHost } from './pool-host.ts'

/** An idle connection is closed after so long; nginx and Envoy wait longer by themselves. */
const IDLE_TIMEOUT: Millis = 60_000
/** What an endpoint is taken to allow before it has said (RFC 9113 section 6.5.2 recommends no less). */
const PRESUMED_STREAMS = 100

export class H2Pool extends EndpointPool implements Pool, H2UpstreamHost {
  readonly h2Limits: H2Limits
  readonly turn: Turn
  readonly http2: Http2Counters
  /** As many as the endpoint has allowed last. */
  presumedStreams: number = PRESUMED_STREAMS
  /** Those that are open, and of them those that take requests. */
  readonly #all = new Set<H2Upstream>()
  readonly #usable: H2Upstream[] = []
  /** Connections that were lost. */
  #losses = 0

  constructor(endpoint: Endpoint, http2: Http2Counters, host: PoolHost) {
    super(endpoint, host)
    this.http2 = http2
    this.h2Limits = host.h2Limits
    this.turn = host.turn
  }

  /** Connections that are open or being opened. */
  get size(): number {
    return this.#all.size + this.dials.size
  }

  get hasIdle(): boolean {
    return this.#usable.some(({ hasRoom }) => hasRoom)
  }

  hasIdleFor(exchange: Exchange): boolean {
    return this.#roomFor(exchange) !== undefined || this.waiting.length < this.dialledRoom
  }

  open(exchange: Exchange): void {
    exchange.lowest = this
    const connection = this.#roomFor(exchange)
    if (connection !== undefined) {
      connection.carry(exchange)
      return
    }
    this.waiting.push(exchange)
    if (this.waiting.length > this.dialledRoom) this.dialFor(exchange)
  }

  roomMade(connection: H2Upstream): void {
    if (connection.allows(this.presumedStreams)) this.presumedStreams = connection.allowedStreams
    if (this.waiting.length > 0) this.#serve(connection)
    const { destination } = connection.held
    if (destination.pending.length > 0) this.host.roomMade(destination)
  }

  /** Requests that find no room have others dialled: to keep one is enough for the endpoint's second thoughts. */
  useless(connection: H2Upstream): void {
    if (this.#usable.length < 2) return
    connection.leave()
    this.leaving(connection)
  }

  leaving(connection: H2Upstream): void {
    const at = this.#usable.indexOf(connection)
    if (at >= 0) this.#usable.splice(at, 1)
    this.#dialForWaiting()
  }

  lost(connection: H2Upstream): void {
    this.#all.delete(connection)
    this.#losses += 1
    this.http2.connectionClosed()
    this.gone(connection.held)
    this.leaving(connection)
    this.placeFree(connection.held.destination)
  }

  failed(code: number, details: string): void {
    this.host.brokeRules(this.endpoint, code, details)
  }

  retire(): void {
    this.isRetired = true
    for (const connection of [...this.#all]) {
      if (connection.isIdle) connection.close()
      else connection.leave()
    }
    this.#usable.length = 0
  }

  /** Closes a connection that carries nothing, to make room. False if there is none. */
  evict(): boolean {
    const idle = this.#usable.find(({ isIdle }) => isIdle)
    if (idle === undefined) return false
    this.evictFor(idle)
    return true
  }

  /** Closes what was idle for too long. True if nothing is left, and nothing will come. */
  sweep(now: Millis): boolean {
    for (const connection of [...this.#all]) connection.sweep(now, IDLE_TIMEOUT)
    return this.isRetired && this.size === 0
  }

  protected override take(connection: Connection, held: Held): void {
    this.http2.connectionOpened()
    const upstream = new H2Upstream(connection, this, held, this.#losses)
    this.#all.add(upstream)
    this.#usable.push(upstream)
    this.#serve(upstream)
    this.#dialForWaiting()
    // Requests that were waiting are still sent; the next one needs another pool.
    if (this.isRetired) upstream.leave()
  }

  /** Streams that the connections being dialled are taken to have. */
  protected override get dialledRoom(): number {
    return this.dials.size === 0 ? 0 : this.dials.size * this.presumedStreams
  }

  #roomFor(exchange: Exchange): H2Upstream | undefined {
    for (const connection of this.#usable) {
      if (connection.hasRoom && this.#suits(connection, exchange)) return connection
    }
    return undefined
  }

  /** A request that a connection has failed does not go to another one that may be as old. */
  #suits({ generation }: H2Upstream, { needsNew }: Exchange): boolean {
    return !needsNew || generation === this.#losses
  }

  /** Those that have waited longest go first. */
  #serve(connection: H2Upstream): void {
    while (this.waiting.length > 0 && connection.hasRoom) {
      const at = this.waiting.findIndex((exchange) => this.#suits(connection, exchange))
      const next = at < 0 ? undefined : this.waiting.splice(at, 1)[0]
      if (next === undefined) return
      connection.carry(next)
    }
  }

  /** What they have waited for is gone, or has less room than it was taken to have. */
  #dialForWaiting(): void {
    while (this.waiting.length > this.dialledRoom) {
      const [first] = this.waiting
      if (first === undefined) return
      const { open, maxConnections } = first.destination
      // With none to wait for they would wait for ever.
      if (open >= maxConnections && this.size > 0) return
      this.dialFor(first)
    }
  }
}
