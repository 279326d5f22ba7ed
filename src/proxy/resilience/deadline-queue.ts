// Requests that wait, the one whose time is over first at the front: a binary heap.
//
// Those with the same deadline, or none, go in the order that they came. Each knows its place (`Exchange.place`), so
// that one that leaves before its turn is found at once. How many may wait is left to the caller.

import type { Millis } from '../../lib/duration.ts'
import { type Exchange, NO_PLACE } from '../stack/exchange.ts'

export class DeadlineQueue {
  readonly #items: Exchange[] = []
  /** By place, when each came: a number that only grows. */
  readonly #arrivals: number[] = []
  #arrived = 0

  get size(): number {
    return this.#items.length
  }

  /** Its deadline must stay as it is while it waits. */
  push(exchange: Exchange): void {
    const place = this.#items.length
    this.#items.push(exchange)
    this.#arrivals.push(this.#arrived++)
    exchange.place = place
    this.#rise(place)
  }

  /** Takes the first one out. */
  pop(): Exchange | undefined {
    const first = this.#items[0]
    if (first !== undefined) this.remove(first)
    return first
  }

  /** Takes out one that waits. */
  remove(exchange: Exchange): void {
    const { place } = exchange
    const last = this.#items.pop()
    const arrival = this.#arrivals.pop()
    exchange.place = NO_PLACE
    if (last === undefined || arrival === undefined || last === exchange) return
    this.#put(place, last, arrival)
    this.#rise(place)
    this.#sink(last.place)
  }

  /** How many would go before one with that deadline that comes now. */
  ahead(deadline: Millis): number {
    let count = 0
    for (const item of this.#items) if (item.deadline <= deadline) count += 1
    return count
  }

  #rise(from: number): void {
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (!this.#isBefore(place, parent)) return
      this.#swap(place, parent)
      place = parent
    }
  }

  #sink(from: number): void {
    let place = from
    for (;;) {
      const left = 2 * place + 1
      if (left >= this.#items.length) return
      const right = left + 1
      const child = right < this.#items.length && this.#isBefore(right, left) ? right : left
      if (!this.#isBefore(child, place)) return
      this.#swap(place, child)
      place = child
    }
  }

  #isBefore(one: number, other: number): boolean {
    const first = this.#deadlineAt(one)
    const second = this.#deadlineAt(other)
    if (first !== second) return first < second
    return (this.#arrivals[one] ?? 0) < (this.#arrivals[other] ?? 0)
  }

  #deadlineAt(place: number): Millis {
    return this.#items[place]?.deadline ?? Number.POSITIVE_INFINITY
  }

  #swap(one: number, other: number): void {
    const first = this.#items[one]
    const second = this.#items[other]
    if (first === undefined || second === undefined) return
    const arrival = this.#arrivals[one] ?? 0
    this.#put(one, second, this.#arrivals[other] ?? 0)
    this.#put(other, first, arrival)
  }

  #put(place: number, exchange: Exchange, arrival: number): void {
    this.#items[place] = exchange
    this.#arrivals[place] = arrival
    exchange.place = place
  }
}
