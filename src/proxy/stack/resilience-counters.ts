// What is counted of a destination besides requests and connections: tries that were sent again, and what came of
// them; requests that were turned away; ejections. Plain numbers; all of it happens rarely, but for the budget.
//
// Words come from closed sets. Exposition is left to telemetry.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { Direction } from './counters.ts'

/** Why a request was sent again. The words of a policy's `retries.on`, and `hedge`. */
export type RetryReason =
  | 'connect-failure'
  | 'refused-stream'
  | 'reset'
  | 'per-try-timeout'
  | 'gateway-error'
  | '5xx'
  | 'status'
  | 'cancelled'
  | 'deadline-exceeded'
  | 'internal'
  | 'resource-exhausted'
  | 'unavailable'
  | 'fault-injected'
  | 'hedge'

/** Why one that could have been was not. */
export type DenialReason = 'budget' | 'limit' | 'attempts' | 'body' | 'deadline' | 'retry-after'

/** What tripped a breaker. */
export type EjectionReason = 'consecutive-failures' | 'success-rate' | 'latency' | 'probe'

/** Whose time a request had: set by whoever made it, a field that it came with, its trace's, or its route's. */
export type DeadlineSource =
  | 'given'
  | 'x-envoy-expected-rq-timeout-ms'
  | 'grpc-timeout'
  | 'trace'
  | 'route'

export class ResilienceCounters {
  /** Tries sent again, by reason. */
  readonly retries: Map<RetryReason, number> = new Map()
  readonly denied: Map<DenialReason, number> = new Map()
  /** Requests that were sent again, by how they ended: answered well, or not. */
  retrySuccesses = 0
  retryFailures = 0
  /** Requests that were answered by the second try before the first. */
  hedgesWon = 0
  /** Requests that the mesh turned away itself, by the error it gave. */
  readonly shed: Map<ErrorCode, number> = new Map()
  /** Requests whose time was over before they were, by whose time it was. */
  readonly expired: Map<DeadlineSource, number> = new Map()
  readonly ejections: Map<EjectionReason, number> = new Map()
  /** Endpoints that would have been ejected, had not too many been already. */
  ejectionsSpared = 0
  /** Endpoints that were let back. */
  readmissions = 0
  /** Times that so few endpoints were well that ejected ones were asked too. */
  panics = 0
  faultDelays = 0
  faultAborts = 0
  mirrored = 0
  /** Requests that should have been mirrored: too large, too many at once, or nobody there. */
  mirrorsDropped = 0
  /** Responses of the mirror that were errors or did not come. */
  mirrorFailures = 0

  static count<Word>(map: Map<Word, number>, word: Word): void {
    map.set(word, (map.get(word) ?? 0) + 1)
  }
}

/** Those of one service, as they are shown. */
export interface ResilienceLine {
  readonly direction: Direction
  readonly service: string
  readonly resilience: ResilienceCounters
  /** Retries that would be allowed now; undefined where there is no budget. */
  readonly retryBudget?: { left(now: Millis): number } | undefined
}
