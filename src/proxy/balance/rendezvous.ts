// Clients stay with one endpoint for as long as it is there, whatever the algorithm is for those without affinity.
//
// Weighted rendezvous hashing: each endpoint draws a score from a hash of itself and the client, the highest wins.
// When an endpoint goes, only its own clients move; when one comes, only the clients it wins move: no scheme moves
// fewer, and unlike a ring or a table it has nothing to build. It costs a look at every endpoint.

import type { Millis } from '../../lib/duration.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { NO_AFFINITY } from '../stack/exchange.ts'
import { clientKey } from './client-key.ts'
import { hashText, mix } from './hash.ts'
import { isUsable, Level, levelOf } from './usable.ts'
import { haveOneWeight } from './weighted-draw.ts'

export class Rendezvous implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #hashes: Int32Array
  readonly #isEven: boolean
  readonly #bySource: boolean
  readonly #others: Picker

  /** `others` picks for clients without affinity, among the same endpoints. */
  constructor(others: Picker, bySource: boolean) {
    this.endpoints = others.endpoints
    this.#others = others
    this.#bySource = bySource
    this.#isEven = haveOneWeight(this.endpoints)
    this.#hashes = Int32Array.from(this.endpoints, ({ key }) => mix(hashText(key)))
  }

  pick(choice: Choice): Endpoint | undefined {
    const key = clientKey(choice, this.#bySource)
    if (key === NO_AFFINITY) return this.#others.pick(choice)
    const level = levelOf(this.endpoints, choice)
    if (level === Level.nobody) return undefined
    return this.#isEven
      ? this.#pickHighest(choice, level, key)
      : this.#pickByWeight(choice, level, key)
  }

  answered(endpoint: Endpoint, latency: Millis, now: Millis): void {
    this.#others.answered(endpoint, latency, now)
  }

  /** Where weights are the same, the order of the scores is that of what they are made from. */
  #pickHighest(choice: Choice, level: Level, key: number): Endpoint | undefined {
    const { endpoints } = this
    const hashes = this.#hashes
    let best: Endpoint | undefined
    let most = -1
    for (let at = 0; at < endpoints.length; at += 1) {
      const drawn = mix(key ^ (hashes[at] ?? 0)) >>> 1
      if (drawn <= most) continue
      const endpoint = endpoints[at]
      if (endpoint === undefined || !isUsable(endpoint, choice, level)) continue
      best = endpoint
      most = drawn
    }
    return best
  }

  #pickByWeight(choice: Choice, level: Level, key: number): Endpoint | undefined {
    const { endpoints } = this
    const hashes = this.#hashes
    let best: Endpoint | undefined
    let most = -1
    for (let at = 0; at < endpoints.length; at += 1) {
      const endpoint = endpoints[at]
      if (endpoint === undefined || !isUsable(endpoint, choice, level)) continue
      // Uniform in (0, 1); the logarithm makes the chance of the highest score proportional to the weight.
      const uniform = ((mix(key ^ (hashes[at] ?? 0)) >>> 1) + 0.5) / 0x80000000
      // log(u) <= u - 1, so most that cannot win are told without it.
      if (endpoint.weight <= most * (1 - uniform)) continue
      const score = -endpoint.weight / Math.log(uniform)
      if (score <= most) continue
      best = endpoint
      most = score
    }
    return best
  }
}
