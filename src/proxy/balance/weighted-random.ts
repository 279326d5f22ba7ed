// By chance, in proportion to the weights.

import type { Random } from '../../lib/random.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { usable } from './usable.ts'

export class WeightedRandom implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #random: Random

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints
    this.#random = random
  }

  pick(choice: Choice): Endpoint | undefined {
    const may = usable(this.endpoints, choice)
    if (may === undefined) return undefined
    const candidates = this.endpoints.filter(may)
    const total = candidates.reduce((sum, { weight }) => sum + weight, 0)
    let left = this.#random() * total
    return candidates.find((endpoint) => {
      left -= endpoint.weight
      return left < 0
    })
  }

  answered(): void {
    // It does not choose by latency.
  }
}
