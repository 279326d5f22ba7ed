// Time, as one object that is handed around, so that a test can turn it by hand.
//
// `now` is monotonic and for measuring and deciding; `wall` is only for people and certificates. Nothing else in
// the project asks the runtime for the time or sets a timer (lint keeps it). Timers here are for coarse things
// (a connect timeout, a sweep); nothing sets one per chunk or per request.

import { performance } from 'node:perf_hooks'
import type { Millis } from './duration.ts'

export interface Timer {
  cancel(): void
}

export interface Clock {
  /**
   * Runs `task` in this turn of the event loop, after the sockets have been served. Timers come before them: after a
   * stall, whatever judges by the time must let in what has long arrived.
   */
  afterPoll(task: () => void): void
  /** Milliseconds since an arbitrary point, never going back. */
  now(): Millis
  /** The time of day, milliseconds since 1970. */
  wall(): Millis
  /** Runs `task` once after `delay`; keeps the process alive until then. */
  after(delay: Millis, task: () => void): Timer
  /** Runs `task` every `period`; does not keep the process alive. */
  every(period: Millis, task: () => void): Timer
}

export const systemClock: Clock = {
  afterPoll(task) {
    setImmediate(task)
  },
  now: () => performance.now(),
  wall: () => Date.now(),
  after(delay, task) {
    const timer = setTimeout(task, delay)
    return {
      cancel: () => {
        clearTimeout(timer)
      },
    }
  },
  every(period, task) {
    const timer = setInterval(task, period).unref()
    return {
      cancel: () => {
        clearInterval(timer)
      },
    }
  },
}
