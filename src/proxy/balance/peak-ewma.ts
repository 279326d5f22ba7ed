// The endpoint that is likely to answer first: its latency, times what is under way there, by its weight.
//
// Latency is the peak-sensitive moving average of Finagle and Linkerd: worse news counts at once, better news bit by
// bit as time goes by. It falls while nobody asks, so that an endpoint that once was slow is asked again: one ten
// times slower than the others after 23 s. The average is kept in the endpoint and survives every update.
//
// Of a few endpoints all are looked at; of many, two that are drawn by weight.

import type { Millis } from '../../lib/duration.ts'
import type { Random } from '../../lib/random.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { Chance } from './chance.ts'
import { FEW, isUsable, isWell, levelOf } from './usable.ts'
import { WeightedDraw } from './weighted-draw.ts'

/** In which an average falls to 1/e. */
const DECAY: Millis = 10_000
/** What an endpoint without an answer counts as; it falls faster, for it is nobody's experience. */
const UNKNOWN: Millis = 30
const UNKNOWN_DECAY: Millis = 1000
/** An endpoint that owes its first answer comes after all others: a newcomer is asked one thing to begin with. */
const OWING: Millis = 1_000_000
/** Nothing is faster, or what is under way would no longer count. */
const FASTEST: Millis = 0.01

export class PeakEwma implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #chance: Chance
  readonly #lots: WeightedDraw
  /** The cost last worked out. Returned from a function it could be an object. */
  readonly #cost: Float64Array = new Float64Array(1)

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints
    this.#chance = new Chance(random)
    this.#lots = new WeightedDraw(endpoints, this.#chance)
  }

  pick(choice: Choice): Endpoint | undefined {
    const found = this.endpoints.length > FEW ? this.#pickOfTwo(choice) : undefined
    return found ?? this.#pickBest(choice)
  }

  answered(endpoint: Endpoint, latency: Millis, now: Millis): void {
    const before = endpoint.latency
    if (before > latency) {
      const kept = Math.exp(-Math.max(0, now - endpoint.latencyAt) / DECAY)
      endpoint.latency = before * kept + latency * (1 - kept)
    } else {
      // Also the first time, when `before` is NaN.
      endpoint.latency = latency
    }
    endpoint.latencyAt = now
  }

  #pickOfTwo(choice: Choice): Endpoint | undefined {
    let best: Endpoint | undefined
    let least = 0
    for (let turn = 0; turn < 2; turn += 1) {
      const drawn = this.#lots.draw()
      if (drawn === undefined || !isWell(drawn, choice)) continue
      this.#weigh(drawn, choice)
      const cost = this.#cost[0] ?? 0
      if (best !== undefined && cost >= least) continue
      best = drawn
      least = cost
    }
    return best
  }

  #pickBest(choice: Choice): Endpoint | undefined {
    const { endpoints } = this
    const level = levelOf(endpoints, choice)
    let best: Endpoint | undefined
    let least = Number.POSITIVE_INFINITY
    let equals = 0
    for (let at = 0; at < endpoints.length; at += 1) {
      const endpoint = endpoints[at]
      if (endpoint === undefined || !isUsable(endpoint, choice, level)) continue
      this.#weigh(endpoint, choice)
      const cost = this.#cost[0] ?? 0
      if (cost > least) continue
      equals = cost < least ? 1 : equals + 1
      if (equals === 1 || this.#chance.below(equals) === 0) best = endpoint
      least = cost
    }
    return best
  }

  #weigh(endpoint: Endpoint, choice: Choice): void {
    const { latency } = endpoint
    const share = (endpoint.open + 1) / endpoint.weight
    if (latency >= 0) {
      const fallen = latency * Math.exp((endpoint.latencyAt - choice.now) / DECAY)
      this.#cost[0] = (fallen > FASTEST ? fallen : FASTEST) * share
    } else {
      this.#cost[0] = guessOf(endpoint, choice.now) * share
    }
  }
}

/** The latency of one that has not answered yet. */
function guessOf(endpoint: Endpoint, now: Millis): Millis {
  if (endpoint.open > 0) return OWING
  // Since when it is known stands where later the time of its last answer does.
  if (!(endpoint.latencyAt <= now)) endpoint.latencyAt = now
  return Math.max(FASTEST, UNKNOWN * Math.exp((endpoint.latencyAt - now) / UNKNOWN_DECAY))
}
