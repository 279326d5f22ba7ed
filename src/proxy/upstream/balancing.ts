// The stage that chooses an endpoint for each request, and another one for a request of which nothing was sent.
//
// Such a request goes to another endpoint whatever its method, and so does one that its endpoint said it has not
// processed (RFC 9113 section 8.7). One that was sent on a connection that had carried others, and found it closed, is
// sent once more on a new one if its method is safe (RFC 9110 section 9.2.1), since servers close idle connections at
// will. Everything else that fails is for the retry policy above. Requests wait here when the service's connections are
// all in use.

import type { Clock } from '../../lib/clock.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import type { Random } from '../../lib/random.ts'
import { isSafe } from '../http/method.ts'
import type { Destination, Wire } from '../stack/destination.ts'
import type { Endpoint, Pool } from '../stack/endpoint.ts'
import { type Exchange, NO_AFFINITY, NO_GRPC_STATUS, type Stage } from '../stack/exchange.ts'
import { reportedError } from '../stack/proxy-status.ts'
import { ResilienceCounters } from '../stack/resilience-counters.ts'

/** A try is given to another endpoint, because its endpoint's own sidecar could not connect or it refused the stream: so often at most. */
const MOST_TAKEN_BACK = 3
/** Endpoints are tried until each has failed, but none is begun with after so many connect timeouts. */
const MOST_CONNECT_TIMEOUTS = 5
/** Makes of a hash another one: the same would follow the order in which hashes choose endpoints. */
const SPREAD = 0x9e3779b1

export interface BalancingHost {
  readonly clock: Clock
  readonly random: Random
  isOwnPort(address: Endpoint['address']): boolean
  connectFailed(attempt: number, endpoint: Endpoint, reason: ErrorCode, errno: string): void
  /** Of connections to that endpoint, which is spoken to in that codec. */
  makePool(endpoint: Endpoint, wire: Wire): Pool
}

export class Balancing implements Stage {
  readonly #destination: Destination
  readonly #host: BalancingHost
  readonly #above: Stage

  constructor(destination: Destination, host: BalancingHost, above: Stage) {
    this.#destination = destination
    this.#host = host
    this.#above = above
  }

  open(exchange: Exchange): void {
    exchange.lowest = this
    exchange.chooser = this
    if (exchange.attempt === 0) this.#destination.affinity?.read(exchange)
    const endpoint = this.#choose(exchange)
    if (endpoint === undefined) {
      this.#above.ended(exchange, exchange.failure ?? 'no-endpoints')
      return
    }
    if (this.#destination.health?.failsFast === true && endpoint.ejectedUntil > exchange.now) {
      // After a failed attempt that is what the client hears of: the other endpoints were asked.
      if (exchange.failure === undefined) {
        this.#shed(exchange, 'circuit-open', this.#destination.service)
      } else {
        this.#above.ended(exchange, exchange.failure)
      }
      return
    }
    if (this.#host.isOwnPort(endpoint.address)) {
      exchange.details = endpoint.key
      this.#above.ended(exchange, 'proxy-loop')
      return
    }
    if (!this.#mustWait(this.#poolOf(endpoint, exchange), exchange)) {
      this.#send(exchange, endpoint)
      return
    }
    const other = this.#withRoom(exchange)
    if (other === undefined) this.#wait(exchange)
    else this.#send(exchange, other)
  }

