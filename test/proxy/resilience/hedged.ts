// A request with a second try, for the tests of hedging.

import { PERIOD } from '../../../src/lib/timer-wheel.ts'
import { Tries, type Wish } from './tries.ts'
import { Client } from './tries-parts.ts'

/** Milliseconds. */
export const AFTER = 100
export const HEDGED: Wish = {
  retries: { hedgeAfter: AFTER, on: ['reset', 'gateway-error', 'per-try-timeout'], attempts: 1 },
}

/** A request whose second try is under way. */
export function hedged(endpoints = 3, wish: Wish = HEDGED): Tries {
  const f = new Tries(endpoints, wish)
  f.open()
  f.clock.advance(AFTER + PERIOD)
  if (f.all.length !== 2) throw new Error('there is no second try')
  return f
}

export function clientOf(f: Tries): Client {
  const { downstream } = f.at(0).exchange
  if (downstream instanceof Client) return downstream
  throw new Error('the client of a second try')
}
