// The model of an application: against queueing theory, and in each way of being unwell.

import t from 'tap'
import { constant, exponential, lognormal, stream } from '../../../bench/simulate/chance.ts'
import { VirtualClock } from '../../../bench/simulate/clock.ts'
import { Instance, type InstanceRules } from '../../../bench/simulate/instance.ts'
import type { Job } from '../../../bench/simulate/server.ts'

const FOREVER = Number.POSITIVE_INFINITY

class Asked implements Job {
  readonly message: Job['message']
  isLeft = false
  readonly heard: (number | 'broken')[] = []
  answeredAt = NaN
  readonly #clock: VirtualClock

  constructor(clock: VirtualClock, due = FOREVER) {
    this.message = { method: 'GET', host: 'shop', trace: '', due, timeout: FOREVER }
    this.#clock = clock
  }

  answered(status: number): void {
    this.heard.push(status)
    this.answeredAt = this.#clock.now()
  }

  broken(): void {
    this.heard.push('broken')
  }
}

class Bed {
  readonly clock: VirtualClock = new VirtualClock()
  readonly instance: Instance

  constructor(rules: Partial<InstanceRules> = {}) {
    this.instance = new Instance('one', this.clock, {
      ...{ workers: 1, queue: 10, service: constant(10), distance: 0, honoursCancellation: false },
      ...rules,
    })
  }

  ask(due = FOREVER): Asked {
    const job = new Asked(this.clock, due)
    this.instance.take(job)
    return job
  }

  leave(job: Asked): void {
    job.isLeft = true
    this.instance.left(job)
  }
}

/** The mean wait in a queue with `servers`, Poisson arrivals and exponential times of service (Erlang's C formula). */
function erlangWait(servers: number, rate: number, mean: number): number {
  const load = rate * mean
  let term = 1
  let sum = 0
  for (let count = 0; count < servers; count += 1) {
    sum += term
    term *= load / (count + 1)
  }
  const all = (term * servers) / (servers - load)
  return (all / (sum + all)) * (mean / (servers - load))
}

for (const [servers, load] of [
  [1, 0.7],
  [4, 0.8],
  [16, 0.8],
] as const) {
  t.test(
    `instance: ${servers} workers at ${load} of what they can do wait as theory says`,
    async (t) => {
      const seed = 11
      const mean = 10
      const rate = (load * servers) / mean
      const service = exponential(mean, stream(seed, 'service'))
      const bed = new Bed({ workers: servers, queue: FOREVER, service })
      const pause = exponential(1 / rate, stream(seed, 'arrivals'))
      const jobs: { readonly job: Asked; readonly at: number }[] = []
      const arrive = (): void => {
        jobs.push({ job: bed.ask(), at: bed.clock.now() })
        if (jobs.length < 200_000) bed.clock.after(pause(), arrive)
      }
      bed.clock.after(0, arrive)
      bed.clock.run(1e9)
      const settled = jobs.slice(10_000)
      const times = settled.map(({ job, at }) => job.answeredAt - at)
      const wait = times.reduce((sum, time) => sum + time, 0) / times.length - mean
      const expected = erlangWait(servers, rate, mean)
      t.ok(
        Math.abs(wait - expected) < 0.08 * expected,
        `waits ${wait} ms, theory ${expected} ms, seed ${seed}`,
      )
    },
  )
}

t.test(
  'chance: a lognormal has its mean and its tail; streams of other names differ',
  async (t) => {
    const draw = lognormal(10, 0.5, stream(3, 'service'))
    const values = Float64Array.from({ length: 200_000 }, draw).sort()
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length
    t.ok(Math.abs(mean - 10) < 0.1, `mean ${mean}`)
    // exp(mu + 2.326 sigma)
    const p99 = values[Math.floor(0.99 * values.length)] ?? NaN
    t.ok(Math.abs(p99 - 28.2) < 0.6, `p99 ${p99}`)
    const [a, again, b, other] = [stream(1, 'a'), stream(1, 'a'), stream(1, 'b'), stream(2, 'a')]
    const first = a()
    t.equal(first, again())
    t.not(first, b())
    t.not(first, other())
  },
)

t.test(
  'instance: one at a time, the first to come first, no more than the queue holds',
  async (t) => {
    const bed = new Bed({ queue: 1 })
    const [one, two, three] = [bed.ask(), bed.ask(), bed.ask()]
    t.same(three.heard, [503])
    bed.clock.run(100)
    t.equal(one.answeredAt, 10)
    t.equal(two.answeredAt, 20)
    t.match(bed.instance.counts, { received: 3, turnedAway: 1, executed: 2, late: 0, wasted: 0 })
  },
)

