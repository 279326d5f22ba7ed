// How many requests at once the application does well with, found from its latency: the limit that `gradient` moves.
//
// The rule, window by window (at least a tenth of a second, two latencies, and 50 samples): with a limit that is used,
//   limit := limit * min(1, TOLERANCE * baseline / median) + sqrt(limit)
// where the median is the window's, and the baseline what the application takes when it is not loaded. Below its
// capacity latency is flat, and the limit grows by its root each window; above, latency grows with what is under way,
// and the factor takes back what the root adds: it comes to rest a little above the capacity. The factor is at least
// a half, so that one bad window does not throw away what was learned.
// The baseline is the lowest median of late. That would be wrong for ever if the application became slower by itself,
// or was overloaded from the beginning; so every 30 windows the limit is halved for two, and what the second of them
// shows is the new baseline. A limit that is less than half used says nothing: the baseline follows, the limit stays.
// What is held to the limit is left to admission.

import type { Millis } from '../../lib/duration.ts'

const LEAST_WINDOW: Millis = 100
const MOST_WINDOW: Millis = 5000
const LEAST_SAMPLES = 50
/** Of a window that has more, the last ones are looked at. */
const KEPT = 256
/** So much above the baseline is not load yet. */
const TOLERANCE = 1.2
const LEAST_FACTOR = 0.5
const PROBE_EVERY = 30
/** How fast the baseline goes down to a lower median, and follows while the limit is not used. */
const FOLLOWING = 0.5
const FIRST_LIMIT = 20

const STEADY = 0
/** The limit is halved, and what was under way before still ends. */
const SETTLING = 1
const PROBING = 2

export class GradientLimit {
  /** Requests that may be under way; a whole number. */
  limit: number
  /** What the application takes unloaded; NaN before the first window. */
  baseline: Millis = NaN
  readonly #min: number
  readonly #max: number
  /** The limit before it is rounded or halved. */
  #exact: number = NaN
  #phase: number = STEADY
  #untilProbe = 1
  readonly #latencies = new Float64Array(KEPT)
  #count = 0
  #peak = 0
  #from: Millis = NaN
  #length: Millis = NaN

  /** Whole numbers, `min` at least 1 and not above `max`. */
  constructor(min: number, max: number) {
    this.#min = min
    this.#max = max
    this.#exact = Math.min(Math.max(FIRST_LIMIT, min), max)
    this.limit = this.#exact
    this.#length = LEAST_WINDOW
  }

  /** A response came after `latency`, with so many under way, at `now` of the clock. */
  sample(latency: Millis, active: number, now: Millis): void {
    if (this.#count === 0) this.#from = now
    this.#latencies[this.#count % KEPT] = latency
    this.#count += 1
    if (active > this.#peak) this.#peak = active
    if (this.#count < LEAST_SAMPLES || now - this.#from < this.#length) return
    const median = this.#median()
    this.#judge(median)
    this.#length = Math.min(MOST_WINDOW, Math.max(LEAST_WINDOW, 2 * median))
    this.#count = 0
    this.#peak = 0
  }

  #judge(median: Millis): void {
    if (this.#phase === SETTLING) {
      this.#phase = PROBING
      return
    }
    if (this.#phase === PROBING) {
      this.baseline = median
      this.#phase = STEADY
      this.#untilProbe = PROBE_EVERY
      this.limit = Math.floor(this.#exact)
      return
    }
    this.#move(median)
  }

  #move(median: Millis): void {
    const isUsed = 2 * this.#peak >= this.limit
    if (Number.isNaN(this.baseline)) this.baseline = median
    else if (median < this.baseline || !isUsed) {
      this.baseline += (median - this.baseline) * FOLLOWING
    }
    if (!isUsed) return
    const ratio = median > 0 ? (TOLERANCE * this.baseline) / median : 1
    const factor = Math.min(1, Math.max(LEAST_FACTOR, ratio))
    const next = this.#exact * factor + Math.sqrt(this.#exact)
    this.#exact = Math.min(Math.max(next, this.#min), this.#max)
    this.limit = Math.floor(this.#exact)
    this.#untilProbe -= 1
    if (this.#untilProbe > 0) return
    this.#phase = SETTLING
    this.limit = Math.max(this.#min, Math.floor(this.#exact / 2))
  }

  #median(): Millis {
    const kept = Math.min(this.#count, KEPT)
    const sorted = this.#latencies.subarray(0, kept).sort()
    return sorted[kept >> 1] ?? 0
  }
}
