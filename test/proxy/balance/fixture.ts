// Endpoints and choices for the tests of the pickers.

import { ConnectionCounters } from '../../../src/proxy/stack/counters.ts'
import type { Picker } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'

/** One endpoint for each weight: 10.1.0.1:80, 10.1.0.2:80 and so on. */
export function endpointsOf(...weights: readonly number[]): Endpoint[] {
  return weights.map((weight, at) => {
    const ip = `10.1.${at >> 8}.${(at & 255) + 1}`
    const counters = new ConnectionCounters('outbound', 'shop.default:80', `${ip}:80`)
    return new Endpoint({ ip, port: 80 }, weight, counters)
  })
}

interface Wish {
  readonly source?: string
  readonly tried?: readonly Endpoint[]
  readonly now?: number
  readonly affinity?: number
}

export function pick(picker: Picker, wish: Wish = {}): Endpoint | undefined {
  return picker.pick({ source: '', tried: [], now: 0, affinity: -1, ...wish })
}

/** How often each endpoint is picked in `times` turns, in the order of the endpoints. */
export function shares(picker: Picker, times: number, wish: Wish = {}): number[] {
  const counts = new Map<Endpoint | undefined, number>()
  for (let turn = 0; turn < times; turn += 1) {
    const picked = pick(picker, wish)
    counts.set(picked, (counts.get(picked) ?? 0) + 1)
  }
  return picker.endpoints.map((endpoint) => counts.get(endpoint) ?? 0)
}
