// How many requests the pod's application works on at once: the others wait, the one whose time is over first to go
// first, and those that cannot make it are refused at once.

import type { ErrorCode } from '../../lib/errors.ts'
import type { Exchange, Stage } from '../stack/exchange.ts'
import type { World } from '../stack/world.ts'

export class Admission implements Stage {
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
