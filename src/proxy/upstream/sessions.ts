// All connections that this proxy carries at the moment, and what holds for each of them: the limit on their number,
// idle timeouts, loop protection, the end at the drain, one log line when they close.
//
// One sweep a second looks at all of them; there is no timer per connection but the one of a connect under way.

import { formatAddress, type SocketAddress } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import { type ErrorCode, MeshError } from '../../lib/errors.ts'
import type { Log } from '../../lib/log.ts'
import type { Connection, Dial, Dialer, SocketOptions, Sockets } from '../net/connection.ts'
import { LocalAddresses } from '../net/local-addresses.ts'
import { TICK, Ticker } from '../net/ticker.ts'
import type { CounterRegistry, Direction } from '../stack/counters.ts'
import type { Destination } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { pathOf, Session, type SessionHost } from './session.ts'

/**
 * As many of the wanted connections as the descriptors are enough for. Without this the runtime would drop, in
 * silence, connections that it has no descriptor for, and discovery could not read its files any more.
 */
export function affordable(wanted: number, descriptors: number): number {
  const most = Math.floor((descriptors - SPARE_DESCRIPTORS) / DESCRIPTORS_EACH)
  return Math.max(1, Math.min(wanted, most))
}

/** A connection may come through this process so often: an outbound and an inbound listener, and then some. */
const MAX_DEPTH = 4

/** Descriptors that are not for connections: the runtime's own, listeners, the admin port, manifests being read. */
const SPARE_DESCRIPTORS = 48
/** What a connection needs: one descriptor to either side. */
const DESCRIPTORS_EACH = 2

export interface SessionLimits extends SocketOptions {
  readonly maxConnections: number
}

export class Sessions implements SessionHost {
  readonly clock: Clock
  readonly ticker: Ticker
  readonly #local: LocalAddresses
  readonly #sockets: Sockets
  readonly #limits: SessionLimits
  readonly #counters: CounterRegistry
  readonly #log: Log
  readonly #open = new Set<Session>()
  /** Sessions by both addresses of their connection to the endpoint: what arrives with the same two is our own. */
  readonly #byUpstream = new Map<string, Session>()
  /** The addresses at which a port is ours. */
  readonly #ownPorts = new Map<number, string[]>()
  readonly #whenEmpty: (() => void)[] = []

  constructor(
    sockets: Sockets,
    clock: Clock,
    limits: SessionLimits,
    counters: CounterRegistry,
    log: Log,
  ) {
    this.#sockets = sockets
    this.clock = clock
    this.#local = new LocalAddresses(clock)
    this.#limits = limits
    this.#counters = counters
    this.#log = log
    this.ticker = new Ticker(clock, (now) => {
      this.#sweep(now)
    })
  }

  get size(): number {
    return this.#open.size
  }

  /** Takes a connection whose destination is known. `dialled` is the address that the client connected to. */
  start(
    downstream: Connection,
    destination: Destination,
    dialled: SocketAddress | undefined,
  ): void {
    const client = downstream.remote()
    const depth = this.#depthOf(client, dialled)
    const refusal = this.#whyRefused(destination, depth)
    if (refusal !== undefined) {
      this.refuse(downstream, destination.direction, refusal)
      return
    }
    const session = new Session(this, downstream, destination, client, depth)
    this.#open.add(session)
    destination.open += 1
    session.attempt()
  }

