// Virtual time: what runs when, and in which order.

import t from 'tap'
import { VirtualClock } from '../../../bench/simulate/clock.ts'
import { seededRandom } from '../../../src/lib/random.ts'

t.test(
  'clock: events run in the order of their times, equals in the order they were set',
  async (t) => {
    const clock = new VirtualClock()
    const ran: string[] = []
    const note = (name: string) => () => {
      ran.push(`${name} ${clock.now()}`)
    }
    clock.after(20, note('c'))
    clock.after(10, note('a'))
    clock.after(10, note('b'))
    clock.after(-5, note('at once'))
    clock.run(15)
    t.same(ran, ['at once 0', 'a 10', 'b 10'])
    t.equal(clock.now(), 15)
    clock.run(20)
    t.equal(ran.at(-1), 'c 20')
    t.equal(clock.pending, 0)
    t.equal(clock.ran, 4)
  },
)

t.test('clock: what an event sets runs in the same go, if it falls due in it', async (t) => {
  const clock = new VirtualClock()
  const ran: number[] = []
  const again = (): void => {
    ran.push(clock.now())
    clock.after(10, again)
  }
  clock.after(10, again)
  clock.run(35)
  t.same(ran, [10, 20, 30])
  t.equal(clock.pending, 1)
})

t.test('clock: what was cancelled does not run; a period goes on until it is', async (t) => {
  const clock = new VirtualClock()
  const ran: string[] = []
  const once = clock.after(5, () => {
    ran.push('once')
  })
  const period = clock.every(10, () => {
    ran.push(`every ${clock.now()}`)
    if (clock.now() === 30) period.cancel()
  })
  once.cancel()
  once.cancel()
  t.equal(clock.pending, 1)
  clock.run(100)
  t.same(ran, ['every 10', 'every 20', 'every 30'])
  t.equal(clock.pending, 0)
})

t.test('clock: an event that has run cannot be cancelled any more', async (t) => {
  const clock = new VirtualClock()
  const timer = clock.after(1, () => undefined)
  clock.after(2, () => undefined)
  clock.run(1)
  timer.cancel()
  t.equal(clock.pending, 1)
})

t.test('clock: times that no event can have are refused', async (t) => {
  const clock = new VirtualClock()
  t.throws(() => clock.after(Number.POSITIVE_INFINITY, () => undefined), RangeError)
  t.throws(() => clock.after(NaN, () => undefined), RangeError)
  t.throws(() => clock.every(0, () => undefined), RangeError)
})

t.test('clock: after a poll is at once, and the time of day goes along', async (t) => {
  const clock = new VirtualClock()
  const before = clock.wall()
  let ran = false
  clock.afterPoll(() => {
    ran = true
  })
  t.ok(ran)
  clock.run(1234)
  t.equal(clock.wall() - before, 1234)
})

t.test('clock: any events, many of them cancelled, run as if they had been sorted', async (t) => {
  const seed = 7
  const random = seededRandom(seed)
  const clock = new VirtualClock()
  const expected: [at: number, order: number][] = []
  const ran: [at: number, order: number][] = []
  for (let order = 0; order < 30_000; order += 1) {
    const at = Math.floor(random() * 5000)
    const timer = clock.after(at, () => {
      ran.push([clock.now(), order])
    })
    if (random() < 0.7) timer.cancel()
    else expected.push([at, order])
  }
  t.equal(clock.pending, expected.length)
  clock.run(5000)
  expected.sort(([a, one], [b, other]) => a - b || one - other)
  t.same(ran, expected, `seed ${seed}`)
})
