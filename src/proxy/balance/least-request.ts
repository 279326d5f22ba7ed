// The endpoint with the fewest open connections in proportion to its weight; equals are chosen among by chance.
//
// Every endpoint is looked at: once a connection that costs nothing, and two random choices would leave one idle
// endpoint in ten unused.

import type { Random } from '../../lib/random.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { usable } from './usable.ts'

export class LeastRequest implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #random: Random

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints
    this.#random = random
  }

  pick(choice: Choice): Endpoint | undefined {
    const may = usable(this.endpoints, choice)
    if (may === undefined) return undefined
    let best: Endpoint | undefined
    let bestLoad = Number.POSITIVE_INFINITY
    let equals = 0
    for (const endpoint of this.endpoints) {
      if (!may(endpoint)) continue
      const load = (endpoint.open + 1) / endpoint.weight
      if (load > bestLoad) continue
      equals = load < bestLoad ? 1 : equals + 1
      // The n-th equal takes over with chance 1/n, which makes all of them equally likely.
      if (equals === 1 || this.#random() * equals < 1) best = endpoint
      bestLoad = load
    }
    return best
  }

  answered(): void {
    // It does not choose by latency.
  }
}
