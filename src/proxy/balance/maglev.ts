// Consistent hashing by a table: a client's hash names an entry, and the entry an endpoint.
//
// Google's Maglev, with weights as Envoy has them: the endpoints take entries in turn, each in an order of its own,
// until the table is full. Shares are even within the width of an entry (a ring's within some percent), and a look
// is one memory access. The price: an endpoint that goes or comes moves a few clients of others too.
//
// If an endpoint is away, its clients go where the next entries of the table lead: to all others alike.

import type { Random } from '../../lib/random.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { Chance } from './chance.ts'
import { clientKeyOrAny } from './client-key.ts'
import { hashText, mix } from './hash.ts'
import { isUsable, isWell, Level, levelOf } from './usable.ts'

/**
 * Entries, a prime number. Maglev wants a hundred for each endpoint. The small table is built in a fraction of a
 * millisecond and kept in 8 KB; passing from one to the other moves everybody, so there are no further steps.
 */
const SMALL_TABLE = 4093
const LARGE_TABLE = 65_537
const MOST_IN_SMALL = 40

export class Maglev implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #chance: Chance
  readonly #bySource: boolean
  /** By entry: the index of an endpoint. */
  readonly #table: Uint16Array

  constructor(endpoints: readonly Endpoint[], bySource: boolean, random: Random) {
    this.endpoints = endpoints
    this.#chance = new Chance(random)
    this.#bySource = bySource
    const size = endpoints.length > MOST_IN_SMALL ? LARGE_TABLE : SMALL_TABLE
    this.#table = fill(endpoints, size)
  }

  pick(choice: Choice): Endpoint | undefined {
    const key = clientKeyOrAny(choice, this.#bySource, this.#chance)
    const table = this.#table
    let at = (mix(key) >>> 1) % table.length
    const first = this.endpoints[table[at] ?? 0]
    if (first === undefined || isWell(first, choice)) return first
    const level = levelOf(this.endpoints, choice)
    if (level === Level.nobody) return undefined
    for (let turn = 0; turn < table.length; turn += 1) {
      const endpoint = this.endpoints[table[at] ?? 0]
      if (endpoint !== undefined && isUsable(endpoint, choice, level)) return endpoint
      at = at + 1 < table.length ? at + 1 : 0
    }
    return undefined
  }

  answered(): void {
    // It does not choose by latency.
  }
}

/** What an endpoint has to do with the table while that is filled. */
interface Claim {
  readonly index: number
  readonly weight: number
  /** The entry that it wants next, and how far it is from there to the one after. */
  entry: number
  readonly skip: number
  /** How much it must have earned for its next turn; nothing for the first, so that everybody has an entry. */
  due: number
}

function fill(endpoints: readonly Endpoint[], size: number): Uint16Array {
  const owners = new Uint16Array(size)
  if (endpoints.length === 0) return owners
  const taken = new Uint8Array(size)
  const claims = claimsOf(endpoints, size)
  const heaviest = claims.reduce((most, { weight }) => Math.max(most, weight), 0)
  let left = size
  for (let round = 1; ; round += 1) {
    for (const claim of claims) {
      if (round * claim.weight < claim.due) continue
      claim.due += heaviest
      const { skip } = claim
      let { entry } = claim
      while (taken[entry] === 1) entry += entry + skip < size ? skip : skip - size
      claim.entry = entry
      taken[entry] = 1
      owners[entry] = claim.index
      left -= 1
      if (left === 0) return owners
    }
  }
}

/** In the same order whatever order the endpoints stand in: the earlier one gets what both want. */
function claimsOf(endpoints: readonly Endpoint[], size: number): Claim[] {
  const order = endpoints.map(({ key, weight }, index) => ({ key, weight, index }))
  order.sort((one, other) => (one.key < other.key ? -1 : 1))
  return order.map(({ key, weight, index }) => {
    const hash = mix(hashText(key))
    const entry = hash % size
    return { index, weight, entry, skip: 1 + (mix(hash ^ 0x5bd1e995) % (size - 1)), due: 0 }
  })
}
