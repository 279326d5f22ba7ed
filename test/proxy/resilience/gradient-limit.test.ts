// The limit that follows latency, against a server whose capacity is known.

import t from 'tap'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { GradientLimit } from '../../../src/proxy/resilience/gradient-limit.ts'

/** Milliseconds that a request takes while the server is not loaded. */
const BASE = 10

interface Server {
  capacity: number
  base: number
  /** 0 for none: the spread of the logarithm of a latency. */
  noise: number
  /** Requests that clients would have under way if nothing held them back. */
  demand: number
}

/** A server under a limit, in steps of a millisecond: its capacity is shared by all that it works on. */
class Simulation {
  now = 0
  /** The sum of the limits of each millisecond since `mark`, and of requests that ended. */
  limits = 0
  ended = 0
  steps = 0
  least = Number.POSITIVE_INFINITY
  most = 0
  readonly server: Server
  readonly limit: GradientLimit
  readonly #random: Random
  #active: { readonly since: number; left: number }[] = []

  constructor(limit: GradientLimit, seed: number, server: Partial<Server> = {}) {
    this.limit = limit
    this.server = { capacity: 100, base: BASE, noise: 0, demand: 5000, ...server }
    this.#random = seededRandom(seed)
  }

  mark(): void {
    this.limits = this.ended = this.steps = this.most = 0
    this.least = Number.POSITIVE_INFINITY
  }

  get mean(): number {
    return this.limits / this.steps
  }

  run(milliseconds: number): void {
    const end = this.now + milliseconds
    while (this.now < end) this.#step()
  }

  #step(): void {
    const { capacity, demand } = this.server
    const room = Math.min(this.limit.limit, demand)
    while (this.#active.length < room) this.#active.push({ since: this.now, left: this.#work() })
    this.now += 1
    const share = Math.min(1, capacity / this.#active.length)
    const still: { readonly since: number; left: number }[] = []
    for (const request of this.#active) {
      request.left -= share
      if (request.left > 0) still.push(request)
      else {
        this.ended += 1
        this.limit.sample(this.now - request.since, this.#active.length, this.now)
      }
    }
    this.#active = still
    this.steps += 1
    this.limits += this.limit.limit
    this.least = Math.min(this.least, this.limit.limit)
    this.most = Math.max(this.most, this.limit.limit)
  }

  /** Log-normal, with a median of the server's base. */
  #work(): number {
    const { base, noise } = this.server
    if (noise === 0) return base
    const normal =
      Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random())
    return base * Math.exp(noise * normal)
  }
}

const within = (value: number, least: number, most: number): boolean =>
  value >= least && value <= most

t.test('gradient limit: it begins between its bounds', async (t) => {
  t.equal(new GradientLimit(4, 1000).limit, 20)
  t.equal(new GradientLimit(50, 1000).limit, 50)
  t.equal(new GradientLimit(1, 8).limit, 8)
})

for (const capacity of [8, 30, 100, 400]) {
  t.test(`gradient limit: it finds a capacity of ${capacity}, and wastes little`, async (t) => {
    const simulation = new Simulation(new GradientLimit(4, 1000), 1, { capacity })
    simulation.run(20_000)
    simulation.mark()
    simulation.run(20_000)
    const { mean, ended, limit } = simulation
    t.comment(`mean limit ${mean.toFixed(1)}, ${ended} ended, baseline ${limit.baseline}`)
    t.ok(within(mean, capacity, 1.2 * capacity + 2 * Math.sqrt(capacity) + 2))
    t.ok(ended > 0.92 * ((20_000 / BASE) * capacity), 'the server is kept busy')
    t.ok(within(limit.baseline, BASE, 1.1 * BASE))
  })
}

t.test('gradient limit: it follows when the capacity changes', async (t) => {
  const simulation = new Simulation(new GradientLimit(4, 1000), 2)
  simulation.run(20_000)
  simulation.server.capacity = 25
  simulation.run(8000)
  simulation.mark()
  simulation.run(10_000)
  t.ok(within(simulation.mean, 25, 45), `after the fall ${simulation.mean}`)
  simulation.server.capacity = 200
  simulation.run(8000)
  simulation.mark()
  simulation.run(10_000)
  t.ok(within(simulation.mean, 190, 280), `after the rise ${simulation.mean}`)
})

