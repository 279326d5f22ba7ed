// In turn, in proportion to the weights, and spread evenly: 3:1 gives a a b a, never a a a b.
//
// Equals are gone through one after the other. Others by the smooth weighted round robin known from nginx: everyone
// earns their weight each turn, the richest is chosen and pays the total. Either begins at a random place, so that
// sidecars that start together do not walk in step.

import type { Random } from '../../lib/random.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { isUsable, Level, levelOf } from './usable.ts'
import { haveOneWeight } from './weighted-draw.ts'

export class RoundRobin implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #isEven: boolean
  /** Among equals: whose turn it is. */
  #next: number
  /** Among others: what each has. */
  readonly #credits: Float64Array

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints
    this.#isEven = haveOneWeight(endpoints)
    this.#next = Math.floor(random() * endpoints.length)
    this.#credits = Float64Array.from(endpoints, ({ weight }) => random() * weight)
  }

  pick(choice: Choice): Endpoint | undefined {
    const level = levelOf(this.endpoints, choice)
    if (level === Level.nobody) return undefined
    return this.#isEven ? this.#pickNext(choice, level) : this.#pickRichest(choice, level)
  }

  answered(): void {
    // It does not choose by latency.
  }

  #pickNext(choice: Choice, level: Level): Endpoint | undefined {
    const { endpoints } = this
    for (let turn = 0; turn < endpoints.length; turn += 1) {
      const endpoint = endpoints[this.#next]
      this.#next = this.#next + 1 < endpoints.length ? this.#next + 1 : 0
      if (endpoint !== undefined && isUsable(endpoint, choice, level)) return endpoint
    }
    return undefined
  }

  #pickRichest(choice: Choice, level: Level): Endpoint | undefined {
    const { endpoints } = this
    const credits = this.#credits
    let total = 0
    let richest = -1
    let most = 0
    for (let at = 0; at < endpoints.length; at += 1) {
      const endpoint = endpoints[at]
      if (endpoint === undefined || !isUsable(endpoint, choice, level)) continue
      total += endpoint.weight
      const credit = (credits[at] ?? 0) + endpoint.weight
      credits[at] = credit
      if (richest < 0 || credit > most) {
        richest = at
        most = credit
      }
    }
    if (richest < 0) return undefined
    credits[richest] = most - total
    return endpoints[richest]
  }
}
