// What holds for every way of choosing, and then what makes each of them what it is.

import t from 'tap'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { LeastRequest } from '../../../src/proxy/balance/least-request.ts'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import { RoundRobin } from '../../../src/proxy/balance/round-robin.ts'
import { SourceAffinity } from '../../../src/proxy/balance/source-affinity.ts'
import { WeightedRandom } from '../../../src/proxy/balance/weighted-random.ts'
import { type Picker, SinglePicker } from '../../../src/proxy/stack/destination.ts'
import type { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { endpointsOf, pick, shares } from './fixture.ts'

type Make = (endpoints: readonly Endpoint[]) => Picker

const RANDOM: Random = seededRandom(7)
const PICKERS: Readonly<Record<string, Make>> = {
  roundRobin: (endpoints) => new RoundRobin(endpoints, RANDOM),
  leastRequest: (endpoints) => new LeastRequest(endpoints, RANDOM),
  random: (endpoints) => new WeightedRandom(endpoints, RANDOM),
  sourceIp: (endpoints) => new SourceAffinity(endpoints),
}

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
      Array.from({ length: 300 }, (_, at) => pick(picker, { now: 1000, source: `10.0.1.${at}` })),
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

t.test('leastRequest: the fewest open connections for its weight', async (t) => {
  const endpoints = endpointsOf(1, 1, 4)
  const [first, second, third] = endpoints
  if (first === undefined || second === undefined || third === undefined) throw new Error()
  const picker = new LeastRequest(endpoints, seededRandom(1))
  first.open = 1
  second.open = 2
  third.open = 4
  t.equal(pick(picker), third, '5/4 is less than 2')
  third.open = 9
  t.equal(pick(picker), first)
  first.open = 3
  third.open = 13
  t.equal(pick(picker), second)
})

t.test('leastRequest: connections that stay fill endpoints by their weight', async (t) => {
  const endpoints = endpointsOf(1, 2, 3)
  const picker = new LeastRequest(endpoints, seededRandom(2))
  for (let turn = 0; turn < 600; turn += 1) {
    const picked = pick(picker)
    if (picked !== undefined) picked.open += 1
  }
  t.same(
    endpoints.map(({ open }) => open),
    [100, 200, 300],
  )
})

t.test('leastRequest: equals are chosen equally often', async (t) => {
  const counts = shares(new LeastRequest(endpointsOf(1, 1, 1, 1, 1), seededRandom(3)), 10_000)
  for (const count of counts) t.ok(Math.abs(count - 2000) < 200, `${count} of 10000`)
})

t.test('random: shares follow the weights within what chance allows', async (t) => {
  const counts = shares(new WeightedRandom(endpointsOf(1, 2, 7), seededRandom(4)), 10_000)
  const expected = [1000, 2000, 7000]
  // Five standard deviations; the seed is fixed, so it never fails by chance.
  for (const [at, count] of counts.entries()) {
    const mean = expected[at] ?? 0
    t.ok(Math.abs(count - mean) < 5 * Math.sqrt(mean * (1 - mean / 10_000)), `${count}: ${mean}`)
  }
})

t.test('random: the largest number that chance can give chooses somebody', async (t) => {
  const endpoints = endpointsOf(1, 3, 5, 1000)
  t.equal(pick(new WeightedRandom(endpoints, () => 1 - 2 ** -53)), endpoints[3])
  t.equal(pick(new WeightedRandom(endpoints, () => 0)), endpoints[0])
})

const SOURCES: readonly string[] = Array.from({ length: 5000 }, (_, at) => {
  return at % 5 === 0 ? `fd00::${at.toString(16)}` : `10.0.${at >> 8}.${at & 255}`
})

function placement(picker: Picker, wish: { tried?: Endpoint[] } = {}): (string | undefined)[] {
  return SOURCES.map((source) => pick(picker, { source, ...wish })?.key)
}

t.test(
  'sourceIp: the same client goes to the same endpoint, in whatever order they stand',
  async (t) => {
    const endpoints = endpointsOf(1, 1, 1, 1, 1)
    t.same(
      placement(new SourceAffinity(endpoints)),
      placement(new SourceAffinity([...endpoints].reverse())),
    )
  },
)

t.test('sourceIp: when an endpoint goes, only its own clients move', async (t) => {
  const endpoints = endpointsOf(1, 1, 1, 1, 1)
  const before = placement(new SourceAffinity(endpoints))
  const gone = endpoints[2]?.key
  const after = placement(new SourceAffinity(endpoints.filter(({ key }) => key !== gone)))
  const left = new Map<string | undefined, number>()
  for (const [at, key] of before.entries()) {
    if (key === gone) left.set(after[at], (left.get(after[at]) ?? 0) + 1)
    else if (after[at] !== key) t.fail(`${SOURCES[at]} has moved`)
  }
  t.equal(left.size, 4, 'they are spread over all that are left')
  for (const count of left.values()) t.ok(count > 170 && count < 330, `${count} of about 250`)
})

t.test('sourceIp: when an endpoint comes, only the clients that it wins move', async (t) => {
  const endpoints = endpointsOf(1, 1, 1, 1, 1)
  const before = placement(new SourceAffinity(endpoints.slice(0, 4)))
  const after = placement(new SourceAffinity(endpoints))
  const moved = after.filter((key, at) => key !== before[at])
  t.ok(moved.every((key) => key === endpoints[4]?.key))
  t.ok(Math.abs(moved.length - 1000) < 150, `${moved.length} of 5000 have moved`)
})

t.test('sourceIp: clients are spread by weight', async (t) => {
  const placed = placement(new SourceAffinity(endpointsOf(1, 2, 7)))
  const expected = { '10.1.0.1:80': 500, '10.1.0.2:80': 1000, '10.1.0.3:80': 3500 }
  for (const [key, mean] of Object.entries(expected)) {
    const count = placed.filter((placedAt) => placedAt === key).length
    t.ok(Math.abs(count - mean) < mean * 0.15, `${key}: ${count}, expected about ${mean}`)
  }
})

t.test('picker: a policy becomes what it says', async (t) => {
  const kinds = { roundRobin: RoundRobin, leastRequest: LeastRequest, random: WeightedRandom }
  for (const algorithm of ['roundRobin', 'leastRequest', 'random'] as const) {
    t.ok(makePicker({ algorithm, sourceIp: false }, [], RANDOM) instanceof kinds[algorithm])
    t.ok(makePicker({ algorithm, sourceIp: true }, [], RANDOM) instanceof SourceAffinity)
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
