// The top stage of a request's way: says that it began and how it ended, once each, whatever happened in between.
//
// An error that nobody below could mend ends here: the client's side answers it.

import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import type { Exchange, Stage } from '../stack/exchange.ts'
import type { RequestObserver } from '../stack/observation.ts'

export class Measurement implements Stage {
  readonly #observer: RequestObserver | undefined
  #below: Stage | undefined

  constructor(observer: RequestObserver | undefined) {
    this.#observer = observer
    this.#below = undefined
  }

  /** The next stage down. Once. */
  above(stage: Stage): void {
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
    const { downstream } = exchange
    if (error !== undefined) {
      exchange.error = error
      const kind = ERRORS[error]
      // Nobody hears an answer that a client gone would get.
      if (!downstream.hasBegun && error !== 'request-refused') {
        exchange.status = kind.source === 'downstream' ? 0 : kind.status
      }
    }
    this.#observer?.ended(exchange)
    // Last, for the next request of the client uses the same exchange.
    if (error === undefined) downstream.over()
    else downstream.fail(error)
  }
}
