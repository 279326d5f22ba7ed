// The connections to one endpoint that requests share: the last stage before the wire.
//
// The connection that was used last is used first, so that those in excess grow old and are closed. A request that
// finds none waits for the one that is dialled for it or for one that is given back, whichever comes first. Servers
// close idle connections when they like: a request that could not be sent again gets only a connection that was in
// use a moment ago. What happens to a request that fails is decided above.

import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { Limits } from '../http/limits.ts'
import { isSafe } from '../http/method.ts'
import type { Connection } from '../net/connection.ts'
import type { ByteCounters } from '../net/relay.ts'
import type { ConnectionCounters } from '../stack/counters.ts'
import type { Endpoint, Pool } from '../stack/endpoint.ts'
import type { Exchange } from '../stack/exchange.ts'
import { connectError } from './connect-error.ts'
import { H1Upstream, type UpstreamHost } from './h1-upstream.ts'
import type { Leftover } from './leftover.ts'
import { type DialOwner, type Held, PoolDial } from './pool-dial.ts'
import type { PoolHost } from './pool-host.ts'

/** Idle connections kept for an endpoint. */
const MOST_IDLE = 256
/** An idle connection is closed after so long; nginx and Node.js servers wait 75 and 5 seconds by themselves. */
const IDLE_TIMEOUT: Millis = 60_000
/** One that was dialled for a request that another took: a server that stops waits for those that never spoke. */
const UNUSED_TIMEOUT: Millis = 1000
/** A request that cannot be sent again trusts a connection that was idle for no longer than this. */
const TRUSTED_IDLE: Millis = 1000

/** By so much the age at which the server was seen to close is raised each second. */
const FORGETTING = 1.02

export class H1Pool implements Pool, UpstreamHost, DialOwner {
  readonly endpoint: Endpoint
  readonly clock: Clock
  readonly limits: Limits
  readonly counters: ByteCounters & ConnectionCounters
  readonly #host: PoolHost
  readonly #held = new Map<H1Upstream, Held>()
  readonly #idle: H1Upstream[] = []
  readonly #waiting: Exchange[] = []
  /** Those that are over are let go of within a second. */
  readonly #leftovers = new Set<Leftover>()
  readonly #dials = new Set<PoolDial>()
  /** The shortest idle time after which the server was seen to close. */
  #closedAfter: Millis = Number.POSITIVE_INFINITY
  #isRetired = false
  #isEvicting = false

  constructor(endpoint: Endpoint, host: PoolHost) {
    this.endpoint = endpoint
    this.counters = endpoint.counters
    this.clock = host.clock
    this.limits = host.limits
    this.#host = host
  }

  /** Connections that carry something, are idle, or are being opened. */
  get size(): number {
    return this.#held.size + this.#dials.size
  }

  get isRetired(): boolean {
    return this.#isRetired
  }

  get hasIdle(): boolean {
    return this.#idle.length > 0
  }

  /** An idle connection that this request may be given. */
  hasIdleFor(exchange: Exchange): boolean {
    return this.#trusted(exchange) !== undefined
  }

  open(exchange: Exchange): void {
    exchange.lowest = this
    const idle = this.#take(exchange)
    if (idle !== undefined) {
      idle.carry(exchange)
      return
    }
    this.#waiting.push(exchange)
    this.#dials.add(new PoolDial(this, this.#host, exchange))
  }

  headers(exchange: Exchange): void {
    exchange.chooser?.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    const at = this.#waiting.indexOf(exchange)
    if (at >= 0) this.#waiting.splice(at, 1)
    exchange.chooser?.ended(exchange, error)
  }

  released(connection: H1Upstream, now: Millis): void {
    const next = this.#nextFor(connection)
    if (next !== undefined) {
      connection.carry(next)
      return
    }
    if (this.#isRetired || this.#idle.length >= MOST_IDLE) {
      connection.close()
      return
    }
    connection.idleSince = now
    this.#idle.push(connection)
    const held = this.#held.get(connection)
    if (held !== undefined && held.destination.pending.length > 0) {
      this.#host.roomMade(held.destination)
    }
  }

