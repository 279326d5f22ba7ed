// Which route of its destination a request takes: the first stage down, and no stage on the way up.

import type { Exchange, Stage } from '../stack/exchange.ts'

export class Routing {
  readonly #below: Pick<Stage, 'open'>

  constructor(below: Pick<Stage, 'open'>) {
    this.#below = below
  }

  open(exchange: Exchange): void {
    const { router } = exchange.destination
    if (router !== undefined && !exchange.isCopy) {
      const found = router.find(exchange.request)
      if (found !== undefined) exchange.route = found
    }
    this.#below.open(exchange)
  }
}
