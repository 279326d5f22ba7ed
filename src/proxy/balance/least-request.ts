// The endpoint with the least under way (connections at L4, requests at L7) in proportion to its weight.
//
// Of a few endpoints all are looked at, and equals are chosen among by chance. Of many, two that are drawn by weight
// are compared: nearly as even, at a cost that does not grow, and sidecars that know nothing of each other do not
// all run to the same idle endpoint.
//
// Where weights differ, what is under way is compared with some chance added to it: the exponential distribution,
// which makes idle endpoints share by their weights exactly. Without it a client that asks one thing at a time would
// always get the heaviest endpoint, or with the idle ones first a light one as often as a heavy one.

import type { Random } from '../../lib/random.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { CHANCES, Chance } from './chance.ts'
import { FEW, isUsable, isWell, type Level, levelOf } from './usable.ts'
import { WeightedDraw } from './weighted-draw.ts'

export class LeastRequest implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #chance: Chance
  readonly #lots: WeightedDraw

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints
    this.#chance = new Chance(random)
    this.#lots = new WeightedDraw(endpoints, this.#chance)
  }

  pick(choice: Choice): Endpoint | undefined {
    const found = this.endpoints.length > FEW ? this.#pickOfTwo(choice) : undefined
    if (found !== undefined) return found
    const level = levelOf(this.endpoints, choice)
    return this.#lots.isEven ? this.#pickLeast(choice, level) : this.#pickByWeight(choice, level)
  }

  answered(): void {
    // It does not choose by latency.
  }

  #pickOfTwo(choice: Choice): Endpoint | undefined {
    const one = this.#lots.draw()
    const two = this.#lots.draw()
    if (one === undefined || two === undefined) return undefined
    if (!isWell(one, choice)) return isWell(two, choice) ? two : undefined
    if (!isWell(two, choice)) return one
    // The first of equals: it was drawn by weight already.
    return two.open * one.weight < one.open * two.weight ? two : one
  }

  #pickLeast(choice: Choice, level: Level): Endpoint | undefined {
    const { endpoints } = this
    let best: Endpoint | undefined
    let least = 0
    let equals = 0
    for (let at = 0; at < endpoints.length; at += 1) {
      const endpoint = endpoints[at]
      if (endpoint === undefined || !isUsable(endpoint, choice, level)) continue
      const { open } = endpoint
      if (best !== undefined && open > least) continue
      equals = best === undefined || open < least ? 1 : equals + 1
      // The n-th equal takes over with chance 1/n, which makes all of them equally likely.
      if (equals === 1 || this.#chance.below(equals) === 0) best = endpoint
      least = open
    }
    return best
  }

  #pickByWeight(choice: Choice, level: Level): Endpoint | undefined {
    const { endpoints } = this
    let best: Endpoint | undefined
    let least = Number.POSITIVE_INFINITY
    for (let at = 0; at < endpoints.length; at += 1) {
      const endpoint = endpoints[at]
      if (endpoint === undefined || !isUsable(endpoint, choice, level)) continue
      const { open, weight } = endpoint
      if (open >= least * weight) continue
      const load = (open - Math.log(1 - this.#chance.next() / CHANCES)) / weight
      if (load >= least) continue
      best = endpoint
      least = load
    }
    return best
  }
}