  /** Resets a connection that is not carried, counts it and says why. */
  refuse(downstream: Connection, direction: Direction, error: MeshError): void {
    const client = downstream.remote()
    downstream.reset()
    this.#counters.countError(direction, error.code)
    this.#log.warn({
      event: 'refused',
      direction,
      error: error.code,
      client: client === undefined ? 'gone' : formatAddress(client.ip, client.port),
      ...error.context,
      message: error.message,
    })
  }

  /** The kernel had no connection for us although there was one. */
  acceptFailed(direction: Direction, errno: string): void {
    this.#counters.countError(direction, 'connection-limit')
    this.#log.error({
      event: 'accept-failed',
      direction,
      error: 'connection-limit',
      errno,
      message: new MeshError('connection-limit', { errno }).message,
    })
  }

  /** Marks a port of ours that no connection may be carried to. `ip` is the address it is bound to. */
  own(address: SocketAddress): void {
    const ips = this.#ownPorts.get(address.port) ?? []
    this.#ownPorts.set(address.port, [...ips, address.ip])
  }

  isOwnPort({ ip, port }: SocketAddress): boolean {
    const bound = this.#ownPorts.get(port)
    if (bound === undefined) return false
    if (bound.includes(ip)) return true
    return (bound.includes('0.0.0.0') || bound.includes('::')) && this.isLocal(ip)
  }

  /** True for an address of this pod. */
  isLocal(ip: string): boolean {
    return this.#local.has(ip)
  }

  connect(address: SocketAddress, dialer: Dialer): Dial {
    return this.#sockets.connect(address, dialer, this.#limits)
  }

  connecting(session: Session, upstream: string): void {
    this.#byUpstream.set(upstream, session)
  }

  disconnected(upstream: string): void {
    this.#byUpstream.delete(upstream)
  }

  connectFailed(session: Session, endpoint: Endpoint, reason: ErrorCode, errno: string): void {
    endpoint.counters.countConnectFailure(reason)
    this.#log.warn({
      event: 'connect-failed',
      direction: session.destination.direction,
      service: session.destination.service,
      endpoint: endpoint.key,
      error: reason,
      errno,
      attempt: session.tried.length,
      message: `${reason}: ${endpoint.key} (${errno})`,
    })
  }

  ended(session: Session, error: MeshError | undefined): void {
    if (!this.#open.delete(session)) return
    session.destination.open -= 1
    if (error !== undefined) this.#counters.countError(session.destination.direction, error.code)
    this.#logEnd(session, error)
    if (this.#open.size === 0) for (const tell of this.#whenEmpty.splice(0)) tell()
  }

  /** Resolves when no connection is open; after `grace` milliseconds those that are left are reset. */
  async drain(grace: number): Promise<void> {
    if (this.#open.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.clock.after(grace, () => {
        this.abort()
      })
      this.#whenEmpty.push(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  /** Resets every connection, so that no peer takes what it has for all there is. */
  abort(): void {
    for (const session of [...this.#open]) session.abort('drain-timeout')
  }

  stop(): void {
    this.ticker.stop()
  }

  #whyRefused(destination: Destination, depth: number): MeshError | undefined {
    if (depth > MAX_DEPTH) {
      return new MeshError('proxy-loop', { service: destination.service, times: depth })
    }
    const limit = Math.min(this.#limits.maxConnections, Number.MAX_SAFE_INTEGER)
    if (this.#open.size >= limit) {
      return new MeshError('connection-limit', { limit, scope: 'proxy' })
    }
    if (destination.open >= destination.maxConnections) {
      const { service, maxConnections } = destination
      return new MeshError('connection-limit', { limit: maxConnections, scope: service })
    }
    return undefined
  }

  #depthOf(client: SocketAddress | undefined, dialled: SocketAddress | undefined): number {
    if (client === undefined || dialled === undefined) return 1
    const parent = this.#byUpstream.get(pathOf(client, dialled))
    return parent === undefined ? 1 : parent.depth + 1
  }

  #sweep(now: number): void {
    this.#counters.expire(now)
    for (const session of this.#open) {
      const { relay, destination } = session
      if (relay === undefined) continue
      const idle = now - relay.lastActive
      if (destination.idleTimeout > 0 && idle >= destination.idleTimeout) {
        session.abort('idle-timeout')
        continue
      }
      if (idle >= TICK) relay.look()
      // At every tick, since one can come late; it costs nothing where there is nothing left to give back.
      if (idle >= 2 * TICK) relay.rest()
    }
  }

  #logEnd(session: Session, error: MeshError | undefined): void {
    if (error === undefined && !this.#log.isLevelEnabled('debug')) return
    const { client, destination, endpoint, relay } = session
    const line = {
      event: 'closed',
      direction: destination.direction,
      client: client === undefined ? 'gone' : formatAddress(client.ip, client.port),
      service: destination.service,
      endpoint: endpoint?.key ?? '',
      received: relay?.received ?? 0,
      sent: relay?.sent ?? 0,
      milliseconds: Math.round(this.clock.now() - session.startedAt),
    }
    if (error === undefined) {
      this.#log.debug(line)
      return
    }
    // A client that hangs up is its own business, and common.
    const level = error.kind.source === 'downstream' ? 'info' : 'warn'
    this.#log[level]({ ...line, error: error.code, ...error.context, message: error.message })
  }
}