  headers(exchange: Exchange): void {
    const { endpoint, now } = exchange
    if (endpoint !== undefined) {
      const told = this.#told(exchange, endpoint)
      if (told !== undefined && this.#takesBack(exchange, endpoint, told)) return
      if (told === undefined) endpoint.proved()
      else endpoint.connectFailed(this.#host.clock.now(), exchange.sentAt)
      this.#destination.health?.answered(exchange, endpoint)
      this.#destination.picker.answered(endpoint, now - exchange.sentAt, now)
    }
    this.#above.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    const { endpoint } = exchange
    if (endpoint === undefined) this.#leaveQueue(exchange)
    else this.#leaveEndpoint(exchange, endpoint, error)
    if (
      error !== undefined &&
      endpoint !== undefined &&
      this.#triesAgain(exchange, endpoint, error)
    ) {
      exchange.failure = error
      exchange.endpoint = undefined
      exchange.now = this.#host.clock.now()
      this.open(exchange)
      return
    }
    this.#above.ended(exchange, error)
  }

  #send(exchange: Exchange, endpoint: Endpoint): void {
    const { health, connectTimeout } = this.#destination
    exchange.attempt += 1
    exchange.endpoint = endpoint
    exchange.sentAt = exchange.now
    endpoint.probing(exchange.now, connectTimeout)
    health?.chosen(exchange, endpoint)
    endpoint.open += 1
    endpoint.counters.forRequests(exchange.route.name).active += 1
    this.#poolOf(endpoint, exchange).open(exchange)
  }

  /** Why the endpoint's own sidecar could not connect to it, if that is all that the response says. */
  #told({ response, isGrpc }: Exchange, { key }: Endpoint): ErrorCode | undefined {
    const error = response === undefined ? undefined : reportedError(response, key, isGrpc)
    return error !== undefined && ERRORS[error].retriable ? error : undefined
  }

