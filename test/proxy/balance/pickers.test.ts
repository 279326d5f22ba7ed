// What holds for every way of choosing, and then what makes each of them what it is.

import t from 'tap'
import { ALGORITHMS, type SessionAffinity } from '../../../src/api/resources.ts'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { LeastRequest } from '../../../src/proxy/balance/least-request.ts'
import { Maglev } from '../../../src/proxy/balance/maglev.ts'
import { PeakEwma } from '../../../src/proxy/balance/peak-ewma.ts'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import { Rendezvous } from '../../../src/proxy/balance/rendezvous.ts'
import { RingHash } from '../../../src/proxy/balance/ring-hash.ts'
import { RoundRobin } from '../../../src/proxy/balance/round-robin.ts'
import { WeightedRandom } from '../../../src/proxy/balance/weighted-random.ts'
import { type Picker, SinglePicker } from '../../../src/proxy/stack/destination.ts'
import type { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { endpointsOf, isNear, pick, shares } from './fixture.ts'

type Make = (endpoints: readonly Endpoint[]) => Picker

const RANDOM: Random = seededRandom(7)
const NONE: SessionAffinity = { kind: 'none' }
const BY_SOURCE: SessionAffinity = { kind: 'sourceIp' }
const PICKERS: Readonly<Record<string, Make>> = Object.fromEntries(
  [NONE, BY_SOURCE].flatMap((affinity) =>
    ALGORITHMS.map((algorithm) => [
      affinity === NONE ? algorithm : `${algorithm} by source`,
      (endpoints: readonly Endpoint[]) => makePicker({ algorithm, affinity }, endpoints, RANDOM),
    ]),
  ),
)

for (const [name, make] of Object.entries(PICKERS)) {
  t.test(`${name}: nobody to choose is no choice`, async (t) => {
    t.equal(pick(make([])), undefined)
  })

  t.test(`${name}: what was tried is not chosen again, until nothing is left`, async (t) => {
    const endpoints = endpointsOf(1, 5, 2, 1)
    const picker = make(endpoints)
    const tried: Endpoint[] = []
    for (let turn = 0; turn < endpoints.length; turn += 1) {
      const picked = pick(picker, { tried, source: '10.0.0.7' })
      if (picked === undefined) throw new Error('nobody')
      t.notOk(tried.includes(picked))
      tried.push(picked)
    }
    t.equal(pick(picker, { tried }), undefined)
  })

  t.test(`${name}: of many endpoints only one that is well and was not tried`, async (t) => {
    const weights = Array.from({ length: 60 }, (_, at) => 1 + (at % 3))
    const endpoints = endpointsOf(...weights)
    const [tried, avoided] = [endpoints.slice(0, 20), endpoints.slice(20, 57)]
    for (const endpoint of avoided) endpoint.connectFailed(0)
    const picker = make(endpoints)
    const seen = new Set<Endpoint | undefined>()
    for (let turn = 0; turn < 400; turn += 1) {
      const picked = pick(picker, { tried, source: `10.0.${turn}.1` })
      if (picked === undefined || !endpoints.slice(57).includes(picked)) t.fail(`${picked?.key}`)
      seen.add(picked)
      if (picked !== undefined) picked.open += 1
    }
    t.equal(seen.size, 3, 'and each of those in its turn')
    const all = pick(picker, { tried: [...tried, ...endpoints.slice(57)], source: '10.0.0.1' })
    t.ok(all !== undefined && avoided.includes(all), 'or else one that is avoided')
    t.equal(pick(picker, { tried: endpoints }), undefined)
  })

  t.test(`${name}: an avoided endpoint is chosen only if there is no other`, async (t) => {
    const endpoints = endpointsOf(1, 1, 1)
    const [first, second, third] = endpoints
    if (first === undefined || second === undefined || third === undefined) throw new Error()
    const picker = make(endpoints)
    first.connectFailed(0)
    for (let turn = 0; turn < 50; turn += 1) {
      t.not(pick(picker, { source: `10.0.0.${turn}` }), first)
    }
    t.equal(pick(picker, { tried: [second, third] }), first)
    second.connectFailed(0)
    third.connectFailed(0)
    t.ok(pick(picker), 'all are avoided: one of them all the same')
    t.equal(pick(picker, { tried: [first, second] }), third)
    const later = new Set(
      Array.from({ length: 300 }, (_, at) => {
        const picked = pick(picker, { now: 1000, source: `10.0.1.${at}` })
        if (picked !== undefined) picked.open += 1
        return picked
      }),
    )
    t.equal(later.size, 3, 'after the time to avoid it everybody is back')
  })
}

t.test('roundRobin: shares are exact for equals in every round', async (t) => {
  for (let seed = 0; seed < 20; seed += 1) {
    const picker = new RoundRobin(endpointsOf(1, 1, 1, 1), seededRandom(seed))
    for (let round = 0; round < 5; round += 1) t.same(shares(picker, 4), [1, 1, 1, 1])
  }
})

t.test('roundRobin: shares follow the weights in every round, and are spread', async (t) => {
  for (let seed = 0; seed < 20; seed += 1) {
    const endpoints = endpointsOf(5, 1, 2)
    const picker = new RoundRobin(endpoints, seededRandom(seed))
    for (let round = 0; round < 20; round += 1) t.same(shares(picker, 8), [5, 1, 2])
    let inARow = 0
    for (let turn = 0; turn < 80; turn += 1) {
      inARow = pick(picker) === endpoints[0] ? inARow + 1 : 0
      t.ok(inARow <= 3, 'five of eight are never more than three in a row')
    }
  }
})

t.test('roundRobin: sidecars that start together do not begin at the same endpoint', async (t) => {
  const starts = new Set<string | undefined>()
  for (let seed = 0; seed < 50; seed += 1) {
    starts.add(pick(new RoundRobin(endpointsOf(1, 1, 1, 1), seededRandom(seed)))?.key)
  }
  t.equal(starts.size, 4)
})

t.test('leastRequest: of a few equals always one with the least under way', async (t) => {
  for (let seed = 0; seed < 50; seed += 1) {
    const random = seededRandom(seed)
    const endpoints = endpointsOf(...Array.from({ length: 1 + (seed % 16) }, () => 3))
    const picker = new LeastRequest(endpoints, random)
    for (let turn = 0; turn < 100; turn += 1) {
      for (const endpoint of endpoints) endpoint.open = Math.floor(random() * 4)
      const least = Math.min(...endpoints.map(({ open }) => open))
      if (pick(picker)?.open !== least) t.fail(`seed ${seed}`)
    }
  }
})

t.test('leastRequest: what stays fills endpoints by their weight', async (t) => {
  const endpoints = endpointsOf(1, 2, 3)
  const picker = new LeastRequest(endpoints, seededRandom(2))
  for (let turn = 0; turn < 600; turn += 1) {
    const picked = pick(picker)
    if (picked !== undefined) picked.open += 1
  }
  for (const { open, weight } of endpoints) t.ok(Math.abs(open - 100 * weight) <= 9, `${open}`)
})

t.test('leastRequest: what stays fills many endpoints by their weight', async (t) => {
  const endpoints = endpointsOf(...Array.from({ length: 90 }, (_, at) => 1 + (at % 3)))
  const picker = new LeastRequest(endpoints, seededRandom(5))
  for (let turn = 0; turn < 18_000; turn += 1) {
    const picked = pick(picker)
    if (picked !== undefined) picked.open += 1
  }
  for (const { open, weight } of endpoints) t.ok(Math.abs(open / weight - 100) <= 4, `${open}`)
})

t.test('leastRequest: one thing at a time is shared by weight too', async (t) => {
  for (const weights of [[1, 1, 1, 1, 1], [1, 9], [1, 2, 7], Array.from({ length: 40 }, () => 2)]) {
    const picker = new LeastRequest(endpointsOf(...weights), seededRandom(3))
    isNear(t, shares(picker, 20_000), weights)
  }
  const many = Array.from({ length: 40 }, (_, at) => 1 + (at % 4))
  isNear(t, shares(new LeastRequest(endpointsOf(...many), seededRandom(4)), 40_000), many)
})

t.test('random: shares follow the weights within what chance allows', async (t) => {
  for (let seed = 0; seed < 10; seed += 1) {
    const random = seededRandom(seed)
    const weights = Array.from({ length: 1 + seed * 6 }, () => 1 + Math.floor(random() * 9))
    isNear(t, shares(new WeightedRandom(endpointsOf(...weights), random), 40_000), weights)
  }
})

t.test('random: shares of those that are left follow the weights', async (t) => {
  const endpoints = endpointsOf(80, 1, 2, 7, 10)
  const picker = new WeightedRandom(endpoints, seededRandom(8))
  endpoints[4]?.connectFailed(0)
  isNear(t, shares(picker, 20_000, { tried: endpoints.slice(0, 1) }), [0, 1, 2, 7, 0])
})

t.test(
  'random: weights that are no whole numbers, and whatever is left, choose somebody',
  async (t) => {
    for (const weights of [[1], [1, 3, 5, 1000], [2, 2, 2, 2, 2, 2, 2], [0.1, 0.2, 0.3]]) {
      const endpoints = endpointsOf(...weights)
      for (let seed = 0; seed < 200; seed += 1) {
        const picker = new WeightedRandom(endpoints, seededRandom(seed))
        t.ok(pick(picker))
        if (weights.length > 1) t.equal(pick(picker, { tried: endpoints.slice(1) }), endpoints[0])
        if (weights.length > 1)
          t.equal(pick(picker, { tried: endpoints.slice(0, -1) }), endpoints.at(-1))
      }
    }
  },
)

t.test('picker: a policy becomes what it says', async (t) => {
  const kinds = {
    ...{ roundRobin: RoundRobin, leastRequest: LeastRequest, peakEwma: PeakEwma },
    ...{ random: WeightedRandom, ringHash: RingHash, maglev: Maglev },
  }
  const kept: readonly SessionAffinity[] = [
    BY_SOURCE,
    { kind: 'header', name: 'x-user' },
    { kind: 'cookie', name: 'sid', ttl: 0 },
  ]
  for (const algorithm of ALGORITHMS) {
    const kind = kinds[algorithm]
    t.ok(makePicker({ algorithm, affinity: NONE }, [], RANDOM) instanceof kind)
    const isHash = algorithm === 'ringHash' || algorithm === 'maglev'
    for (const affinity of kept) {
      t.ok(makePicker({ algorithm, affinity }, [], RANDOM) instanceof (isHash ? kind : Rendezvous))
    }
  }
})

t.test('single: the only endpoint, once', async (t) => {
  const [endpoint] = endpointsOf(1)
  if (endpoint === undefined) throw new Error()
  const picker = new SinglePicker(endpoint)
  endpoint.connectFailed(0)
  t.equal(pick(picker), endpoint, 'also if it is avoided')
  t.equal(pick(picker, { tried: [endpoint] }), undefined)
})
