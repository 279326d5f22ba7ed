// How fast an endpoint answered in the last five seconds: the mean of all responses but the slowest.
//
// The slowest one is left out because a single costly request among a handful would make any endpoint look slow. An
// endpoint that is slow is slow without it too. How slow is too slow is left to peer-latency.ts.

import type { Millis } from '../../lib/duration.ts'
import { Buckets, type Timed } from './buckets.ts'

const BUCKET: Millis = 1000
const BUCKETS = 5

const COUNT = 0
const SUM = 1
const SLOWEST = 2
const FIGURES = 3

/** An attempt that was answered, and when it was sent. */
export interface Answered extends Timed {
  readonly sentAt: Millis
}

export class LatencyWindow {
  readonly #buckets: Buckets = new Buckets(BUCKET, BUCKETS, FIGURES)

  /** A response that has begun now. */
  add(answered: Answered): void {
    const at = this.#buckets.roll(answered)
    const { values } = this.#buckets
    const latency = answered.now - answered.sentAt
    const slowest = values[at + SLOWEST] ?? 0
    values[at + COUNT] = (values[at + COUNT] ?? 0) + 1
    values[at + SUM] = (values[at + SUM] ?? 0) + latency
    if (latency > slowest) values[at + SLOWEST] = latency
  }

  /** NaN if there were fewer than `least` responses. Sums are made anew: taking away what is old gathers rounding. */
  mean(now: Millis, least: number): Millis {
    this.#buckets.roll({ now })
    const { values } = this.#buckets
    let [count, sum, slowest] = [0, 0, 0]
    for (let at = 0; at < values.length; at += FIGURES) {
      count += values[at + COUNT] ?? 0
      sum += values[at + SUM] ?? 0
      slowest = Math.max(slowest, values[at + SLOWEST] ?? 0)
    }
    if (count === 0 || count < least) return NaN
    return count === 1 ? sum : (sum - slowest) / (count - 1)
  }

  clear(): void {
    this.#buckets.clear()
  }
}
