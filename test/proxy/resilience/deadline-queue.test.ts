// The queue of those that wait, against a sorted array.

import t from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { DeadlineQueue } from '../../../src/proxy/resilience/deadline-queue.ts'
import { type Exchange, NO_PLACE } from '../../../src/proxy/stack/exchange.ts'
import { NO_LIMIT } from '../../../src/proxy/stack/route.ts'
import { exchangeOf } from '../telemetry/exchanges.ts'

function waiting(deadline: number): Exchange {
  const exchange = exchangeOf()
  exchange.deadline = deadline
  return exchange
}

function drained(queue: DeadlineQueue): Exchange[] {
  const all: Exchange[] = []
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) all.push(next)
  return all
}

t.test(
  'deadline queue: the earliest first, in order of arrival, those without one last',
  async (t) => {
    const queue = new DeadlineQueue()
    const all = [NO_LIMIT, 30, 10, NO_LIMIT, 30, 20, 10].map(waiting)
    for (const each of all) queue.push(each)
    t.equal(queue.size, 7)
    t.same(
      [9, 10, 25, 30, NO_LIMIT].map((deadline) => queue.ahead(deadline)),
      [0, 2, 3, 5, 7],
    )
    const order = drained(queue).map((each) => all.indexOf(each))
    t.same(order, [2, 6, 5, 1, 4, 0, 3])
    t.same(new Set(all.map(({ place }) => place)), new Set([NO_PLACE]))
    t.equal(queue.pop(), undefined)
  },
)

t.test('deadline queue: as a sorted array would have it', async (t) => {
  const seed = 8_112_026
  t.comment(`seed ${seed}`)
  const random = seededRandom(seed)
  const queue = new DeadlineQueue()
  let sorted: Exchange[] = []
  const spare = Array.from({ length: 64 }, () => waiting(NO_LIMIT))
  let wrong = 0
  for (let turn = 0; turn < 20_000; turn++) {
    const what = random()
    if (what < 0.5) {
      const next = spare.pop()
      if (next === undefined) continue
      next.deadline = random() < 0.2 ? NO_LIMIT : Math.floor(random() * 20)
      if (queue.ahead(next.deadline) !== sorted.filter((x) => x.deadline <= next.deadline).length)
        wrong += 1
      queue.push(next)
      sorted.push(next)
      // Stable, so that of two with one deadline the first to come stays first.
      sorted = sorted.sort((one, other) =>
        one.deadline === other.deadline ? 0 : one.deadline - other.deadline,
      )
    } else if (what < 0.75) {
      const [expected] = sorted.splice(0, 1)
      if (queue.pop() !== expected) wrong += 1
      if (expected !== undefined) spare.push(expected)
    } else if (sorted.length > 0) {
      const [gone] = sorted.splice(Math.floor(random() * sorted.length), 1)
      if (gone === undefined) continue
      queue.remove(gone)
      spare.push(gone)
    }
    if (queue.size !== sorted.length) wrong += 1
    if (spare.some(({ place }) => place !== NO_PLACE)) wrong += 1
    if (new Set(sorted.map(({ place }) => place)).size !== sorted.length) wrong += 1
  }
  t.equal(wrong, 0)
  t.same(drained(queue), sorted)
})
