import t from 'tap'
import { FakeClock } from './fake-clock.ts'

t.test('fake clock: time passes only by hand', async (t) => {
  const clock = new FakeClock(5000)
  t.equal(clock.now(), 0)
  t.equal(clock.wall(), 5000)
  clock.advance(30)
  t.equal(clock.now(), 30)
  t.equal(clock.wall(), 5030)
})

t.test('fake clock: timers run in order of time, then of being set', async (t) => {
  const clock = new FakeClock()
  const seen: string[] = []
  const note = (word: string) => () => seen.push(`${word}@${clock.now()}`)
  clock.after(20, note('late'))
  clock.after(10, note('first'))
  clock.after(10, note('second'))
  clock.after(10, note('cancelled')).cancel()
  clock.after(5, () => clock.after(7, note('nested')))
  t.equal(clock.timers, 5 - 1)
  t.equal(clock.next, 5)
  clock.advance(19)
  t.same(seen, ['first@10', 'second@10', 'nested@12'])
  clock.advance(1)
  t.same(seen.slice(3), ['late@20'])
  t.equal(clock.timers, 0)
  t.equal(clock.next, undefined)
})

t.test('fake clock: a period repeats until it is cancelled, also by its own task', async (t) => {
  const clock = new FakeClock()
  const seen: number[] = []
  const timer = clock.every(10, () => {
    seen.push(clock.now())
    if (seen.length === 3) timer.cancel()
  })
  clock.advance(100)
  t.same(seen, [10, 20, 30])
  t.equal(clock.timers, 0)
})
