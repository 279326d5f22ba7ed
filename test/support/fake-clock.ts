// A clock that stands still until a test turns it: `clock.advance(1000)` runs what falls due, in order of time.
//
// Timers that fall due at the same moment run in the order they were set; a task may set further timers, which run in
// the same turn if they fall due in it. Promises that a task starts are left to the test to wait for.

import type { Clock, Timer } from '../../src/lib/clock.ts'
import type { Millis } from '../../src/lib/duration.ts'

interface Waiting {
  due: Millis
  /** Undefined for a timer that runs once. */
  readonly period: Millis | undefined
  readonly task: () => void
}

export class FakeClock implements Clock {
  /** Timers in the order they were set. */
  readonly #waiting: Set<Waiting> = new Set()
  readonly #wallAtStart: Millis
  #now: Millis = 0

  constructor(wallAtStart: Millis = 1_700_000_000_000) {
    this.#wallAtStart = wallAtStart
  }

  now(): Millis {
    return this.#now
  }

  wall(): Millis {
    return this.#wallAtStart + this.#now
  }

  /** At once: nothing can have arrived meanwhile. */
  afterPoll(task: () => void): void {
    task()
  }

  after(delay: Millis, task: () => void): Timer {
    return this.#set({ due: this.#now + Math.max(0, delay), period: undefined, task })
  }

  every(period: Millis, task: () => void): Timer {
    const shortest = Math.max(1, period)
    return this.#set({ due: this.#now + shortest, period: shortest, task })
  }

  /** How many timers are set: 0 says that nothing was forgotten. */
  get timers(): number {
    return this.#waiting.size
  }

  /** Milliseconds until the next timer falls due; undefined if none is set. */
  get next(): Millis | undefined {
    const first = this.#first(Number.POSITIVE_INFINITY)
    return first === undefined ? undefined : first.due - this.#now
  }

  /** Lets `time` pass. */
  advance(time: Millis): void {
    const end = this.#now + time
    for (let timer = this.#first(end); timer !== undefined; timer = this.#first(end)) {
      this.#now = timer.due
      if (timer.period === undefined) this.#waiting.delete(timer)
      else timer.due += timer.period
      timer.task()
    }
    this.#now = end
  }

  /** Lets `time` pass at once, as when the event loop is held up: what fell due runs late, a period only once. */
  stall(time: Millis): void {
    this.#now += time
    const due = [...this.#waiting].filter((timer) => timer.due <= this.#now)
    for (const timer of due.sort((one, other) => one.due - other.due)) {
      if (!this.#waiting.has(timer)) continue
      if (timer.period === undefined) this.#waiting.delete(timer)
      else timer.due = this.#now + timer.period
      timer.task()
    }
  }

  #set(timer: Waiting): Timer {
    this.#waiting.add(timer)
    return {
      cancel: () => {
        this.#waiting.delete(timer)
      },
    }
  }

  /** The timer that falls due first, and not after `end`. */
  #first(end: Millis): Waiting | undefined {
    let first: Waiting | undefined
    for (const timer of this.#waiting) {
      if (timer.due <= end && (first === undefined || timer.due < first.due)) first = timer
    }
    return first
  }
}
