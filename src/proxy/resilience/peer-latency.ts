// Who of the endpoints of a Service is much slower than the others: each one's latency against the median of the rest.
//
// Judged once a second for all of them together. One other endpoint is enough to compare with: of two replicas, one
// that takes five times as long as the other is what a policy means that says so, and no more than one of two is
// ever ejected. What follows from being slow is left to outlier-detection.ts.

import type { Millis } from '../../lib/duration.ts'

/** Nobody is slow who is not slower by so much: below a few milliseconds, factors are noise. */
const LEAST_DIFFERENCE: Millis = 10

/** `peers` is the median of the others; nothing is slow against NaN. `factor` 0 is for never. */
export function isSlow(latency: Millis, peers: Millis, factor: number): boolean {
  return factor > 0 && latency > factor * peers && latency >= peers + LEAST_DIFFERENCE
}

export class PeerLatency {
  /** In ascending order. */
  readonly #latencies: Float64Array

  /** The latencies of all endpoints that have one; NaN for one that has none. */
  constructor(latencies: readonly Millis[]) {
    this.#latencies = Float64Array.from(latencies.filter((latency) => latency >= 0)).sort()
  }

  /** Of all of them; NaN if there is none. */
  get median(): Millis {
    return this.#median(this.#latencies.length, -1)
  }

  /** Of all but the one whose latency this is; NaN if there is no other. */
  withoutOne(latency: Millis): Millis {
    return this.#median(this.#latencies.length - 1, this.#latencies.indexOf(latency))
  }

  #median(count: number, left: number): Millis {
    if (count <= 0) return NaN
    const half = count >> 1
    const upper = this.#at(half, left)
    return count % 2 === 1 ? upper : (this.#at(half - 1, left) + upper) / 2
  }

  /** The one in that place if the one at `left` is left out. */
  #at(place: number, left: number): Millis {
    return this.#latencies[left >= 0 && place >= left ? place + 1 : place] ?? NaN
  }
}
