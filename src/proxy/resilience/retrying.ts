// Sends a request again that has failed, where its route's policy says that this is safe and worth it.
//
// What may be sent again, and for what, is the policy's; how much in all is the budget's. A stage above sees one
// request; every try goes through the stages below.

import type { ErrorCode } from '../../lib/errors.ts'
import type { Exchange, Stage } from '../stack/exchange.ts'
import type { World } from '../stack/world.ts'

export class Retrying implements Stage {
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