t.test('instance: failing, it answers at once, and what waits too', async (t) => {
  const bed = new Bed()
  const [one, two] = [bed.ask(), bed.ask()]
  bed.instance.become('failing')
  t.same(bed.ask().heard, [503])
  t.same(two.heard, [503])
  bed.clock.run(100)
  t.same(one.heard, [200])
  bed.instance.become('healthy')
  const three = bed.ask()
  bed.clock.run(200)
  t.same(three.heard, [200])
})

t.test('instance: standing still, it answers nothing, and goes on where it was', async (t) => {
  const bed = new Bed()
  const one = bed.ask()
  bed.clock.run(4)
  bed.instance.become('stalled')
  t.ok(bed.instance.isListening)
  const [two, left] = [bed.ask(), bed.ask()]
  bed.leave(left)
  bed.clock.run(1000)
  t.same([...one.heard, ...two.heard], [])
  bed.instance.become('healthy')
  bed.clock.run(2000)
  t.equal(one.answeredAt, 1006)
  t.equal(two.answeredAt, 1016)
  bed.clock.run(1000)
  t.equal(bed.instance.counts.executed, 3, 'a reset did not take the unread request away')
})

t.test('instance: what its handler got while it stood still is answered afterwards', async (t) => {
  let finish: (status: number) => void = () => undefined
  const bed = new Bed({
    handler: {
      handle: (_, done) => {
        finish = done
        return () => undefined
      },
    },
  })
  const one = bed.ask()
  bed.clock.run(10)
  bed.instance.become('stalled')
  finish(204)
  t.same(one.heard, [])
  bed.instance.become('healthy')
  t.same(one.heard, [204])
  finish(500)
  t.same(one.heard, [204], 'only once')
})

t.test('instance: dead, it breaks what it had and listens no more', async (t) => {
  for (const before of ['healthy', 'stalled'] as const) {
    const bed = new Bed()
    const broken: string[] = []
    bed.instance.watch({ connectionsBroken: () => broken.push('pool') })
    const [one, two, left] = [bed.ask(), bed.ask(), bed.ask()]
    bed.instance.become(before)
    const late = bed.ask()
    bed.leave(left)
    bed.instance.become('dead')
    t.same(broken, ['pool'])
    t.same(
      [one, two, late].map(({ heard }) => heard.join()),
      ['broken', 'broken', 'broken'],
    )
    t.same(left.heard, [])
    t.notOk(bed.instance.isListening)
    t.same(bed.ask().heard, ['broken'])
    bed.clock.run(100)
    t.equal(bed.instance.busy + bed.instance.waiting, 0)
    bed.instance.become('healthy')
    const next = bed.ask()
    bed.clock.run(200)
    t.same(next.heard, [200])
  }
})

t.test(
  'instance: slow, what begins takes longer; cold, less and less so from its first request',
  async (t) => {
    const bed = new Bed()
    const before = bed.ask()
    bed.instance.slowDown(50)
    const slow = bed.ask()
    bed.clock.run(1000)
    t.equal(before.answeredAt, 10)
    t.equal(slow.answeredAt, 510)
    bed.instance.slowDown(1)
    bed.instance.coolDown(9, 1000)
    bed.clock.run(5000)
    const cold = bed.ask()
    bed.clock.run(6000)
    const warmer = bed.ask()
    bed.clock.run(20_000)
    t.equal(cold.answeredAt, 5100)
    t.ok(Math.abs(warmer.answeredAt - (6010 + 90 / Math.E)) < 1e-6, `${warmer.answeredAt}`)
  },
)

t.test('instance: work that nobody waits for is done all the same, and counted', async (t) => {
  const bed = new Bed()
  const [one, two] = [bed.ask(), bed.ask(5)]
  bed.leave(one)
  bed.leave(two)
  bed.clock.run(100)
  t.same([...one.heard, ...two.heard], [])
  t.match(bed.instance.counts, { executed: 2, late: 1, wasted: 2 })
})

t.test('instance: one that honours cancellation works on something else', async (t) => {
  let leaves = 0
  const bed = new Bed({
    honoursCancellation: true,
    handler: {
      handle: () => () => {
        leaves += 1
      },
    },
  })
  const [one, two, three] = [bed.ask(), bed.ask(), bed.ask()]
  bed.leave(two)
  bed.clock.run(15)
  bed.leave(one)
  t.equal(leaves, 1, 'its own calls are left too')
  bed.clock.run(20)
  bed.leave(three)
  bed.clock.run(100)
  t.match(bed.instance.counts, { executed: 2, wasted: 0 })
  t.equal(bed.instance.busy, 0)
})
