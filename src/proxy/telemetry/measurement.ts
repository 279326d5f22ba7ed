// The top stage of a request's way: counts how it ended, once, whatever happened in between, and tells the observers.
//
// An error that nobody below could mend ends here: the client's side answers it. From here on `grpcStatus` of a call of
// gRPC is what it ended with, whoever said so.

import type { Clock } from '../../lib/clock.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import type { ConnectionCounters } from '../stack/counters.ts'
import type { Exchange, Stage } from '../stack/exchange.ts'
import { grpcStatusAtEnd, grpcStatusOfError } from '../stack/grpc.ts'
import type { RequestObserver } from '../stack/observation.ts'
import { NO_STATUS } from '../stack/request-counters.ts'

export class Measurement implements Stage {
  readonly #clock: Clock
  readonly #observer: RequestObserver | undefined
  /** For requests that no endpoint got. */
  readonly #counters: ConnectionCounters
  #below: Pick<Stage, 'open'> | undefined

  /** `counters` are those of the destination without an endpoint. */
  constructor(clock: Clock, counters: ConnectionCounters, observer: RequestObserver | undefined) {
    this.#clock = clock
    this.#counters = counters
    this.#observer = observer
    this.#below = undefined
  }

  /** The next stage down. Once. */
  above(stage: Pick<Stage, 'open'>): void {
    this.#below = stage
  }

  open(exchange: Exchange): void {
    this.#observer?.began(exchange)
    this.#below?.open(exchange)
  }

  headers(exchange: Exchange): void {
    if (exchange.response !== undefined) exchange.downstream.head(exchange.response)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    const { downstream, endpoint, route } = exchange
    const requests = (endpoint?.counters ?? this.#counters).forRequests(route.name)
    if (error !== undefined) {
      exchange.error = error
      exchange.now = this.#clock.now()
      requests.countFailure(error)
      if (!downstream.hasBegun) exchange.status = statusOf(error, exchange.status)
    }
    const latency = exchange.now - exchange.startedAt
    requests.record(exchange.status, latency, exchange.requestBytes, exchange.responseBytes)
    if (exchange.isGrpc) {
      exchange.grpcStatus =
        error === undefined ? grpcStatusAtEnd(exchange) : grpcStatusOfError(error, exchange.status)
      requests.recordCall(exchange.grpcStatus)
    }
    this.#observer?.ended(exchange)
    // Last, for the next request of the client uses the same exchange.
    if (error === undefined) downstream.over()
    else downstream.fail(error)
  }
}

/**
 * What the client is answered: of a request that was refused the rule has decided, of one that a policy failed the
 * policy, and one that is gone hears nothing.
 */
function statusOf(error: ErrorCode, status: number): number {
  if (error === 'request-refused' || error === 'fault-injected') return status
  const kind = ERRORS[error]
  return kind.source === 'downstream' ? NO_STATUS : kind.status
}
