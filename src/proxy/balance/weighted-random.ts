// By chance, in proportion to the weights.

import type { Random } from '../../lib/random.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { CHANCES, Chance } from './chance.ts'
import { isUsable, isWell, levelOf } from './usable.ts'
import { WeightedDraw } from './weighted-draw.ts'

/** A draw that falls on an endpoint that is not usable is made again, before the usable ones are counted. */
const DRAWS = 4

export class WeightedRandom implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #chance: Chance
  readonly #lots: WeightedDraw

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints
    this.#chance = new Chance(random)
    this.#lots = new WeightedDraw(endpoints, this.#chance)
  }

  pick(choice: Choice): Endpoint | undefined {
    for (let turn = 0; turn < DRAWS; turn += 1) {
      const drawn = this.#lots.draw()
      if (drawn !== undefined && isWell(drawn, choice)) return drawn
    }
    return this.#pickOfUsable(choice)
  }

  answered(): void {
    // It does not choose by latency.
  }

  #pickOfUsable(choice: Choice): Endpoint | undefined {
    const level = levelOf(this.endpoints, choice)
    let total = 0
    for (let at = 0; at < this.endpoints.length; at += 1) {
      const endpoint = this.endpoints[at]
      if (endpoint !== undefined && isUsable(endpoint, choice, level)) total += endpoint.weight
    }
    let left = (this.#chance.next() / CHANCES) * total
    let last: Endpoint | undefined
    for (let at = 0; at < this.endpoints.length && left >= 0; at += 1) {
      const endpoint = this.endpoints[at]
      if (endpoint === undefined || !isUsable(endpoint, choice, level)) continue
      left -= endpoint.weight
      last = endpoint
    }
    return last
  }
}
