// Endpoints and choices for the tests of the pickers.

import type { Test } from 'tap'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../../src/proxy/http/h1/request-reader.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { ConnectionCounters } from '../../../src/proxy/stack/counters.ts'
import { Destination, type Picker, SinglePicker } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { Exchange } from '../../../src/proxy/stack/exchange.ts'

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
  readonly isPanicking?: boolean
  readonly lot?: number
}

export function pick(picker: Picker, wish: Wish = {}): Endpoint | undefined {
  return picker.pick({
    ...{ source: '', tried: [], now: 0, affinity: -1, isPanicking: false, lot: NaN },
    ...wish,
  })
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

/** Counts are in proportion to the weights, within five standard deviations: with a fixed seed that never fails by chance. */
export function isNear(t: Test, counts: readonly number[], weights: readonly number[]): void {
  const times = counts.reduce((sum, count) => sum + count, 0)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  const wrong = counts.filter((count, at) => {
    const share = (weights[at] ?? 0) / total
    return Math.abs(count - times * share) > 5 * Math.sqrt(times * share * (1 - share))
  })
  t.same(wrong, [], `${counts.join(' ')} by ${weights.join(' ')}`)
}

/** The exchange of a GET with these field lines, as a reader left it: the head does not begin where the buffer does. */
export function exchangeOf(fields: readonly string[], source = '10.0.0.1'): Exchange {
  const text = ['GET / HTTP/1.1', 'Host: shop', ...fields, '', ''].join('\r\n')
  const bytes = Buffer.from(`before${text}after`, 'latin1')
  const reader = new RequestReader(DEFAULT_LIMITS)
  if (reader.read(bytes, 6, bytes.length) !== Event.head) throw new Error(`refused: ${text}`)
  const nothing = (): undefined => undefined
  const downstream = {
    ...{
      ready: nothing,
      interim: nothing,
      head: nothing,
      body: nothing,
      trailers: nothing,
      end: nothing,
    },
    ...{ flush: () => true, discard: nothing, fail: nothing, resume: nothing },
    ...{ hasBegun: false, isAnswered: false, over: nothing, tunnel: nothing },
  }
  const [endpoint] = endpointsOf(1)
  if (endpoint === undefined) throw new Error()
  const rules = { connectTimeout: 1000, idleTimeout: 0 }
  const picker = new SinglePicker(endpoint)
  const destination = new Destination('outbound', 'shop.default:80', picker, rules)
  const exchange = new Exchange(destination, downstream, reader.head, source, 1)
  exchange.begin(0.5)
  return exchange
}
