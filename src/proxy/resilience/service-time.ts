// How long the application has taken for its requests lately: what a wait for it is estimated from.
//
// The mean says how fast places become free. Whether one request still makes it is judged by the median, because a few
// slow requests raise the mean far above what most need, and refusing for those would be refusing for nothing.

import type { Millis } from '../../lib/duration.ts'

/** Of a sample in the mean: half of it is from the last fourteen. */
const WEIGHT = 0.05
/** The median moves by this factor towards each sample, so that as many pull it up as down. */
const STEP = 1.05
/** One that took longer than so many of the others counts as so long: a stream of hours says nothing of requests. */
const MOST = 10
/** It cannot grow out of 0 by a factor. */
const LEAST: Millis = 0.01

export class ServiceTime {
  /** NaN before the first request has ended. */
  mean: Millis = NaN
  median: Millis = NaN

  /** One has ended. If it was cut short it took at least so long, which says something only if that is long. */
  add(time: Millis, wasCut: boolean): void {
    if (Number.isNaN(this.mean)) {
      if (wasCut) return
      this.mean = time
      this.median = Math.max(LEAST, time)
      return
    }
    if (!wasCut || time > this.mean) {
      const counted = Math.min(time, MOST * Math.max(LEAST, this.mean))
      this.mean += (counted - this.mean) * WEIGHT
    }
    if (time > this.median) this.median *= STEP
    else if (!wasCut) this.median = Math.max(LEAST, this.median / STEP)
  }
}
