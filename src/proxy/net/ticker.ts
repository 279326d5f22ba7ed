// The time to about a second, as a field that costs one load: what stamps a connection's last byte.
//
// A timer per connection that is pushed back at every chunk costs more than moving the chunk. So chunks only store
// this number, and whoever looks for idle connections compares it once a tick.

import type { Clock, Timer } from '../../lib/clock.ts'

export const TICK = 1000

export class Ticker {
  /** Milliseconds of the clock at the last tick. */
  now: number
  readonly #timer: Timer

  constructor(clock: Clock, onTick: (now: number) => void) {
    this.now = clock.now()
    this.#timer = clock.every(TICK, () => {
      this.now = clock.now()
      // What arrived during a stall is read and stamped before anybody is called idle.
      clock.afterPoll(() => {
        onTick(this.now)
      })
    })
  }

  stop(): void {
    this.#timer.cancel()
  }
}
