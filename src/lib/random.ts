// Chance, as one function that is handed around, so that a test can fix it.
//
// Not for secrets: keys and tokens come from node:crypto.

/** A number from 0 (included) to 1 (excluded). */
export type Random = () => number

export const systemRandom: Random = Math.random

/** A repeatable sequence (mulberry32): the same seed gives the same numbers on every machine. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
