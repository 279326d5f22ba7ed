// How long a request has: what it came with, what its trace has left, what its route allows, whichever is least; and
// the end of it when that time is over.
//
// What is left is written into the request by the codec when it is sent (`Exchange.deadline`).

import type { ErrorCode } from '../../lib/errors.ts'
import type { Exchange, Stage } from '../stack/exchange.ts'
import type { World } from '../stack/world.ts'

export class Deadlines implements Stage {
  readonly world: World
  readonly #above: Stage
  #below: Stage

  constructor(world: World, above: Stage) {
    this.world = world
    this.#above = above
    this.#below = this
  }

  /** The next stage down. Once. */
  above(stage: Stage): void {
    this.#below = stage
  }

  open(exchange: Exchange): void {
    this.#below.open(exchange)
  }

  headers(exchange: Exchange): void {
    this.#above.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    this.#above.ended(exchange, error)
  }
}
