// The stage that chooses an endpoint for each request, and another one for a request of which nothing was sent.
//
// Such a request goes to another endpoint whatever its method. One that was sent on a connection that had carried
// others, and found it closed, is sent once more on a new one if its method is safe (RFC 9110 section 9.2.1), since
// servers close idle connections at will. Everything else that fails is for the retry policy above. Requests wait here
// when the service's connections are all in use.

import type { Clock } from '../../lib/clock.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import type { Random } from '../../lib/random.ts'
import { isSafe } from '../http/h1/method.ts'
import type { Destination } from '../stack/destination.ts'
import type { Endpoint, Pool } from '../stack/endpoint.ts'
import type { Exchange, Stage } from '../stack/exchange.ts'
import { reportedError } from '../stack/proxy-status.ts'

/** What a request is taken back for because its endpoint's own sidecar could not connect: so often at most. */
const MOST_TAKEN_BACK = 3
/** Endpoints are tried until each has failed, but none is begun with after so many connect timeouts. */
const MOST_CONNECT_TIMEOUTS = 5

export interface BalancingHost {
  readonly clock: Clock
  readonly random: Random
  isOwnPort(address: Endpoint['address']): boolean
  connectFailed(attempt: number, endpoint: Endpoint, reason: ErrorCode, errno: string): void
  /** Of connections to that endpoint, in the protocol that it is spoken to in. */
  makePool(endpoint: Endpoint): Pool
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
    const { health, connectTimeout } = this.#destination
    if (health?.failsFast === true && endpoint.ejectedUntil > exchange.now) {
      exchange.details = this.#destination.service
      this.#above.ended(exchange, 'circuit-open')
      return
    }
    if (this.#host.isOwnPort(endpoint.address)) {
      exchange.details = endpoint.key
      this.#above.ended(exchange, 'proxy-loop')
      return
    }
    const pool = this.#poolOf(endpoint)
    if (this.#mustWait(pool, exchange)) {
      this.#wait(exchange)
      return
    }
    exchange.attempt += 1
    exchange.endpoint = endpoint
    exchange.sentAt = exchange.now
    endpoint.probing(exchange.now, connectTimeout)
    health?.chosen(exchange, endpoint)
    endpoint.open += 1
    endpoint.counters.forRequests().active += 1
    pool.open(exchange)
  }

  headers(exchange: Exchange): void {
    const { endpoint, now } = exchange
    if (endpoint !== undefined) {
      if (this.#takesBack(exchange, endpoint)) return
      endpoint.proved()
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

  /** True if the response only says that the attempt failed beyond the endpoint's own sidecar, and there is another. */
  #takesBack(exchange: Exchange, endpoint: Endpoint): boolean {
    const { response, upstream } = exchange
    const error = response === undefined ? undefined : reportedError(response, endpoint.key)
    if (error === undefined || !ERRORS[error].retriable) return false
    if (exchange.attempt >= MOST_TAKEN_BACK || !exchange.rewind()) {
      endpoint.connectFailed(this.#host.clock.now())
      return false
    }
    exchange.status = 0
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
      exchange.lot = health.isRamping ? this.#host.random() : NaN
    }
    return picker.pick(exchange)
  }

  #poolOf(endpoint: Endpoint): Pool {
    const known = endpoint.requests
    // One that discovery took away and gave back begins anew; the old one ends with what it carries.
    if (known !== undefined && !known.isRetired) return known
    const pool = this.#host.makePool(endpoint)
    endpoint.requests = pool
    return pool
  }

  /** True if the service's connections are all in use; an idle one of another endpoint makes room. */
  #mustWait(pool: Pool, exchange: Exchange): boolean {
    const destination = this.#destination
    if (destination.open < destination.maxConnections || pool.hasIdleFor(exchange)) return false
    return !destination.picker.endpoints.some(({ requests }) => requests?.evict() === true)
  }

  #wait(exchange: Exchange): void {
    const { pending, maxPendingRequests } = this.#destination
    if (pending.length < maxPendingRequests) {
      pending.push(exchange)
      return
    }
    exchange.details = `${this.#destination.service}, ${maxPendingRequests} requests wait`
    this.#above.ended(exchange, 'pending-limit')
  }

  #leaveEndpoint(exchange: Exchange, endpoint: Endpoint, error: ErrorCode | undefined): void {
    endpoint.open -= 1
    endpoint.counters.forRequests().active -= 1
    const { health } = this.#destination
    if (health === undefined) return
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
    if (error !== 'upstream-reset' || exchange.status !== 0) return false
    const isStale = exchange.wasReused && !exchange.needsNew && isSafe(exchange.request.method)
    if (!isStale || !exchange.rewind()) return false
    exchange.needsNew = true
    endpoint.counters.forRequests().resends += 1
    return true
  }
}

/** A connection to the destination is free or gone: those that have waited longest go on, as far as there is room. */
export function resumePending(destination: Destination, now: number): void {
  const { pending } = destination
  while (pending.length > 0 && hasRoom(destination)) {
    const next = pending.shift()
    if (next === undefined) return
    next.now = now
    next.lowest?.open(next)
  }
}

function hasRoom({ open, maxConnections, picker }: Destination): boolean {
  return (
    open < maxConnections || picker.endpoints.some(({ requests }) => requests?.hasIdle === true)
  )
}
