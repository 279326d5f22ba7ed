// One endpoint: an address that can be connected to, and what this proxy knows of it.
//
// It lives as long as discovery has it or a connection to it is open, across updates, so that the count of open
// connections is right after an update too. Choosing among endpoints is left to balance.

import { formatAddress, type SocketAddress } from '../../lib/address.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ConnectionCounters } from './counters.ts'
import type { Exchange, Stage } from './exchange.ts'

/** An endpoint that cannot be connected to is avoided so long, and twice as long at each further failure. */
const AVOID_BASE: Millis = 1000
const AVOID_MAX: Millis = 60_000
/** Long past. Not 0, which V8 keeps in another way than times, so that the first failure would change the shape. */
const NEVER = Number.NEGATIVE_INFINITY

/** The connections that requests to an endpoint share. */
export interface Pool extends Stage {
  /** Told to end: the next request needs another pool. */
  readonly isRetired: boolean
  /** It can take a request without a new connection. */
  readonly hasIdle: boolean
  hasIdleFor(exchange: Exchange): boolean
  /** Closes a connection that carries nothing, to make room. False if there is none. */
  evict(): boolean
  /** The endpoint is gone: what is idle is closed at once, the rest when it is done. */
  retire(): void
}

export class Endpoint {
  readonly address: SocketAddress
  /** `ip:port`, its identity. */
  readonly key: string
  readonly counters: ConnectionCounters
  /** Its share of traffic, relative to its peers. */
  weight: number
  /** Connections (L4) and requests (L7) that are under way. */
  open = 0
  /** Connects in vain, one after the other. */
  failures = 0
  /** Until then others are preferred; by the clock's `now`. */
  avoidUntil: Millis = NEVER
  /** Its breaker is open until then; it is ejected, and others are preferred. */
  ejectedUntil: Millis = NEVER
  /** It came back then, and its share grows until `rampsUntil`. */
  rampsFrom: Millis = NEVER
  rampsUntil: Millis = NEVER
  /** What its Service's health keeps of it, for as long as it lives; nobody else looks into it. */
  breaker: object | undefined = undefined
  #failedAt: Millis = NEVER
  /** A moving average of its latency and when it was last moved, for balancing; NaN before the first answer. */
  latency: Millis = NaN
  latencyAt: Millis = NaN
  /** What takes requests to it over HTTP/1.1, and over HTTP/2; each made when the first one comes. */
  requests: Pool | undefined = undefined
  streams: Pool | undefined = undefined

  constructor(address: SocketAddress, weight: number, counters: ConnectionCounters) {
    this.address = address
    this.key = formatAddress(address.ip, address.port)
    this.weight = weight
    this.counters = counters
  }

  /** A request may find a connection to it that is open. */
  get hasIdle(): boolean {
    return this.requests?.hasIdle === true || this.streams?.hasIdle === true
  }

  /** Closes a connection to it that carries nothing, to make room. False if there is none. */
  evict(): boolean {
    return this.requests?.evict() === true || this.streams?.evict() === true
  }

  /** It is gone. */
  retirePools(): void {
    this.requests?.retire()
    this.streams?.retire()
  }

  /** They were retired: the next request makes a new one. */
  forgetPools(): void {
    this.requests = undefined
    this.streams = undefined
  }

  /** Somebody is about to find out whether it is there again: the others wait for the answer, for so long at most. */
  probing(now: Millis, patience: Millis): void {
    if (this.failures > 0) this.avoidUntil = Math.max(this.avoidUntil, now + patience)
  }

  /** A connection to it was not reset at once: somebody is there. */
  proved(): void {
    this.failures = 0
    this.avoidUntil = NEVER
  }

  /** No health is kept of it any more, and nobody keeps it out. */
  unwatch(): void {
    this.breaker = undefined
    this.ejectedUntil = NEVER
    this.rampsFrom = NEVER
    this.rampsUntil = NEVER
  }

  /** `begunAt` is when the attempt began: those that were under way at the same time failed for the same reason. */
  connectFailed(now: Millis, begunAt: Millis = now): void {
    if (begunAt < this.#failedAt) return
    this.#failedAt = now
    this.avoidUntil = now + Math.min(AVOID_BASE * 2 ** this.failures, AVOID_MAX)
    this.failures += 1
  }
}
