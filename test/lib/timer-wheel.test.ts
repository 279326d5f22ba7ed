// Alarms on one timer: never early, a period late at most, and nothing left behind.

import t from 'tap'
import type { Millis } from '../../src/lib/duration.ts'
import { seededRandom } from '../../src/lib/random.ts'
import { Alarm, type AlarmListener, PERIOD, TimerWheel } from '../../src/lib/timer-wheel.ts'
import { FakeClock } from '../support/fake-clock.ts'

class Rings implements AlarmListener<string> {
  readonly all: [subject: string, now: Millis][] = []
  onRing: ((subject: string, now: Millis) => void) | undefined

  rang(subject: string, now: Millis): void {
    this.all.push([subject, now])
    this.onRing?.(subject, now)
  }
}

function make(): { clock: FakeClock; wheel: TimerWheel<string>; rings: Rings } {
  const clock = new FakeClock()
  return { clock, wheel: new TimerWheel<string>(clock), rings: new Rings() }
}

t.test('timer wheel: an alarm rings once, not early, and a period late at most', async (t) => {
  const { clock, wheel, rings } = make()
  const alarm = new Alarm('a')
  clock.advance(3.5)
  wheel.set(alarm, 103.5, clock.now(), rings)
  t.ok(alarm.isSet)
  clock.advance(99.9)
  t.same(rings.all, [])
  clock.advance(PERIOD)
  t.equal(rings.all.length, 1)
  t.notOk(alarm.isSet)
  clock.advance(10_000)
  t.equal(rings.all.length, 1)
})

t.test('timer wheel: no timer runs while nothing is set', async (t) => {
  const { clock, wheel, rings } = make()
  t.equal(clock.timers, 0)
  wheel.set(new Alarm('a'), 50, 0, rings)
  t.equal(clock.timers, 1)
  clock.advance(70)
  t.equal(clock.timers, 0)
  t.equal(wheel.size, 0)
  // It starts from the time at hand, not from where it stopped.
  clock.advance(100_000)
  wheel.set(new Alarm('b'), clock.now() + 20, clock.now(), rings)
  clock.advance(30)
  t.same(
    rings.all.map(([subject]) => subject),
    ['a', 'b'],
  )
})

t.test(
  'timer wheel: what is stopped does not ring, and leaves its place when the wheel comes by',
  async (t) => {
    const { clock, wheel, rings } = make()
    const alarm = new Alarm('a')
    wheel.set(alarm, 500, 0, rings)
    alarm.stop()
    t.equal(wheel.size, 1)
    clock.advance(600)
    t.same(rings.all, [])
    t.equal(wheel.size, 0)
  },
)

t.test(
  'timer wheel: one that is set later, and later again, stays where it is until then',
  async (t) => {
    const { clock, wheel, rings } = make()
    const alarm = new Alarm('a')
    for (let turn = 0; turn < 100; turn += 1) {
      wheel.set(alarm, clock.now() + 1000, clock.now(), rings)
      clock.advance(7)
    }
    t.same(rings.all, [])
    clock.advance(993)
    const due = 99 * 7 + 1000
    clock.advance(PERIOD)
    t.equal(rings.all.length, 1)
    t.ok((rings.all[0]?.[1] ?? 0) >= due)
  },
)

t.test('timer wheel: one that is set sooner rings sooner', async (t) => {
  const { clock, wheel, rings } = make()
  const alarm = new Alarm('a')
  wheel.set(alarm, 60_000, 0, rings)
  clock.advance(5)
  wheel.set(alarm, 40, 5, rings)
  clock.advance(50)
  t.equal(rings.all.length, 1)
  // Stopped in between, its old place must not hold it back either.
  wheel.set(alarm, 2000, clock.now(), rings)
  alarm.stop()
  wheel.set(alarm, clock.now() + 30, clock.now(), rings)
  clock.advance(45)
  t.equal(rings.all.length, 2)
})

t.test(
  'timer wheel: an alarm may set itself and others when it rings, and forget others',
  async (t) => {
    const { clock, wheel, rings } = make()
    const [one, other, gone] = [new Alarm('one'), new Alarm('other'), new Alarm('gone')]
    wheel.set(gone, 20, 0, rings)
    wheel.set(one, 20, 0, rings)
    rings.onRing = (subject, now) => {
      if (subject !== 'one' || rings.all.length > 3) return
      wheel.forget(gone)
      wheel.set(one, now, now, rings)
      wheel.set(other, now + 5000, now, rings)
    }
    clock.advance(20)
    const before = rings.all.length
    clock.advance(100)
    t.ok(before >= 1)
    t.equal(rings.all.filter(([subject]) => subject === 'one').length, 4)
    clock.advance(6000)
    t.equal(rings.all.filter(([subject]) => subject === 'other').length, 1)
  },
)

t.test('timer wheel: after a stall everything that is due rings at once', async (t) => {
  const { clock, wheel, rings } = make()
  for (let at = 10; at <= 20_000; at += 10) wheel.set(new Alarm(String(at)), at, 0, rings)
  clock.stall(10_000)
  t.equal(rings.all.length, 1000)
  clock.advance(10_020)
  t.equal(rings.all.length, 2000)
  t.equal(wheel.size, 0)
})

t.test('timer wheel: against a list, over random settings', async (t) => {
  const seed = 20_261_123
  t.comment(`seed ${seed}`)
  const random = seededRandom(seed)
  const { clock, wheel, rings } = make()
  const alarms = Array.from({ length: 200 }, (_, at) => new Alarm(String(at)))
  const due = new Map<string, Millis>()
  let late = 0
  let wrong = 0
  rings.onRing = (subject, now) => {
    const at = due.get(subject)
    if (at === undefined || at > now) wrong += 1
    else late = Math.max(late, now - at)
    due.delete(subject)
  }
  for (let turn = 0; turn < 20_000; turn += 1) {
    const alarm = alarms[Math.floor(random() * alarms.length)]
    if (alarm === undefined) continue
    const what = random()
    if (what < 0.6) {
      const at = clock.now() + random() ** 3 * 9000
      wheel.set(alarm, at, clock.now(), rings)
      due.set(alarm.subject, at)
    } else if (what < 0.7) {
      alarm.stop()
      due.delete(alarm.subject)
    } else if (what < 0.75) {
      wheel.forget(alarm)
      due.delete(alarm.subject)
    } else clock.advance(random() * 40)
    for (const at of due.values()) if (clock.now() - at > PERIOD) wrong += 1
  }
  t.equal(wrong, 0)
  t.ok(late <= PERIOD, `${late} ms late at most`)
  clock.advance(10_000)
  t.equal(due.size, 0)
  t.equal(wheel.size, 0)
})
