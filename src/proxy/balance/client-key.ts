// What a choice goes by where clients stay with an endpoint: the hash that a request's affinity left, else, if that
// was asked for, the client's address. The latter is how connections stay at L4, where nobody reads a request.

import type { Choice } from '../stack/destination.ts'
import { NO_AFFINITY } from '../stack/exchange.ts'
import type { Chance } from './chance.ts'
import { hashText } from './hash.ts'

/** A hash of 31 or 32 bits, or NO_AFFINITY. */
export function clientKey(choice: Choice, bySource: boolean): number {
  const { affinity } = choice
  if (affinity !== NO_AFFINITY || !bySource) return affinity
  const { source } = choice
  return source === '' ? NO_AFFINITY : hashText(source)
}

/** The same, and any hash for a client that is to stay nowhere. */
export function clientKeyOrAny(choice: Choice, bySource: boolean, chance: Chance): number {
  const key = clientKey(choice, bySource)
  return key === NO_AFFINITY ? chance.next() : key
}
