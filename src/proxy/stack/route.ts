// What a policy demands of the requests of one route: compiled when discovery changes, so that a request never walks
// configuration. A Service has one route for everything that no other one matches.
//
// Which route a request takes is left to route; what is done about the demands to resilience.

import type { Millis } from '../../lib/duration.ts'
import type { Head } from '../http/head.ts'
import type { Destination } from './destination.ts'

/** None: later than any time. */
export const NO_LIMIT: Millis = Number.POSITIVE_INFINITY

/** Milliseconds; NO_LIMIT for none. */
export interface RouteTimeouts {
  /** From the request's head to the end of the response, everything in between included. */
  readonly request: Millis
  /** The same for one try. */
  readonly perTry: Millis
  /** From the end of the request to the head of the response, for one try. */
  readonly responseHeaders: Millis
  /** While no byte of either message moves. */
  readonly streamIdle: Millis
}

/** What a request may be sent again for, as bits. */
export const RetryCause = {
  /** No endpoint could be connected to. */
  connectFailure: 1,
  /** A peer said that it did not process it. */
  refusedStream: 2,
  /** The connection broke before the head of the response. */
  reset: 4,
  perTryTimeout: 8,
  /** 502, 503 and 504. */
  gatewayError: 16,
  serverError: 32,
  /** One of the statuses listed. */
  status: 64,
  /** A call of gRPC that ended with that code before there was a message. */
  cancelled: 128,
  deadlineExceeded: 256,
  internal: 512,
  resourceExhausted: 1024,
  unavailable: 2048,
} as const

export interface RetryRule {
  /** Times that a request is sent again at most; 0 for never. */
  readonly attempts: number
  /** RetryCause bits. */
  readonly on: number
  readonly statuses: ReadonlySet<number>
  /** By Method code: whether a request that was sent may be sent again. */
  readonly methods: readonly boolean[]
  /** Names of methods that have no code. */
  readonly otherMethods: ReadonlySet<string>
  readonly backoffBase: Millis
  readonly backoffMax: Millis
  /** The longest Retry-After that is waited for. */
  readonly retryAfterMax: Millis
  /** A second try of a safe request that has no response after so long; NO_LIMIT for none. */
  readonly hedgeAfter: Millis
}

export interface FaultRule {
  /** 0 for none. */
  readonly delay: Millis
  /** Shares, 0 to 1. */
  readonly delayShare: number
  readonly abortStatus: number
  readonly abortShare: number
}

export interface MirrorRule {
  /** `name.namespace` and the port of the Service that gets a copy. */
  readonly service: string
  readonly port: number
  readonly share: number
}

export interface Route {
  /** The label of its metrics; `default` for what no route matches. */
  readonly name: string
  readonly timeouts: RouteTimeouts
  readonly retry: RetryRule
  readonly fault: FaultRule | undefined
  readonly mirror: MirrorRule | undefined
}

/** The label of the route that every Service has. */
export const DEFAULT_NAME = 'default'

/** No demands, and nothing is sent again: for destinations that no policy can speak of. */
export const PLAIN_ROUTE: Route = {
  name: DEFAULT_NAME,
  timeouts: {
    request: NO_LIMIT,
    perTry: NO_LIMIT,
    responseHeaders: NO_LIMIT,
    streamIdle: NO_LIMIT,
  },
  retry: {
    attempts: 0,
    on: 0,
    statuses: new Set(),
    methods: [],
    otherMethods: new Set(),
    backoffBase: 0,
    backoffMax: 0,
    retryAfterMax: 0,
    hedgeAfter: NO_LIMIT,
  },
  fault: undefined,
  mirror: undefined,
}

/** The routes of a Service that has more than the default. */
export interface Router {
  /** Undefined if none matches. */
  find(request: Head): Route | undefined
}

/** Finds the destination of a Service by name, at the time that it is asked. */
export type FindService = (service: string, port: number) => Destination | undefined
