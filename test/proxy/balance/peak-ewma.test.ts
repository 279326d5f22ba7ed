// Latency-aware balancing: who is fast gets more, who was slow gets another chance, who is new is not flooded.

import t from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { PeakEwma } from '../../../src/proxy/balance/peak-ewma.ts'
import type { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { endpointsOf, isNear, pick } from './fixture.ts'

interface World {
  readonly endpoints: readonly Endpoint[]
  readonly picker: PeakEwma
  /** Asks one thing after the other, `gap` ms apart, and says how often each endpoint was asked. */
  ask(times: number, latencies: readonly number[], gap?: number): number[]
  now: number
}

function worldOf(weights: readonly number[], seed = 1): World {
  const endpoints = endpointsOf(...weights)
  const picker = new PeakEwma(endpoints, seededRandom(seed))
  return {
    endpoints,
    picker,
    now: 5000.5,
    ask(times, latencies, gap = 1) {
      const counts = endpoints.map(() => 0)
      for (let turn = 0; turn < times; turn += 1) {
        const picked = pick(picker, { now: this.now })
        if (picked === undefined) throw new Error('nobody')
        const at = endpoints.indexOf(picked)
        counts[at] = (counts[at] ?? 0) + 1
        const latency = latencies[at] ?? 0
        this.now += latency
        picker.answered(picked, latency, this.now)
        this.now += gap
      }
      return counts
    },
  }
}

t.test('peakEwma: a rise counts at once, a fall as time goes by', async (t) => {
  const { endpoints, picker } = worldOf([1])
  const [endpoint] = endpoints
  if (endpoint === undefined) throw new Error()
  picker.answered(endpoint, 10, 1000)
  t.same([endpoint.latency, endpoint.latencyAt], [10, 1000])
  picker.answered(endpoint, 500, 1001)
  t.same([endpoint.latency, endpoint.latencyAt], [500, 1001])
  picker.answered(endpoint, 10, 1001)
  t.equal(endpoint.latency, 500, 'no time has passed')
  picker.answered(endpoint, 10, 11_001)
  t.ok(Math.abs(endpoint.latency - (10 + 490 / Math.E)) < 1e-9, 'after ten seconds 1/e is left')
  picker.answered(endpoint, 10, 500)
  t.ok(endpoint.latency <= 500, 'a clock that goes back does no harm')
})

t.test('peakEwma: the fast endpoint gets most', async (t) => {
  for (let seed = 1; seed <= 10; seed += 1) {
    const world = worldOf([1, 1, 1], seed)
    world.ask(50, [5, 100, 100])
    const [fast = 0, slow = 0, other = 0] = world.ask(2000, [5, 100, 100])
    t.ok(fast > 1980, `seed ${seed}: ${fast} ${slow} ${other}`)
  }
})

t.test('peakEwma: an endpoint that recovered is found again', async (t) => {
  const world = worldOf([1, 1])
  world.ask(10, [5, 5])
  const [before = 0] = world.ask(1000, [1000, 5])
  t.ok(before < 20, `${before} of 1000 while it was slow`)
  world.ask(20_000, [5, 5])
  const [after = 0, other = 0] = world.ask(1000, [5, 5])
  t.ok(after > 300 && other > 300, `${after} and ${other} of 1000`)
})

t.test('peakEwma: what is under way counts by latency and weight', async (t) => {
  const { endpoints, picker } = worldOf([1, 1, 2])
  const [first, second, third] = endpoints
  if (first === undefined || second === undefined || third === undefined) throw new Error()
  for (const [endpoint, latency] of [
    [first, 10],
    [second, 30],
    [third, 30],
  ] as const) {
    picker.answered(endpoint, latency, 1000)
  }
  const now = 1000
  first.open = 1
  third.open = 1
  t.equal(pick(picker, { now }), first, '20, 30 and 30')
  first.open = 2
  second.open = 1
  t.not(pick(picker, { now }), second, '30, 60 and 30')
  first.open = 5
  second.open = 3
  third.open = 2
  t.equal(pick(picker, { now }), third, '60, 120 and 45')
})

t.test('peakEwma: what stays fills endpoints of one latency by their weight', async (t) => {
  for (const count of [3, 60]) {
    const { endpoints, picker } = worldOf(Array.from({ length: count }, (_, at) => 1 + (at % 3)))
    for (const endpoint of endpoints) picker.answered(endpoint, 10, 1000)
    for (let turn = 0; turn < 200 * count; turn += 1) {
      const picked = pick(picker, { now: 1000 })
      if (picked !== undefined) picked.open += 1
    }
    for (const { open, weight } of endpoints) t.ok(Math.abs(open / weight - 100) <= 5, `${open}`)
  }
})

t.test('peakEwma: those that nobody asked yet are asked one thing each', async (t) => {
  const { endpoints, picker } = worldOf([1, 1, 1, 1, 1])
  for (let turn = 0; turn < 5; turn += 1) {
    const picked = pick(picker)
    if (picked !== undefined) picked.open += 1
  }
  t.same(
    endpoints.map(({ open }) => open),
    [1, 1, 1, 1, 1],
  )
})

t.test('peakEwma: a newcomer among fast ones is asked soon, and not flooded', async (t) => {
  const world = worldOf([1, 1, 1])
  const [first, second, newcomer] = world.endpoints
  if (first === undefined || second === undefined || newcomer === undefined) throw new Error()
  for (const endpoint of [first, second]) world.picker.answered(endpoint, 1, world.now)
  let waited = 0
  while (newcomer.open === 0) {
    for (const endpoint of [first, second]) world.picker.answered(endpoint, 1, world.now)
    const picked = pick(world.picker, { now: world.now })
    if (picked === newcomer) newcomer.open += 1
    world.now += 10
    waited += 10
    if (waited > 60_000) throw new Error('it was never asked')
  }
  t.ok(waited > 1000 && waited < 10_000, `${waited} ms`)
  first.open = 200
  second.open = 200
  for (let turn = 0; turn < 100; turn += 1) {
    t.not(pick(world.picker, { now: world.now }), newcomer, 'until it has answered')
  }
  newcomer.open = 0
  world.picker.answered(newcomer, 1, world.now)
  t.equal(pick(world.picker, { now: world.now }), newcomer)
})

t.test(
  'peakEwma: answers in no time, and hours of silence, do not hide what is under way',
  async (t) => {
    const { endpoints, picker } = worldOf([1, 1])
    const [first, second] = endpoints
    if (first === undefined || second === undefined) throw new Error()
    for (const now of [1000, 1000 + 24 * 3_600_000]) {
      for (const endpoint of endpoints) picker.answered(endpoint, 0, 1000)
      first.open = 3
      second.open = 1
      for (let turn = 0; turn < 20; turn += 1) t.equal(pick(picker, { now }), second)
    }
  },
)

t.test('peakEwma: without any answer, as for connections, the fewest for its weight', async (t) => {
  const { endpoints, picker } = worldOf([1, 2, 3])
  for (let turn = 0; turn < 600; turn += 1) {
    const picked = pick(picker)
    if (picked !== undefined) picked.open += 1
  }
  isNear(
    t,
    endpoints.map(({ open }) => open),
    [1, 2, 3],
  )
})
