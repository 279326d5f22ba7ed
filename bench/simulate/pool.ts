// The connections to one simulated server: what H1Pool is to a real one, and to the stages above the same.
//
// Connections are numbers here; opening one takes a round trip, and a server that does not listen refuses it. The last
// one used is used first, requests wait for the first that is free, and all break when their server dies.

import type { Clock } from '../../src/lib/clock.ts'
import type { ErrorCode } from '../../src/lib/errors.ts'
import type { Destination } from '../../src/proxy/stack/destination.ts'
import type { Endpoint, Pool } from '../../src/proxy/stack/endpoint.ts'
import type { Exchange } from '../../src/proxy/stack/exchange.ts'
import type { Server, Watcher } from './server.ts'
import { SimulatedUpstream, type UpstreamHost } from './upstream.ts'

export interface PoolHost {
  readonly clock: Clock
  connectFailed(attempt: number, endpoint: Endpoint, reason: ErrorCode, errno: string): void
  /** A connection to the destination is free or gone. */
  roomMade(destination: Destination): void
}

export class SimulatedPool implements Pool, UpstreamHost, Watcher {
  readonly clock: Clock
  readonly server: Server
  readonly #endpoint: Endpoint
  readonly #host: PoolHost
  readonly #waiting: Exchange[] = []
  /** Tries under way, with the destination whose connection each has. */
  readonly #busy = new Map<SimulatedUpstream, Destination>()
  /** Idle connections, by the destination each was opened for. */
  readonly #idle: Destination[] = []
  #dials = 0
  #isRetired = false

  constructor(endpoint: Endpoint, server: Server, host: PoolHost) {
    this.clock = host.clock
    this.server = server
    this.#endpoint = endpoint
    this.#host = host
    server.watch(this)
  }

  get isRetired(): boolean {
    return this.#isRetired
  }

  get hasIdle(): boolean {
    return this.#idle.length > 0
  }

  hasIdleFor(exchange: Exchange): boolean {
    return this.hasIdle && !exchange.needsNew
  }

  open(exchange: Exchange): void {
    exchange.lowest = this
    const held = exchange.needsNew ? undefined : this.#idle.pop()
    if (held !== undefined) {
      this.#carry(exchange, held, true)
      return
    }
    this.#waiting.push(exchange)
    this.#dial(exchange.destination)
  }

  headers(exchange: Exchange): void {
    exchange.chooser?.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    const at = this.#waiting.indexOf(exchange)
    if (at >= 0) this.#waiting.splice(at, 1)
    exchange.chooser?.ended(exchange, error)
  }

  released(upstream: SimulatedUpstream): void {
    const held = this.#busy.get(upstream)
    this.#busy.delete(upstream)
    if (held !== undefined) this.#free(held, true)
  }

  lost(upstream: SimulatedUpstream): void {
    const held = this.#busy.get(upstream)
    this.#busy.delete(upstream)
    if (held !== undefined) this.#close(held)
  }

  evict(): boolean {
    const held = this.#idle.shift()
    if (held === undefined) return false
    // The room belongs to the request that it was made for, not to one that waits.
    held.open -= 1
    return true
  }

  retire(): void {
    this.#isRetired = true
    for (const held of this.#idle.splice(0)) this.#close(held)
  }

  /** The tries themselves are told by the server. */
  connectionsBroken(): void {
    for (const held of this.#idle.splice(0)) this.#close(held)
  }

  #dial(destination: Destination): void {
    destination.open += 1
    this.#dials += 1
    this.clock.after(2 * this.server.distance, () => {
      this.#dials -= 1
      if (this.server.isListening) this.#free(destination, false)
      else this.#refused(destination)
    })
  }

  /** A connection can carry something: whoever has waited longest goes first. */
  #free(held: Destination, isReused: boolean): void {
    const next = this.#nextFor(isReused)
    if (next !== undefined) {
      this.#carry(next, held, isReused)
      return
    }
    if (this.#isRetired) {
      this.#close(held)
      return
    }
    this.#idle.push(held)
    if (held.pending.length > 0) this.#host.roomMade(held)
  }

  #nextFor(isReused: boolean): Exchange | undefined {
    if (!isReused) return this.#waiting.shift()
    const at = this.#waiting.findIndex(({ needsNew }) => !needsNew)
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0]
  }

  #carry(exchange: Exchange, held: Destination, isReused: boolean): void {
    const upstream = new SimulatedUpstream(this, exchange)
    this.#busy.set(upstream, held)
    upstream.carry(isReused)
  }

  #refused(destination: Destination): void {
    destination.open -= 1
    const first = this.#waiting[0]
    this.#host.connectFailed(
      first?.attempt ?? 0,
      this.#endpoint,
      'endpoint-refused',
      'ECONNREFUSED',
    )
    if (first !== undefined && this.#waiting.length > this.#dials) {
      this.#waiting.shift()
      first.details = this.#endpoint.key
      this.ended(first, 'endpoint-refused')
    }
    this.#host.roomMade(destination)
  }

  #close(held: Destination): void {
    held.open -= 1
    this.#host.roomMade(held)
  }
}
