// The connections to one endpoint that requests share: the last stage before the wire.
//
// The connection that was used last is used first, so that those in excess grow old and are closed. A request that
// finds none waits for the one that is dialled for it or for one that is given back, whichever comes first. Servers
// close idle connections when they like: a request that could not be sent again gets only a connection that was in
// use a moment ago. What happens to a request that fails is decided above.

import type { Millis } from '../../lib/duration.ts'
import { isSafe } from '../http/method.ts'
import type { Connection } from '../net/connection.ts'
import type { Pool } from '../stack/endpoint.ts'
import type { Exchange } from '../stack/exchange.ts'
import { EndpointPool } from './endpoint-pool.ts'
import { H1Upstream, type UpstreamHost } from './h1-upstream.ts'
import type { Leftover } from './leftover.ts'
import type { Held } from './pool-dial.ts'

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

export class H1Pool extends EndpointPool implements Pool, UpstreamHost {
  readonly #held = new Map<H1Upstream, Held>()
  readonly #idle: H1Upstream[] = []
  /** Those that are over are let go of within a second. */
  readonly #leftovers = new Set<Leftover>()
  /** The shortest idle time after which the server was seen to close. */
  #closedAfter: Millis = Number.POSITIVE_INFINITY

  /** Connections that carry something, are idle, or are being opened. */
  get size(): number {
    return this.#held.size + this.dials.size
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
    const idle = this.#takeIdle(exchange)
    if (idle !== undefined) {
      idle.carry(exchange)
      return
    }
    this.waiting.push(exchange)
    this.dialFor(exchange)
  }

  released(connection: H1Upstream, now: Millis): void {
    const next = this.#nextFor(connection)
    if (next !== undefined) {
      connection.carry(next)
      return
    }
    if (this.isRetired || this.#idle.length >= MOST_IDLE) {
      connection.close()
      return
    }
    connection.idleSince = now
    this.#idle.push(connection)
    const held = this.#held.get(connection)
    if (held !== undefined && held.destination.pending.length > 0) {
      this.host.roomMade(held.destination)
    }
  }

  /** Who has waited longest, but for those that an old connection has failed already. */
  #nextFor({ uses }: H1Upstream): Exchange | undefined {
    if (this.waiting.length === 0) return undefined
    if (uses === 0) return this.waiting.shift()
    const at = this.waiting.findIndex(({ needsNew }) => !needsNew)
    return at < 0 ? undefined : this.waiting.splice(at, 1)[0]
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
    this.gone(held)
    this.placeFree(held.destination)
  }

  draining(leftover: Leftover): void {
    this.#leftovers.add(leftover)
  }

  retire(): void {
    this.isRetired = true
    for (const connection of this.#idle.splice(0)) connection.close()
  }

  /** Closes the connection that was idle for longest, to make room. False if none is idle. */
  evict(): boolean {
    const oldest = this.#idle.shift()
    if (oldest === undefined) return false
    this.evictFor(oldest)
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
    return this.isRetired && this.size === 0
  }

  protected override get dialledRoom(): number {
    return this.dials.size
  }

  protected override take(connection: Connection, { destination, path }: Held): void {
    const upstream = new H1Upstream(connection, this)
    this.#held.set(upstream, { destination, path })
    this.released(upstream, this.clock.now())
  }

  #takeIdle(exchange: Exchange): H1Upstream | undefined {
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