  /** Who has waited longest, but for those that an old connection has failed already. */
  #nextFor({ uses }: H1Upstream): Exchange | undefined {
    if (this.#waiting.length === 0) return undefined
    if (uses === 0) return this.#waiting.shift()
    const at = this.#waiting.findIndex(({ needsNew }) => !needsNew)
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0]
  }

  lost(connection: H1Upstream): void {
    const held = this.#held.get(connection)
    if (held === undefined) return
    this.#held.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at >= 0) {
      this.#idle.splice(at, 1)
      const age = this.clock.now() - connection.idleSince
      if (age < this.#closedAfter) this.#closedAfter = age
    }
    this.counters.closed += 1
    this.#host.disconnected(held.path)
    held.destination.open -= 1
    // The room of an evicted connection belongs to the request it was made for, not to one that waits.
    if (!this.#isEvicting) this.#host.roomMade(held.destination)
  }

  draining(leftover: Leftover): void {
    this.#leftovers.add(leftover)
  }

  refused(reason: string): void {
    this.#host.refused(this.endpoint, reason)
  }

  retire(): void {
    this.#isRetired = true
    for (const connection of this.#idle.splice(0)) connection.close()
  }

  /** Closes the connection that was idle for longest, to make room. False if none is idle. */
  evict(): boolean {
    const oldest = this.#idle.shift()
    if (oldest === undefined) return false
    this.#isEvicting = true
    oldest.close()
    this.#isEvicting = false
    return true
  }

  /** Closes what was idle for too long. True if nothing is left, and nothing will come. */
  sweep(now: Millis): boolean {
    for (let at = this.#idle.length - 1; at >= 0; at -= 1) {
      const connection = this.#idle[at]
      // Room that is made may be taken at once, from behind.
      if (connection === undefined || now - connection.idleSince < this.#patience(connection))
        continue
      this.#idle.splice(at, 1)
      connection.close()
    }
    for (const connection of this.#idle) connection.rest()
    for (const leftover of this.#leftovers) if (leftover.sweep()) this.#leftovers.delete(leftover)
    // A server that was restarted closes connections of any age; that is forgotten in a few minutes.
    this.#closedAfter *= FORGETTING
    return this.#isRetired && this.size === 0
  }

  dialled(dial: PoolDial, connection: Connection): void {
    this.#dials.delete(dial)
    this.counters.opened += 1
    const upstream = new H1Upstream(connection, this)
    this.#held.set(upstream, { destination: dial.destination, path: dial.path })
    this.released(upstream, this.clock.now())
  }

  dialFailed(dial: PoolDial, errno: string): void {
    this.#dials.delete(dial)
    this.#host.disconnected(dial.path)
    dial.destination.open -= 1
    const reason = connectError(errno)
    const first = this.#waiting[0]
    this.#host.connectFailed(first?.attempt ?? 0, this.endpoint, reason, errno)
    if (first !== undefined && this.#waiting.length > this.#dials.size) {
      this.#waiting.shift()
      first.details = this.endpoint.key
      this.ended(first, reason)
    }
    this.#host.roomMade(dial.destination)
  }

  #take(exchange: Exchange): H1Upstream | undefined {
    const last = this.#trusted(exchange)
    if (last !== undefined) this.#idle.pop()
    return last
  }

  #trusted(exchange: Exchange): H1Upstream | undefined {
    if (exchange.needsNew) return undefined
    const last = this.#idle[this.#idle.length - 1]
    if (last === undefined) return undefined
    const trusted = isSafe(exchange.request.method)
      ? this.#patience(last)
      : Math.min(TRUSTED_IDLE, this.#patience(last) / 2, this.#closedAfter / 2)
    return exchange.now - last.idleSince > trusted ? undefined : last
  }

  /** How long a connection may be idle. A second before the server's own time is over, or at half of it. */
  #patience(connection: H1Upstream): Millis {
    if (connection.uses === 0) return UNUSED_TIMEOUT
    const hint = connection.keepAliveHint
    return hint > 0 ? Math.min(IDLE_TIMEOUT, Math.max(hint - 1000, hint / 2)) : IDLE_TIMEOUT
  }
}
