import t from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { ServiceTime } from '../../../src/proxy/resilience/service-time.ts'

t.test('service time: nothing is known before the first answer', async (t) => {
  const time = new ServiceTime()
  time.add(50, true)
  t.same([time.mean, time.median], [NaN, NaN], 'one that was cut short is none')
  time.add(20, false)
  t.same([time.mean, time.median], [20, 20])
})

t.test('service time: it follows', async (t) => {
  const time = new ServiceTime()
  for (let turn = 0; turn < 200; turn++) time.add(10, false)
  for (let turn = 0; turn < 200; turn++) time.add(40, false)
  t.ok(Math.abs(time.mean - 40) < 0.1, String(time.mean))
  t.ok(time.median > 38 && time.median < 42, String(time.median))
  for (let turn = 0; turn < 200; turn++) time.add(0, false)
  t.ok(time.mean < 0.1)
  for (let turn = 0; turn < 400; turn++) time.add(10, false)
  t.ok(time.median > 9, 'it comes back from nothing')
})

t.test(
  'service time: the median is what most take, the mean what they take together',
  async (t) => {
    const seed = 4711
    t.comment(`seed ${seed}`)
    const random = seededRandom(seed)
    const time = new ServiceTime()
    let sum = 0
    for (let turn = 0; turn < 5000; turn++) {
      time.add(random() < 0.25 ? 80 : 10, false)
      if (turn >= 4000) sum += time.mean
    }
    t.ok(time.median < 13, String(time.median))
    t.ok(Math.abs(sum / 1000 - 27.5) < 3, String(sum / 1000))
  },
)

t.test('service time: what was cut short counts only if it was long', async (t) => {
  const time = new ServiceTime()
  time.add(10, false)
  time.add(1, true)
  t.same([time.mean, time.median], [10, 10])
  time.add(30, true)
  t.ok(time.mean > 10)
  t.ok(time.median > 10)
})

t.test('service time: a stream of an hour does not make all others late', async (t) => {
  const time = new ServiceTime()
  time.add(10, false)
  time.add(3_600_000, false)
  t.ok(time.mean < 15, String(time.mean))
  t.ok(time.median < 11)
})
