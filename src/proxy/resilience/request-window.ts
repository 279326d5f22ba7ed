// How many of an endpoint's requests went well lately: counts over a sliding window, in buckets of a second.
//
// A response may turn out to be bad after it was counted as good, when it breaks off; then its failure is added to a
// request that is counted already. When its verdict falls is left to outlier-detection.ts.

import type { Millis } from '../../lib/duration.ts'
import { Buckets, type Timed } from './buckets.ts'

const BUCKET: Millis = 1000
/** Longer windows have wider buckets, so that one costs a kilobyte at most. */
const MOST_BUCKETS = 60

const TOTAL = 0
const FAILED = 1
const FIGURES = 2

export class RequestWindow {
  readonly #buckets: Buckets

  /** Of so many milliseconds, rounded up to whole buckets. */
  constructor(length: Millis) {
    const width = Math.max(BUCKET, length / MOST_BUCKETS)
    this.#buckets = new Buckets(width, Math.max(1, Math.ceil(length / width)), FIGURES)
  }

  succeeded(timed: Timed): void {
    this.#add(timed, TOTAL)
  }

  failed(timed: Timed): void {
    this.#add(timed, TOTAL)
    this.#add(timed, FAILED)
  }

  /** One that was counted as a success lately has failed after all. */
  broke(timed: Timed): void {
    this.#add(timed, FAILED)
  }

  /** As of what was added last, or of the last `roll`. */
  get total(): number {
    const { sums } = this.#buckets
    // The success that a failure took the place of may have left the window before it.
    return Math.max(sums[TOTAL] ?? 0, sums[FAILED] ?? 0)
  }

  /** From 0 to 1; NaN if there were no requests. */
  get successRate(): number {
    const { total } = this
    return total === 0 ? NaN : 1 - (this.#buckets.sums[FAILED] ?? 0) / total
  }

  /** Forgets what is too old. */
  roll(timed: Timed): void {
    this.#buckets.roll(timed)
  }

  clear(): void {
    this.#buckets.clear()
  }

  #add(timed: Timed, figure: number): void {
    const at = this.#buckets.roll(timed) + figure
    const { values, sums } = this.#buckets
    values[at] = (values[at] ?? 0) + 1
    sums[figure] = (sums[figure] ?? 0) + 1
  }
}
