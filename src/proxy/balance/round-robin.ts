// In turn, in proportion to the weights, and spread evenly: 3:1 gives a a b a, never a a a b.
//
// The smooth weighted round robin known from nginx: everyone earns their weight each turn, the richest is chosen
// and pays the total. It begins at a random place, so that sidecars that start together do not walk in step.

import type { Random } from '../../lib/random.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { usable } from './usable.ts'

interface Account {
  readonly endpoint: Endpoint
  credit: number
}

export class RoundRobin implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #accounts: readonly Account[]

  constructor(endpoints: readonly Endpoint[], random: Random) {
    this.endpoints = endpoints
    this.#accounts = endpoints.map((endpoint) => ({ endpoint, credit: random() * endpoint.weight }))
  }

  pick(choice: Choice): Endpoint | undefined {
    const may = usable(this.endpoints, choice)
    if (may === undefined) return undefined
    let total = 0
    let richest: Account | undefined
    for (const account of this.#accounts) {
      if (!may(account.endpoint)) continue
      total += account.endpoint.weight
      account.credit += account.endpoint.weight
      if (richest === undefined || account.credit > richest.credit) richest = account
    }
    if (richest !== undefined) richest.credit -= total
    return richest?.endpoint
  }

  answered(): void {
    // It does not choose by latency.
  }
}
