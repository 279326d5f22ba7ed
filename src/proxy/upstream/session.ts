// The life of one connection after it is known where it goes: choose an endpoint, connect, on failure choose
// another, relay, end.
//
// Until the relay starts no byte of the client has been read, so connecting anew is always safe. Every way out goes
// through `#close`, which tells the registry once. Where the connection goes is decided before (outbound.ts,
// inbound.ts); what is logged and counted about it is in sessions.ts.

import type { SocketAddress } from '../../lib/address.ts'
import type { Clock, Timer } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import { type ErrorCode, type ErrorContext, MeshError } from '../../lib/errors.ts'
import type { Connection, Dial, Dialer } from '../net/connection.ts'
import { NO_OPENING, type Opening, Relay, type RelayEnd, type RelayOwner } from '../net/relay.ts'
import { TICK, type Ticker } from '../net/ticker.ts'
import type { Carried } from '../stack/carried.ts'
import type { Choice, Destination } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { NO_AFFINITY } from '../stack/exchange.ts'
import { connectError } from './connect-error.ts'
import { pathOf } from './path.ts'

/** Endpoints are tried until each has failed, but none is begun with after so many connect timeouts. */
const MAX_CONNECT_TIMEOUTS = 5

/**
 * The bytes of the client wait so long, if the endpoint failed last: a sidecar accepts for an application that is not
 * there and resets in the next moment, and only a connection that carried nothing may go elsewhere.
 */
const PROBATION: Millis = 20

/** What all sessions of a proxy share: the world around one of them. */
export interface SessionHost {
  readonly clock: Clock
  readonly ticker: Ticker
  connect(address: SocketAddress, dialer: Dialer): Dial
  isOwnPort(address: SocketAddress): boolean
  /** `upstream` is the path (see `pathOf`) of a connection to an endpoint that begins, or has ended. */
  connecting(depth: number, upstream: string): void
  disconnected(upstream: string): void
  connectFailed(attempt: number, endpoint: Endpoint, reason: ErrorCode, errno: string): void
  ended(session: Session, error: MeshError | undefined): void
}

/** Who keeps the client's bytes until it is known what they are. */
export interface Holder {
  /** The server speaks first, or ends: what was kept is wanted now. False if these bytes of its say otherwise. */
  onServerFirst(bytes: Buffer | undefined): boolean
  /** There is no connection to any endpoint, and the session is over; the client's connection is left as it is. */
  onFailed(): void
  /** Once a second. */
  onTick(): void
  /** Nothing new is taken: a client that has said nothing is let go. */
  drain(): void
}

export class Session implements Choice, Dialer, RelayOwner, Carried {
  readonly destination: Destination
  readonly downstream: Connection
  /** The client's address, undefined if it was gone before we asked. */
  readonly client: SocketAddress | undefined
  /** How many sessions of this very process the connection has come through. */
  readonly depth: number
  readonly startedAt: number
  /** Connections are not balanced by what requests do: ejections are not for them. */
  readonly isPanicking = true
  readonly lot: number = NaN
  readonly tried: Endpoint[] = []
  relay: Relay | undefined
  endpoint: Endpoint | undefined
  now: number
  readonly affinity: number = NO_AFFINITY
  readonly #host: SessionHost
  /** Both addresses of the connection to the endpoint, empty while there is none. */
  #upstream = ''
  #dial: Dial | undefined
  #timer: Timer | undefined
  /** Of the tried ones, those that did not answer at all. */
  readonly #silent: Endpoint[] = []
  /** Set as long as the client's bytes are in other hands. */
  #holder: Holder | undefined
  #opening: Opening = NO_OPENING
  #attempts = 0
  #lastFailure: ErrorCode = 'no-endpoints'

  constructor(
    host: SessionHost,
    downstream: Connection,
    destination: Destination,
    client: SocketAddress | undefined,
    depth: number,
    holder?: Holder,
  ) {
    this.#host = host
    this.#holder = holder
    this.downstream = downstream
    this.destination = destination
    this.client = client
    this.depth = depth
    this.startedAt = host.clock.now()
    this.now = this.startedAt
  }

  get source(): string {
    return this.client?.ip ?? ''
  }

