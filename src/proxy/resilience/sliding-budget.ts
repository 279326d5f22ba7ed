// What retries may add to the load of one Service: a share of its requests over a window that moves on, and so many a
// second in any case, so that one with little traffic can be retried at all.
//
// The window moves in steps, a bucket at a time, so that a request costs two additions. Rules that change make a new
// budget, with nothing in its window.

import type { RetryBudget as BudgetRules } from '../../api/resources.ts'
import type { Millis } from '../../lib/duration.ts'
import type { RetryBudget } from '../stack/destination.ts'

/** What leaves the window leaves it in steps of this part of it. */
export const BUCKETS = 20

export class SlidingBudget implements RetryBudget {
  readonly #share: number
  readonly #least: number
  /** Of a bucket. */
  readonly #width: Millis
  readonly #requests: Float64Array = new Float64Array(BUCKETS)
  readonly #retries: Float64Array = new Float64Array(BUCKETS)
  #requestsInWindow = 0
  #retriesInWindow = 0
  /** The bucket at hand, and when its time is over. Long past: the first request begins it. */
  #at = 0
  #turnsAt: Millis = Number.NEGATIVE_INFINITY

  constructor({ percent, minPerSecond, window }: BudgetRules) {
    this.#share = percent / 100
    this.#least = (minPerSecond * window) / 1000
    this.#width = window / BUCKETS
  }

  earn(now: Millis): void {
    if (now >= this.#turnsAt) this.#turn(now)
    this.#requests[this.#at] = (this.#requests[this.#at] ?? 0) + 1
    this.#requestsInWindow += 1
  }

  spend(now: Millis): boolean {
    if (now >= this.#turnsAt) this.#turn(now)
    if (this.#retriesInWindow >= this.#allowed) return false
    this.#retries[this.#at] = (this.#retries[this.#at] ?? 0) + 1
    this.#retriesInWindow += 1
    return true
  }

  left(now: Millis): number {
    if (now >= this.#turnsAt) this.#turn(now)
    return Math.max(0, Math.ceil(this.#allowed) - this.#retriesInWindow)
  }

  get #allowed(): number {
    return Math.max(this.#least, this.#share * this.#requestsInWindow)
  }

  /** Goes on to the bucket of that time; those on the way are emptied. */
  #turn(now: Millis): void {
    const steps = Math.floor((now - this.#turnsAt) / this.#width) + 1
    if (!(steps < BUCKETS)) {
      this.#requests.fill(0)
      this.#retries.fill(0)
      this.#requestsInWindow = 0
      this.#retriesInWindow = 0
      // The first request of all begins the first bucket.
      const isFirst = steps === Number.POSITIVE_INFINITY
      this.#turnsAt = isFirst ? now + this.#width : this.#turnsAt + steps * this.#width
      return
    }
    for (let step = 0; step < steps; step += 1) {
      this.#at = (this.#at + 1) % BUCKETS
      this.#requestsInWindow -= this.#requests[this.#at] ?? 0
      this.#retriesInWindow -= this.#retries[this.#at] ?? 0
      this.#requests[this.#at] = 0
      this.#retries[this.#at] = 0
    }
    this.#turnsAt += steps * this.#width
  }
}
