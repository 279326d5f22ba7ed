// Chance for choices that are made for every request: numbers that cost no call into the runtime and no memory.
//
// Math.random gives each number as an object of its own, and so does any function that gives fractions and is not
// compiled into its caller. This gives whole numbers: mulberry32, as in lib/random.ts, with a state that begins where
// the Random that it is made of says. Not for secrets.

import type { Random } from '../../lib/random.ts'

/** Numbers are below this: 31 bits, which V8 keeps in place. */
export const CHANCES = 0x80000000

export class Chance {
  /** 32 bits, signed. */
  #state: number

  constructor(random: Random) {
    this.#state = Math.floor(random() * 2 * CHANCES) | 0
  }

  /** A whole number from 0 to CHANCES - 1. */
  next(): number {
    const state = (this.#state + 0x6d2b79f5) | 0
    this.#state = state
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 1
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    return Math.floor((this.next() / CHANCES) * count)
  }
}
