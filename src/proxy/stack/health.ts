// What balancing asks, and tells, of the endpoints of one Service: who is ejected, who is on probation, who comes back
// slowly. Undefined where no policy asks for it; then only endpoints that cannot be connected to are avoided.
//
// The states and the rules are left to resilience.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { Endpoint } from './endpoint.ts'
import type { Exchange } from './exchange.ts'

/** A breaker as people know it. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * What an attempt counts as for its endpoint; `none` as long as it has not been counted. One that has `begun` is a call of
 * gRPC with a good head, whose trailers will tell.
 */
export const Verdict = { none: 0, good: 1, bad: 2, begun: 3 } as const
export type Verdict = (typeof Verdict)[keyof typeof Verdict]

/** What is shown of an endpoint. */
export interface BreakerView {
  readonly state: BreakerState
  /** One after the other, up to now. */
  readonly consecutiveFailures: number
  /** In the window, 0 to 1; NaN without requests. */
  readonly successRate: number
  /** Since it is known. */
  readonly ejections: number
  /** Until it may be probed; 0 unless it is open. */
  readonly ejectedFor: Millis
}

export interface Health {
  /** So few endpoints are well that all that can be connected to are asked. Read before every choice. */
  readonly isPanicking: boolean
  /** Endpoints that are kept out now: their breakers are not closed. */
  readonly ejected: number
  /** An endpoint is coming back slowly: a choice needs a lot (`Exchange.lot`). */
  readonly isRamping: boolean
  /** Nobody is to be asked if none is well and panic is off: the error is `circuit-open`. */
  readonly failsFast: boolean
  /** A request is about to be sent to it; with a half-open breaker it is the probe (`Exchange.isProbe`). */
  chosen(exchange: Exchange, endpoint: Endpoint): void
  /** The head of a response is there: `exchange.status` and `grpcStatus`, and `now - sentAt` for its latency. */
  answered(exchange: Exchange, endpoint: Endpoint): void
  /**
   * The response to a call of gRPC has ended in order, and `exchange.grpcStatus` says how the call did, unless the head
   * had said so; `left` follows.
   */
  concluded(exchange: Exchange, endpoint: Endpoint): void
  /** The attempt failed after the endpoint was chosen, connects included. */
  failed(exchange: Exchange, endpoint: Endpoint, error: ErrorCode): void
  /** It ended, and nobody is to blame: in order, with its client, or because another try was faster. */
  left(exchange: Exchange, endpoint: Endpoint): void
  /** Once a second. */
  sweep(now: Millis): void
  view(endpoint: Endpoint, now: Millis): BreakerView
}
