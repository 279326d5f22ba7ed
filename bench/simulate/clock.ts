// Time that passes only when the simulation says so: events in the order of their times, millions of them in a few
// seconds.
//
// What falls due at the same moment runs in the order it was set, so that a run is the same each time. Nothing here
// knows what is simulated.

import type { Clock, Timer } from '../../src/lib/clock.ts'
import type { Millis } from '../../src/lib/duration.ts'

/** The time of day when virtual time begins: only logs and certificates would ask for it. */
const WALL_AT_START: Millis = 1_700_000_000_000
/** Cancelled events lie about until they would have run; from this many on they are thrown out when they are most. */
const MANY = 4096

class Planned implements Timer {
  at: Millis
  order: number
  /** 0 for once. */
  readonly period: Millis
  /** Undefined once it is cancelled, or done. */
  task: (() => void) | undefined
  readonly #clock: VirtualClock

  constructor(
    clock: VirtualClock,
    at: Millis,
    order: number,
    period: Millis,
    task: (() => void) | undefined,
  ) {
    this.#clock = clock
    this.at = at
    this.order = order
    this.period = period
    this.task = task
  }

  cancel(): void {
    if (this.task === undefined) return
    this.task = undefined
    this.#clock.cancelled()
  }
}

export class VirtualClock implements Clock {
  /** A binary heap: none is before its parent, which stands at half its place. */
  #heap: Planned[] = []
  #now: Millis = 0
  #order = 0
  #dead = 0
  #ran = 0

  now(): Millis {
    return this.#now
  }

  wall(): Millis {
    return WALL_AT_START + this.#now
  }

  /** At once: between two events nothing can arrive. */
  afterPoll(task: () => void): void {
    task()
  }

  after(delay: Millis, task: () => void): Timer {
    return this.#plan(Math.max(0, delay), 0, task)
  }

  every(period: Millis, task: () => void): Timer {
    if (!(period > 0)) throw new RangeError(`a period must be above 0: ${period}`)
    return this.#plan(period, period, task)
  }

  /** Events that are still to come. */
  get pending(): number {
    return this.#heap.length - this.#dead
  }

  /** Events that have run. */
  get ran(): number {
    return this.#ran
  }

  /** Lets everything happen that falls due up to `end`, which is the time afterwards. */
  run(end: Millis): void {
    for (;;) {
      const next = this.#heap[0]
      if (next === undefined || next.at > end) break
      const { task } = next
      if (task === undefined) {
        this.#dead -= 1
        this.#takeFirst()
        continue
      }
      this.#now = next.at
      this.#ran += 1
      if (next.period > 0) {
        this.#takeFirst()
        next.at += next.period
        next.order = this.#order
        this.#order += 1
        this.#insert(next)
      } else {
        next.task = undefined
        this.#takeFirst()
      }
      task()
    }
    this.#now = Math.max(this.#now, end)
  }

  /** One event was cancelled: told by the event itself. */
  cancelled(): void {
    this.#dead += 1
    if (this.#dead < MANY || this.#dead * 2 < this.#heap.length) return
    const live = this.#heap.filter(({ task }) => task !== undefined)
    this.#heap = []
    this.#dead = 0
    for (const planned of live) this.#insert(planned)
  }

  #plan(delay: Millis, period: Millis, task: () => void): Timer {
    if (!Number.isFinite(delay)) throw new RangeError(`a delay must be finite: ${delay}`)
    const planned = new Planned(this, this.#now + delay, this.#order, period, task)
    this.#order += 1
    this.#insert(planned)
    return planned
  }

  #insert(planned: Planned): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(planned)
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = heap[above]
      if (parent === undefined || isBefore(parent, planned)) break
      heap[at] = parent
      at = above
    }
    heap[at] = planned
  }

  #takeFirst(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    const { length } = heap
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      let child = heap[below]
      if (child === undefined) break
      const other = below + 1 < length ? heap[below + 1] : undefined
      if (other !== undefined && isBefore(other, child)) {
        child = other
        below += 1
      }
      if (isBefore(last, child)) break
      heap[at] = child
      at = below
    }
    heap[at] = last
  }
}

function isBefore(one: Planned, other: Planned): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order)
}
