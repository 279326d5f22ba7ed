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
import { Ticker } from '../net/ticker.ts'
import type { Carried } from '../stack/carried.ts'
import type { CounterRegistry, Direction } from '../stack/counters.ts'
import type { Destination } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { resumePending } from './balancing.ts'
import { pathOf } from './path.ts'
import { type Holder, Session, type SessionHost } from './session.ts'

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

/** A connection that was let in. */
export interface Admitted {
  /** Undefined if it was gone before we asked. */
  readonly client: SocketAddress | undefined
  /** How often it has come through this very process. */
  readonly depth: number
}

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
  readonly #open = new Set<Carried>()
  /** Depths by both addresses of our connections to endpoints: what arrives with the same two is our own. */
  readonly #depths = new Map<string, number>()
  /** The addresses at which a port is ours. */
  readonly #ownPorts = new Map<number, string[]>()
  readonly #whenEmpty: (() => void)[] = []
  readonly #everyTick: ((now: number) => void)[] = []

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

  /**
   * Lets a connection in, or refuses it. `dialled` is the address that the client connected to. What is made of it is
   * to be given to `carry`, and said to be `closed`.
   */
  admit(
    downstream: Connection,
    destination: Destination,
    dialled: SocketAddress | undefined,
  ): Admitted | undefined {
    const client = downstream.remote()
    const depth = this.#depthOf(client, dialled)
    const refusal = this.#whyRefused(destination, depth)
    if (refusal === undefined) return { client, depth }
    this.refuse(downstream, destination.direction, refusal)
    return undefined
  }

  carry(carried: Carried): void {
    this.#open.add(carried)
  }

  closed(carried: Carried): void {
    if (!this.#open.delete(carried)) return
    if (this.#open.size === 0) for (const tell of this.#whenEmpty.splice(0)) tell()
  }

  /** Joins a connection that was let in with an endpoint; with a holder, once the client's bytes are settled. */
  start(
    downstream: Connection,
    destination: Destination,
    { client, depth }: Admitted,
    holder?: Holder,
  ): Session | undefined {
    const refusal = whyFull(destination)
    if (refusal !== undefined) {
      this.refuse(downstream, destination.direction, refusal)
      return undefined
    }
    const session = new Session(this, downstream, destination, client, depth, holder)
    this.carry(session)
    destination.open += 1
    session.attempt()
    return session
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

  connecting(depth: number, upstream: string): void {
    this.#depths.set(upstream, depth)
  }

  disconnected(upstream: string): void {
    this.#depths.delete(upstream)
  }

  connectFailed(attempt: number, endpoint: Endpoint, reason: ErrorCode, errno: string): void {
    const { direction, service } = endpoint.counters
    endpoint.counters.countConnectFailure(reason)
    this.#log.warn({
      event: 'connect-failed',
      direction,
      service,
      endpoint: endpoint.key,
      error: reason,
      errno,
      attempt,
      message: `${reason}: ${endpoint.key} (${errno})`,
    })
  }

  ended(session: Session, error: MeshError | undefined): void {
    if (!this.#open.has(session)) return
    session.destination.open -= 1
    if (error !== undefined) this.#counters.countError(session.destination.direction, error.code)
    this.#logEnd(session, error)
    this.closed(session)
    const { destination } = session
    if (destination.pending.length > 0) resumePending(destination, this.clock.now())
  }

  /** Resolves when no connection is open; after `grace` milliseconds those that are left are reset. */
  async drain(grace: number): Promise<void> {
    for (const carried of [...this.#open]) carried.drain()
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
    for (const carried of [...this.#open]) carried.abort('drain-timeout')
  }

  /** Calls `task` about once a second. */
  eachTick(task: (now: number) => void): void {
    this.#everyTick.push(task)
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
    return undefined
  }

  #depthOf(client: SocketAddress | undefined, dialled: SocketAddress | undefined): number {
    if (client === undefined || dialled === undefined) return 1
    return (this.#depths.get(pathOf(client, dialled)) ?? 0) + 1
  }

  #sweep(now: number): void {
    this.#counters.expire(now)
    for (const carried of this.#open) carried.sweep(now)
    for (const task of this.#everyTick) task(now)
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

function whyFull({ open, service, maxConnections }: Destination): MeshError | undefined {
  if (open < maxConnections) return undefined
  return new MeshError('connection-limit', { limit: maxConnections, scope: service })
}
