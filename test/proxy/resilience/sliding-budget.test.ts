// What retries may add: by the letter of its rules, and against a slow one that remembers every request.

import t from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { BUCKETS, SlidingBudget } from '../../../src/proxy/resilience/sliding-budget.ts'

const RULES = { percent: 20, minPerSecond: 10, window: 10_000 }

function spendAll(budget: SlidingBudget, now: number): number {
  let count = 0
  while (budget.spend(now)) count += 1
  return count
}

t.test('budget: so many in any case', async (t) => {
  const budget = new SlidingBudget(RULES)
  t.equal(budget.left(5), 100)
  t.equal(spendAll(budget, 5), 100, 'ten a second over ten seconds')
  t.equal(budget.left(5), 0)
})

t.test('budget: a share of the requests, where that is more', async (t) => {
  const budget = new SlidingBudget(RULES)
  for (let turn = 0; turn < 1003; turn += 1) budget.earn(100)
  t.equal(budget.left(100), 201, 'as long as they are less than the share')
  t.equal(spendAll(budget, 100), 201)
})

t.test('budget: nothing is ever allowed by nothing', async (t) => {
  const budget = new SlidingBudget({ percent: 0, minPerSecond: 0, window: 1000 })
  budget.earn(0)
  t.equal(budget.spend(0), false)
  t.equal(budget.left(0), 0)
  const share = new SlidingBudget({ percent: 50, minPerSecond: 0, window: 1000 })
  t.equal(share.spend(0), false)
  share.earn(0)
  t.equal(share.spend(0), true)
  t.equal(share.spend(0), false)
})

t.test('budget: the window moves on', async (t) => {
  const budget = new SlidingBudget(RULES)
  for (let turn = 0; turn < 1000; turn += 1) budget.earn(0)
  t.equal(spendAll(budget, 0), 200)
  t.equal(budget.left(9999), 0)
  t.equal(budget.left(10_000), 100, 'both have left the window')
  t.equal(spendAll(budget, 10_000), 100)
  t.equal(budget.left(1_000_000), 100)
})

t.test('budget: time may stand still, and leap', async (t) => {
  const budget = new SlidingBudget({ percent: 100, minPerSecond: 0, window: 100 })
  for (const now of [0.5, 0.5, 3.25, 99, 1e9, 1e9 + 0.125]) {
    budget.earn(now)
    t.ok(budget.left(now) >= 1)
  }
})

/** The same by remembering every request and every retry. */
class Slow {
  readonly #requests: number[] = []
  readonly #retries: number[] = []
  readonly #share: number
  readonly #least: number
  readonly #width: number
  #begun = NaN

  constructor({ percent, minPerSecond, window }: typeof RULES) {
    this.#share = percent / 100
    this.#least = (minPerSecond * window) / 1000
    this.#width = window / BUCKETS
  }

  earn(now: number): void {
    this.#requests.push(this.#bucket(now))
  }

  left(now: number): number {
    const current = this.#bucket(now)
    const inWindow = (times: readonly number[]): number =>
      times.filter((bucket) => current - bucket < BUCKETS).length
    const allowed = Math.max(this.#least, this.#share * inWindow(this.#requests))
    return Math.max(0, Math.ceil(allowed) - inWindow(this.#retries))
  }

  spend(now: number): boolean {
    const isAllowed = this.left(now) > 0
    if (isAllowed) this.#retries.push(this.#bucket(now))
    return isAllowed
  }

  /** Counted from the first request. */
  #bucket(now: number): number {
    if (Number.isNaN(this.#begun)) this.#begun = now
    return Math.floor((now - this.#begun) / this.#width)
  }
}

t.test('budget: as one that remembers everything', async (t) => {
  for (let seed = 1; seed <= 60; seed += 1) {
    const random = seededRandom(seed)
    const rules = {
      percent: Math.floor(random() * 120),
      minPerSecond: Math.floor(random() * 4),
      window: 1000 * (1 + Math.floor(random() * 8)),
    }
    const [fast, slow] = [new SlidingBudget(rules), new Slow(rules)]
    // Whole buckets' worth of steps, so that both count from the same bounds after a leap.
    const width = rules.window / BUCKETS
    let now = 1000
    for (let step = 0; step < 600; step += 1) {
      now += random() < 0.02 ? width * BUCKETS * 2 : width * Math.floor(random() * 3) * 0.5
      const chance = random()
      if (chance < 0.6) {
        fast.earn(now)
        slow.earn(now)
      } else if (chance < 0.9) {
        t.equal(fast.spend(now), slow.spend(now), `seed ${seed}, step ${step}`)
      }
      const [one, other] = [fast.left(now), slow.left(now)]
      if (one !== other) {
        t.equal(one, other, `seed ${seed}, step ${step}: left`)
        return
      }
    }
  }
  t.pass('sixty sequences')
})
