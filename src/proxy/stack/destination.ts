// Where a connection is to go: a set of endpoints with a way to choose among them, and the rules that hold there.
//
// A Service's port is one, so is a single endpoint, an address outside the mesh, and the pod's own application: the
// rest of the data plane does not need to know which. Discovery changes the fields of the first kind in place.

import type { Millis } from '../../lib/duration.ts'
import type { Direction } from './counters.ts'
import type { Endpoint } from './endpoint.ts'
import type { Exchange, Stage } from './exchange.ts'
import type { Health } from './health.ts'
import { ResilienceCounters } from './resilience-counters.ts'
import { PLAIN_ROUTE, type Route, type Router } from './route.ts'

/** Connections balanced, or requests. */
export type Mode = 'l4' | 'l7'

/** What a choice may depend on. */
export interface Choice {
  /** The client's IP address; empty if it is not known. */
  readonly source: string
  /** Endpoints that this connection or request has tried in vain. */
  readonly tried: readonly Endpoint[]
  /** The clock's `now`. */
  readonly now: number
  /** A hash (32 bits, unsigned) that stands for the client where it is to stay with an endpoint; -1 for none. */
  readonly affinity: number
  /** Endpoints that are ejected may be chosen too: too few others are left. */
  readonly isPanicking: boolean
  /** Endpoints that come back slowly are chosen if their share is above it, 0 to 1; NaN if there are none. */
  readonly lot: number
}

/** A snapshot of endpoints with a rule for choosing; replaced whole when discovery changes. */
export interface Picker {
  readonly endpoints: readonly Endpoint[]
  /** An endpoint that was not tried yet, or undefined if there is none. */
  pick(choice: Choice): Endpoint | undefined
  /** An endpoint answered, `latency` milliseconds after it was asked. */
  answered(endpoint: Endpoint, latency: Millis, now: Millis): void
}

/** What clients are held together by: reads it off a request and leaves a hash in the exchange. */
export interface Affinity {
  /** Sets `affinity`, and the lines that the response is to carry. */
  read(exchange: Exchange): void
}

/** What retries may add to the load of a destination: a share of its requests over a window. */
export interface RetryBudget {
  /** A request begins: it earns its share. */
  earn(now: Millis): void
  /** Whether one more may be sent again; if so it is counted. */
  spend(now: Millis): boolean
  /** Retries that would be allowed now. */
  left(now: Millis): number
}

/** What a port is known to speak without looking: `http`, `opaque` for anything else, or empty to look. */
export type Protocol = 'http' | 'opaque' | ''

/** The two codecs. */
export type Wire = 'http1' | 'http2'

/** How many requests the application works on, as it is shown. */
export interface AdmissionView {
  /** Infinite if there is none. */
  readonly limit: number
  readonly active: number
  readonly waiting: number
}

export class Destination {
  readonly direction: Direction
  /** `name.namespace:port`, `egress` or `local`. */
  readonly service: string
  picker: Picker
  connectTimeout: Millis
  /** 0 for none. */
  idleTimeout: Millis
  maxConnections: number
  /** Connections that are open or being opened. */
  open = 0
  /** What a policy says of it; undefined where the proxy's own mode holds. */
  mode: Mode | undefined
  protocol: Protocol = ''
  /** What its endpoints speak; undefined where they speak what the client does. */
  wire: Wire | undefined
  affinity: Affinity | undefined
  /** Requests that wait for a connection at most. */
  maxPendingRequests = 1024
  /** Requests, and of them such as are being retried, that may be under way at once; and those that are. */
  maxRequests: number = Number.POSITIVE_INFINITY
  maxRetries: number = Number.POSITIVE_INFINITY
  active = 0
  retrying = 0
  /** What holds for requests that no other route matches, and the other routes if there are any. */
  route: Route
  router: Router | undefined
  /** Who of the endpoints may be asked; undefined where no policy ejects any. */
  health: Health | undefined
  /** What retries may add to the load; undefined where nothing is sent again. */
  retryBudget: RetryBudget | undefined
  readonly resilience: ResilienceCounters
  /** Inbound, once the first request has come. */
  admission: AdmissionView | undefined
  /** Requests that wait for one, the first to come first. */
  readonly pending: Exchange[] = []
  /** A client spoke HTTP here and the server waited for it, so that the next one need not be dialled beforehand. */
  seenHttp = false
  /** The way of its requests; made when the first one comes. */
  requests: Stage | undefined

  constructor(
    direction: Direction,
    service: string,
    picker: Picker,
    rules: { connectTimeout: Millis; idleTimeout: Millis; maxConnections?: number | undefined },
    route: Route = PLAIN_ROUTE,
    resilience: ResilienceCounters = new ResilienceCounters(),
  ) {
    this.direction = direction
    this.service = service
    this.picker = picker
    this.connectTimeout = rules.connectTimeout
    this.idleTimeout = rules.idleTimeout
    this.maxConnections = rules.maxConnections ?? Number.POSITIVE_INFINITY
    this.mode = undefined
    this.wire = undefined
    this.route = route
    this.router = undefined
    this.health = undefined
    this.retryBudget = undefined
    this.affinity = undefined
    this.requests = undefined
    this.resilience = resilience
    this.admission = undefined
  }
}

/** The only endpoint there is. */
export class SinglePicker implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #endpoint: Endpoint

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
    this.endpoints = [endpoint]
  }

  pick(choice: Choice): Endpoint | undefined {
    return choice.tried.length === 0 ? this.#endpoint : undefined
  }

  answered(): void {
    // There is nothing to choose by it.
  }
}