  /** True if such a response goes no further, because another endpoint can be asked. */
  #takesBack(exchange: Exchange, endpoint: Endpoint, error: ErrorCode): boolean {
    const attempts = exchange.attempt - exchange.earlierAttempts
    if (attempts >= MOST_TAKEN_BACK || !exchange.rewind()) return false
    const { upstream } = exchange
    exchange.status = 0
    exchange.grpcStatus = NO_GRPC_STATUS
    exchange.response = undefined
    exchange.details = endpoint.key
    // The connection to the sidecar was good: it is the endpoint that was not.
    exchange.wasReused = false
    exchange.responseBytes = 0
    this.#host.connectFailed(exchange.attempt, endpoint, error, 'told by its sidecar')
    upstream?.abandon()
    exchange.downstream.discard()
    this.ended(exchange, error)
    return true
  }

  #choose(exchange: Exchange): Endpoint | undefined {
    const limit = MOST_CONNECT_TIMEOUTS * this.#destination.connectTimeout
    if (exchange.attempt > 0 && exchange.now - exchange.tryAt >= limit) return undefined
    const { health, picker } = this.#destination
    if (health !== undefined) {
      exchange.isPanicking = health.isPanicking
      exchange.lot = health.isRamping ? this.#lotOf(exchange) : NaN
    }
    return picker.pick(exchange)
  }

  /** A client that is to stay somewhere always draws the same, so that it goes back to its endpoint once and for all. */
  #lotOf({ affinity }: Exchange): number {
    if (affinity === NO_AFFINITY) return this.#host.random()
    return (Math.imul(affinity, SPREAD) >>> 0) / 0x1_0000_0000
  }

  #poolOf(endpoint: Endpoint, exchange: Exchange): Pool {
    const wire = this.#wireFor(exchange)
    const known = wire === 'http2' ? endpoint.streams : endpoint.requests
    // One that discovery took away and gave back begins anew; the old one ends with what it carries.
    if (known !== undefined && !known.isRetired) return known
    const pool = this.#host.makePool(endpoint, wire)
    if (wire === 'http2') endpoint.streams = pool
    else endpoint.requests = pool
    return pool
  }

  #wireFor({ request, speaks, isAgreed, isGrpc }: Exchange): Wire {
    // Only HTTP/1.1 can become another protocol by asking for it.
    if (request.upgrade) return 'http1'
    // Who speaks HTTP/2 unasked knows that the endpoint does; of others only gRPC leaves no choice.
    const guess = isAgreed && !isGrpc ? 'http1' : speaks
    return this.#destination.wire ?? guess
  }

  /** True if the service's connections are all in use; an idle one of another endpoint makes room. */
  #mustWait(pool: Pool, exchange: Exchange): boolean {
    const destination = this.#destination
    if (destination.open < destination.maxConnections || pool.hasIdleFor(exchange)) return false
    return !destination.picker.endpoints.some((endpoint) => endpoint.evict())
  }

  /** Instead of a connection that is not to be had: an endpoint whose own has room for another stream. */
  #withRoom(exchange: Exchange): Endpoint | undefined {
    if (this.#wireFor(exchange) !== 'http2') return undefined
    const { tried, now } = exchange
    return this.#destination.picker.endpoints.find(
      (endpoint) =>
        endpoint.streams?.hasIdleFor(exchange) === true &&
        Math.max(endpoint.avoidUntil, endpoint.ejectedUntil) <= now &&
        !tried.includes(endpoint),
    )
  }

  #wait(exchange: Exchange): void {
    const { pending, maxPendingRequests } = this.#destination
    if (pending.length < maxPendingRequests) {
      pending.push(exchange)
      return
    }
    const details = `${this.#destination.service}, ${maxPendingRequests} requests wait`
    this.#shed(exchange, 'pending-limit', details)
  }

  /** Turns a request away that nobody was asked to answer. */
  #shed(exchange: Exchange, error: ErrorCode, details: string): void {
    ResilienceCounters.count(this.#destination.resilience.shed, error)
    exchange.details = details
    this.#above.ended(exchange, error)
  }

  #leaveEndpoint(exchange: Exchange, endpoint: Endpoint, error: ErrorCode | undefined): void {
    endpoint.open -= 1
    endpoint.counters.forRequests(exchange.route.name).active -= 1
    const { health } = this.#destination
    if (health === undefined) return
    if (error === undefined && exchange.isGrpc) health.concluded(exchange, endpoint)
    if (error === undefined || ERRORS[error].source === 'downstream') {
      health.left(exchange, endpoint)
    } else {
      health.failed(exchange, endpoint, error)
    }
  }

  #leaveQueue(exchange: Exchange): void {
    const { pending } = this.#destination
    const at = pending.indexOf(exchange)
    if (at >= 0) pending.splice(at, 1)
  }

  #triesAgain(exchange: Exchange, endpoint: Endpoint, error: ErrorCode): boolean {
    // What this machine lacks (ports, descriptors) it lacks for every endpoint.
    if (error === 'connection-limit') return false
    if (ERRORS[error].retriable) {
      endpoint.connectFailed(this.#host.clock.now(), exchange.sentAt)
      exchange.tried.push(endpoint)
      return true
    }
    if (exchange.status !== 0) return false
    if (error === 'stream-refused') return this.#goesElsewhere(exchange, endpoint)
    if (error !== 'upstream-reset') return false
    const isStale = exchange.wasReused && !exchange.needsNew && isSafe(exchange.request.method)
    if (!isStale || !exchange.rewind()) return false
    exchange.needsNew = true
    endpoint.counters.forRequests(exchange.route.name).resends += 1
    return true
  }

  /**
   * Nobody has acted on it, whatever its method: to another endpoint if there is one. What the retry policy has sent
   * again is not multiplied by this: no budget holds here.
   */
  #goesElsewhere(exchange: Exchange, endpoint: Endpoint): boolean {
    if (exchange.attempt >= MOST_TAKEN_BACK || !exchange.rewind()) return false
    const { tried } = exchange
    const { endpoints } = this.#destination.picker
    tried.push(endpoint)
    if (endpoints.every((other) => tried.includes(other))) tried.pop()
    endpoint.counters.forRequests(exchange.route.name).resends += 1
    return true
  }
}

/**
 * A connection to the destination is free or gone: those that have waited longest go on, as far as there is room. Each
 * is asked once: what room there is may be of no use to it, and then it waits on.
 */
export function resumePending(destination: Destination, now: number): void {
  const { pending } = destination
  for (let left = pending.length; left > 0 && hasRoom(destination); left -= 1) {
    const next = pending.shift()
    if (next === undefined) return
    next.now = now
    next.lowest?.open(next)
  }
}

function hasRoom({ open, maxConnections, picker }: Destination): boolean {
  return open < maxConnections || picker.endpoints.some(({ hasIdle }) => hasIdle)
}
