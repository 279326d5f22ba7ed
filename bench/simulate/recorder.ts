// What clients saw, second by second of the time at which they asked.

import type { Millis } from '../../src/lib/duration.ts'

/** One request of a client. */
export interface Sent {
  readonly at: Millis
  readonly patience: Millis
  isOver: boolean
  whenOver: (() => void) | undefined
}

interface Second {
  sent: number
  good: number
  /** Ended, well or not; and how long that took. */
  readonly latencies: Millis[]
}

const FIRST_BAD = 400
const MILLIS = 1000

export class Recorder {
  readonly #seconds: Second[] = []

  /** `seconds` is how long it goes. */
  constructor(seconds: number) {
    for (let at = 0; at < seconds; at += 1) {
      this.#seconds.push({ sent: 0, good: 0, latencies: [] })
    }
  }

  sent(at: Millis, patience: Millis): Sent {
    const second = this.#seconds[Math.floor(at / MILLIS)]
    if (second !== undefined) second.sent += 1
    return { at, patience, isOver: false, whenOver: undefined }
  }

  /** A status of 0 is none at all. Good is what came in time and is no error. */
  ended(sent: Sent, status: number, now: Millis): void {
    sent.isOver = true
    sent.whenOver?.()
    const second = this.#seconds[Math.floor(sent.at / MILLIS)]
    if (second === undefined) return
    const latency = now - sent.at
    second.latencies.push(latency)
    if (status > 0 && status < FIRST_BAD && latency <= sent.patience) second.good += 1
  }

  get length(): number {
    return this.#seconds.length
  }

  /** Requests of these seconds, the last excluded. */
  count(from: number, to: number): number {
    return this.#sum(from, to, ({ sent }) => sent)
  }

  good(from: number, to: number): number {
    return this.#sum(from, to, ({ good }) => good)
  }

  /** Share of the requests that were answered well and in time, 0 to 1; NaN without requests. */
  success(from: number, to: number): number {
    return this.good(from, to) / this.count(from, to)
  }

  /** The p-th percentile of how long requests took that began then; those that never ended took for ever. */
  percentile(p: number, from: number, to: number): Millis {
    const all = this.#seconds.slice(from, to).flatMap(({ latencies }) => latencies)
    const count = this.count(from, to)
    if (count === 0) return NaN
    const rank = Math.ceil((p / 100) * count) - 1
    if (rank >= all.length) return Number.POSITIVE_INFINITY
    return Float64Array.from(all).sort()[rank] ?? NaN
  }

  /** Requests of these seconds that took longer than `limit`. */
  slower(limit: Millis, from: number, to: number): number {
    const ended = this.#sum(from, to, ({ latencies }) => latencies.length)
    const slow = this.#sum(
      from,
      to,
      ({ latencies }) => latencies.filter((time) => time > limit).length,
    )
    return this.count(from, to) - ended + slow
  }

  /** One value a second. */
  each(value: (from: number, to: number) => number): number[] {
    return this.#seconds.map((_, at) => value(at, at + 1))
  }

  #sum(from: number, to: number, value: (second: Second) => number): number {
    return this.#seconds.slice(from, to).reduce((sum, second) => sum + value(second), 0)
  }
}
