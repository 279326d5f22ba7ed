// Sums over the last seconds: a circle of buckets, each of which holds what was added in one stretch of time.
//
// Adding touches one bucket; the sums of all of them are kept beside, so that they can be read for every request. A
// window slides by whole buckets: it holds between one bucket less than its length and all of it. What the figures
// mean is left to whoever adds them.

import type { Millis } from '../../lib/duration.ts'

/** Something that knows the time: the clock's, when it last looked. */
export interface Timed {
  readonly now: Millis
}

export class Buckets {
  /** By bucket, `figures` numbers one after the other. */
  readonly values: Float64Array
  /** Of each figure, over all buckets. */
  readonly sums: Float64Array
  readonly #width: Millis
  readonly #count: number
  readonly #figures: number
  /** The stretch of time that the current bucket is for, counted from the clock's 0. */
  #stretch = 0

  /** `count` buckets of `width` milliseconds, with so many figures each. */
  constructor(width: Millis, count: number, figures: number) {
    this.#width = width
    this.#count = count
    this.#figures = figures
    this.values = new Float64Array(count * figures)
    this.sums = new Float64Array(figures)
  }

  /**
   * Forgets what is too old, and says where the current bucket's figures begin. Time that went back stands still. It is
   * given in an object, because V8 makes one of a fraction that is handed from function to function.
   */
  roll(timed: Timed): number {
    const stretch = Math.floor(timed.now / this.#width)
    if (stretch - this.#stretch >= this.#count) {
      this.clear()
      this.#stretch = stretch
    }
    while (this.#stretch < stretch) {
      this.#stretch += 1
      this.#empty(this.#place)
    }
    return this.#place
  }

  clear(): void {
    this.values.fill(0)
    this.sums.fill(0)
  }

  get #place(): number {
    return (this.#stretch % this.#count) * this.#figures
  }

  #empty(place: number): void {
    for (let figure = 0; figure < this.#figures; figure += 1) {
      this.sums[figure] = (this.sums[figure] ?? 0) - (this.values[place + figure] ?? 0)
      this.values[place + figure] = 0
    }
  }
}