  /** Chooses an endpoint and connects to it. */
  attempt(): void {
    this.now = this.#host.clock.now()
    if (this.#attempts > 0 && this.downstream.isGone()) {
      this.#fail('downstream-reset')
      return
    }
    const endpoint = this.#choose()
    if (endpoint === undefined) {
      this.#fail(this.#lastFailure, { attempts: this.#attempts })
      return
    }
    if (this.#host.isOwnPort(endpoint.address)) {
      this.#fail('proxy-loop', { target: endpoint.key })
      return
    }
    this.endpoint = endpoint
    this.#attempts += 1
    endpoint.probing(this.now, this.destination.connectTimeout)
    endpoint.open += 1
    const dial = this.#host.connect(endpoint.address, this)
    this.#dial = dial
    // Streams know their own address a tick later; a connection that comes back to us takes longer.
    if (!this.#register(dial, endpoint)) process.nextTick(() => this.#register(dial, endpoint))
    this.#timer = this.#host.clock.after(this.destination.connectTimeout, () => {
      // An answer that has long arrived must not lose against a timer that ran out in a stall.
      this.#host.clock.afterPoll(() => {
        if (this.#dial === dial) this.#timeOut(dial)
      })
    })
  }

  onConnected(upstream: Connection): void {
    const endpoint = this.#dialDone()
    if (endpoint === undefined) {
      upstream.reset()
      return
    }
    endpoint.counters.opened += 1
    this.relay = new Relay(this.downstream, upstream, endpoint.counters, this.#host.ticker, this)
    this.relay.start()
    if (this.#holder === undefined) this.#join(endpoint, this.relay)
  }

  /** The client's bytes are for the endpoint as they are. */
  settle(opening: Opening): void {
    this.#holder = undefined
    this.#opening = opening
    if (this.relay !== undefined && this.endpoint !== undefined) {
      this.#join(this.endpoint, this.relay)
    }
  }

  /** The client's bytes are for others: the connection that was made or begun beforehand is given up. */
  abandon(): void {
    this.#dial?.cancel()
    this.#dialDone()
    this.relay?.upstream.reset()
    this.#close(undefined)
  }

  onServerFirst(bytes: Buffer | undefined): boolean {
    return this.#holder?.onServerFirst(bytes) ?? true
  }

  onConnectFailed(code: string): void {
    const endpoint = this.#dialDone()
    if (endpoint === undefined) return
    this.#tryAnother(endpoint, connectError(code), code)
  }

  onRelayEnd(end: RelayEnd): void {
    if (end.kind === 'finished') {
      this.endpoint?.proved()
      this.#close(undefined)
    } else if (end.kind === 'broken') {
      // Bytes of the client went, so nothing may be tried again; but the next ones should go elsewhere.
      if (end.side === 'upstream' && this.relay?.sent === 0 && this.#isYoung()) {
        this.endpoint?.connectFailed(this.#host.clock.now())
      }
      this.#close(new MeshError(`${end.side}-reset`, { errno: end.code }))
    } else if (this.endpoint !== undefined && this.#isYoung()) {
      this.#timer?.cancel()
      this.relay = undefined
      this.endpoint.counters.closed += 1
      this.#tryAnother(this.endpoint, 'endpoint-reset', end.code)
    } else {
      this.downstream.reset()
      this.#close(new MeshError('upstream-reset', { errno: end.code }))
    }
  }

  sweep(now: number): void {
    this.#holder?.onTick()
    const { relay, destination } = this
    if (relay === undefined) return
    const idle = now - relay.lastActive
    if (destination.idleTimeout > 0 && idle >= destination.idleTimeout) {
      this.abort('idle-timeout')
      return
    }
    if (idle >= TICK) relay.look()
    // At every tick, since one can come late; it costs nothing where there is nothing left to give back.
    if (idle >= 2 * TICK) relay.rest()
  }

  /** A connection ends when its ends do. One that nobody has used yet is let go: that loses nothing. */
  drain(): void {
    this.#holder?.drain()
  }

  /** Ends it with a reset to both sides. */
  abort(code: ErrorCode): void {
    this.#holder = undefined
    this.#dial?.cancel()
    this.#dialDone()
    this.relay?.abort()
    this.#fail(code)
  }

  #join(endpoint: Endpoint, relay: Relay): void {
    if (endpoint.failures === 0) {
      relay.release(this.#opening)
      return
    }
    this.#timer = this.#host.clock.after(PROBATION, () => {
      endpoint.proved()
      relay.release(this.#opening)
    })
  }

  /** What is reset later than a connect may take was a good connection, even if it was never used. */
  #isYoung(): boolean {
    return this.#host.clock.now() - this.now < this.destination.connectTimeout
  }

  #register(dial: Dial, endpoint: Endpoint): boolean {
    if (this.#dial !== dial || dial.local === undefined) return false
    this.#upstream = pathOf(dial.local, endpoint.address)
    this.#host.connecting(this.depth, this.#upstream)
    return true
  }

  #tryAnother(endpoint: Endpoint, reason: ErrorCode, code: string): void {
    this.#host.disconnected(this.#upstream)
    this.#upstream = ''
    endpoint.open -= 1
    this.endpoint = undefined
    this.tried.push(endpoint)
    this.#lastFailure = reason
    this.#host.connectFailed(this.tried.length, endpoint, reason, code)
    // What this machine lacks (ports, descriptors) it lacks for every endpoint.
    if (reason === 'connection-limit') {
      this.#fail(reason, { errno: code })
      return
    }
    endpoint.connectFailed(this.#host.clock.now(), this.now)
    this.attempt()
  }

  #choose(): Endpoint | undefined {
    const limit = MAX_CONNECT_TIMEOUTS * this.destination.connectTimeout
    if (this.now - this.startedAt >= limit) return undefined
    const fresh = this.destination.picker.pick(this)
    if (fresh !== undefined || this.#silent.length === 0) return fresh
    // A lost SYN looks like a dead endpoint: those that said nothing may be asked again, those that refused not.
    for (const endpoint of this.#silent.splice(0))
      this.tried.splice(this.tried.indexOf(endpoint), 1)
    return this.destination.picker.pick(this)
  }

  #timeOut(dial: Dial): void {
    dial.cancel()
    if (this.endpoint !== undefined) this.#silent.push(this.endpoint)
    this.onConnectFailed('ETIMEDOUT')
  }

  #fail(code: ErrorCode, context: ErrorContext = {}): void {
    const holder = this.#holder
    if (holder === undefined) this.downstream.reset()
    this.#close(new MeshError(code, context))
    holder?.onFailed()
  }

  #dialDone(): Endpoint | undefined {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#dial = undefined
    return this.endpoint
  }

  #close(error: MeshError | undefined): void {
    const { endpoint } = this
    this.#timer?.cancel()
    this.#host.disconnected(this.#upstream)
    if (endpoint !== undefined) {
      endpoint.open -= 1
      if (this.relay !== undefined) endpoint.counters.closed += 1
    }
    this.#host.ended(this, error)
    // From here on an outcome that comes too late belongs to nobody.
    this.endpoint = undefined
  }
}