t.test(
  'gradient limit: a server that becomes slower by itself is not shut out for long',
  async (t) => {
    const simulation = new Simulation(new GradientLimit(4, 1000), 3)
    simulation.run(20_000)
    simulation.server.base = 5 * BASE
    simulation.run(15_000)
    simulation.mark()
    simulation.run(10_000)
    t.ok(within(simulation.mean, 85, 160), `slow ${simulation.mean}`)
    simulation.server.base = BASE
    simulation.run(10_000)
    simulation.mark()
    simulation.run(10_000)
    t.ok(within(simulation.mean, 100, 160), `fast again ${simulation.mean}`)
  },
)

t.test('gradient limit: overloaded from the beginning', async (t) => {
  const simulation = new Simulation(new GradientLimit(4, 1000), 4, { capacity: 6 })
  simulation.run(30_000)
  simulation.mark()
  simulation.run(10_000)
  t.ok(within(simulation.mean, 6, 14), String(simulation.mean))
})

for (const noise of [0.3, 0.8]) {
  for (const seed of [11, 12, 13]) {
    t.test(`gradient limit: noise of ${noise} does not bring it down, seed ${seed}`, async (t) => {
      const simulation = new Simulation(new GradientLimit(4, 1000), seed, { noise })
      simulation.run(30_000)
      simulation.mark()
      simulation.run(30_000)
      const { mean, least, most } = simulation
      t.comment(`mean ${mean.toFixed(1)}, from ${least} to ${most}`)
      t.ok(mean > 80 && mean < 260, `mean ${mean}`)
      t.ok(least >= 40, `at least ${least}`)
    })
  }
}

t.test('gradient limit: one that is not used stays', async (t) => {
  const simulation = new Simulation(new GradientLimit(4, 1000), 5)
  simulation.run(20_000)
  const before = simulation.limit.limit
  simulation.server.demand = 10
  simulation.run(2000)
  const idle = simulation.limit.limit
  simulation.server.base = 3 * BASE
  simulation.run(5000)
  t.equal(simulation.limit.limit, idle)
  t.ok(idle >= before / 2)
  t.ok(within(simulation.limit.baseline, 2.99 * BASE, 3.01 * BASE), 'the baseline follows')
})

t.test('gradient limit: it stays within its bounds, and is a whole number', async (t) => {
  const low = new Simulation(new GradientLimit(10, 60), 6, { capacity: 2 })
  low.run(20_000)
  low.mark()
  low.run(5000)
  t.ok(low.least >= 10)
  const high = new Simulation(new GradientLimit(10, 60), 7, { capacity: 500 })
  high.run(20_000)
  t.ok(high.most <= 60)
  t.ok(high.mean > 50)
  t.ok(Number.isInteger(high.limit.limit))
})

t.test('gradient limit: a window is long enough, in time and in samples', async (t) => {
  const limit = new GradientLimit(4, 1000)
  for (let at = 0; at < 1000; at++) limit.sample(10, 20, at / 11)
  t.equal(limit.limit, 20, 'a thousand samples in less than a tenth of a second')
  limit.sample(10, 20, 100)
  t.not(limit.limit, 20)
  const slow = new GradientLimit(4, 1000)
  for (let at = 0; at < 49; at++) slow.sample(10, 20, at * 1000)
  t.equal(slow.limit, 20, 'few samples in a long time')
  slow.sample(10, 20, 49_000)
  t.not(slow.limit, 20)
})

t.test('gradient limit: no latency at all does no harm', async (t) => {
  const limit = new GradientLimit(4, 100)
  for (let at = 0; at < 10_000; at++) limit.sample(0, limit.limit, at)
  t.ok(within(limit.limit, 20, 100), String(limit.limit))
})
