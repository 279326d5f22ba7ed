// The life of one connection after it is known where it goes: choose an endpoint, connect, on failure choose
// another, relay, end.
//
// Until the relay starts no byte of the client has been read, so connecting anew is always safe. Every way out goes
// through `#close`, which tells the registry once. Where the connection goes is decided before (outbound.ts,
// inbound.ts); what is logged and counted about it is in sessions.ts.

import type { SocketAddress } from '../../lib/address.ts'
import type { Timer } from '../../lib/clock.ts'
import { type ErrorCode, type ErrorContext, MeshError } from '../../lib/errors.ts'
import type { Connection, Dial, Dialer } from '../net/connection.ts'
import { Relay, type RelayEnd, type RelayOwner } from '../net/relay.ts'
import type { Choice, Destination } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import type { Sessions } from './sessions.ts'

/** Endpoints are tried until each has failed, but none is begun with after so many connect timeouts. */
const MAX_CONNECT_TIMEOUTS = 5

const CONNECT_ERRORS: Readonly<Record<string, ErrorCode>> = {
  ECONNREFUSED: 'endpoint-refused',
  ETIMEDOUT: 'endpoint-timeout',
  EHOSTUNREACH: 'endpoint-unreachable',
  ENETUNREACH: 'endpoint-unreachable',
  EMFILE: 'connection-limit',
  ENFILE: 'connection-limit',
  EADDRNOTAVAIL: 'connection-limit',
}

export class Session implements Choice, Dialer, RelayOwner {
  readonly destination: Destination
  readonly downstream: Connection
  /** The client's address, undefined if it was gone before we asked. */
  readonly client: SocketAddress | undefined
  /** How many sessions of this very process the connection has come through. */
  readonly depth: number
  readonly startedAt: number
  readonly tried: Endpoint[] = []
  relay: Relay | undefined
  endpoint: Endpoint | undefined
  /** Our own address towards the endpoint. */
  local: SocketAddress | undefined
  now: number
  readonly #sessions: Sessions
  #dial: Dial | undefined
  #timer: Timer | undefined
  #lastFailure: ErrorCode = 'no-endpoints'

  constructor(
    sessions: Sessions,
    downstream: Connection,
    destination: Destination,
    client: SocketAddress | undefined,
    depth: number,
  ) {
    this.#sessions = sessions
    this.downstream = downstream
    this.destination = destination
    this.client = client
    this.depth = depth
    this.startedAt = sessions.clock.now()
    this.now = this.startedAt
  }

  get source(): string {
    return this.client?.ip ?? ''
  }

  /** Chooses an endpoint that was not tried and connects to it. */
  attempt(): void {
    this.now = this.#sessions.clock.now()
    const spent = this.now - this.startedAt
    const endpoint =
      spent < MAX_CONNECT_TIMEOUTS * this.destination.connectTimeout
        ? this.destination.picker.pick(this)
        : undefined
    if (endpoint === undefined) {
      this.#fail(this.#lastFailure, { tried: this.tried.length })
      return
    }
    if (this.#sessions.isOwnPort(endpoint.address)) {
      this.#fail('proxy-loop', { target: endpoint.key })
      return
    }
    this.endpoint = endpoint
    endpoint.open += 1
    this.#timer = this.#sessions.clock.after(this.destination.connectTimeout, () => {
      this.#dial?.cancel()
      this.onConnectFailed('ETIMEDOUT')
    })
    this.#dial = this.#sessions.connect(endpoint.address, this)
    this.#noteLocal()
    if (this.local === undefined) {
      process.nextTick(() => {
        this.#noteLocal()
      })
    }
  }

  onConnected(upstream: Connection): void {
    const endpoint = this.#dialDone()
    if (endpoint === undefined) {
      upstream.reset()
      return
    }
    endpoint.connectSucceeded()
    endpoint.counters.opened += 1
    this.relay = new Relay(
      this.downstream,
      upstream,
      endpoint.counters,
      this.#sessions.ticker,
      this,
    )
    this.relay.start()
  }

  onConnectFailed(code: string): void {
    const endpoint = this.#dialDone()
    if (endpoint === undefined) return
    const reason = CONNECT_ERRORS[code] ?? 'connect-failed'
    this.#sessions.disconnected(this)
    endpoint.open -= 1
    this.endpoint = undefined
    this.tried.push(endpoint)
    this.#lastFailure = reason
    this.#sessions.connectFailed(this, endpoint, reason, code)
    // What this machine lacks (ports, descriptors) it lacks for every endpoint.
    if (reason === 'connection-limit') {
      this.#fail(reason, { errno: code })
      return
    }
    endpoint.connectFailed(this.#sessions.clock.now())
    this.attempt()
  }

  onRelayEnd(end: RelayEnd): void {
    if (end.kind === 'finished') this.#close(undefined)
    else this.#close(new MeshError(`${end.side}-reset`, { errno: end.code }))
  }

  /** Ends it with a reset to both sides. */
  abort(code: ErrorCode): void {
    this.#dial?.cancel()
    this.#dialDone()
    this.relay?.abort()
    this.#fail(code)
  }

  /** Our own address must be known before our own listener is told of the connection, or a loop goes unseen. */
  #noteLocal(): void {
    if (this.#dial === undefined) return
    this.local = this.#dial.local
    this.#sessions.connecting(this)
  }

  #fail(code: ErrorCode, context: ErrorContext = {}): void {
    this.downstream.reset()
    this.#close(new MeshError(code, context))
  }

  #dialDone(): Endpoint | undefined {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#dial = undefined
    return this.endpoint
  }

  #close(error: MeshError | undefined): void {
    const { endpoint } = this
    this.#sessions.disconnected(this)
    if (endpoint !== undefined) {
      endpoint.open -= 1
      if (this.relay !== undefined) endpoint.counters.closed += 1
    }
    this.#sessions.ended(this, error)
    // From here on an outcome that comes too late belongs to nobody.
    this.endpoint = undefined
  }
}
