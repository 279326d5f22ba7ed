// What is made of what clients saw: seconds, percentiles, the time until all is well.

import t from 'tap'
import { timeUntil, troubleOf } from '../../../bench/simulate/finding.ts'
import { Recorder } from '../../../bench/simulate/recorder.ts'

t.test('recorder: requests belong to the second in which they began', async (t) => {
  const recorder = new Recorder(3)
  recorder.ended(recorder.sent(10, 1000), 200, 1510)
  recorder.ended(recorder.sent(999, 1000), 200, 1000)
  recorder.ended(recorder.sent(1000, 1000), 503, 1001)
  recorder.sent(2500, 1000)
  recorder.ended(recorder.sent(9999, 1000), 200, 10_000)
  t.same(
    recorder.each((from, to) => recorder.count(from, to)),
    [2, 1, 1],
  )
  t.equal(recorder.good(0, 3), 1, 'one came too late, one is an error, one never ended')
  t.equal(recorder.success(0, 1), 0.5)
  t.equal(recorder.slower(100, 0, 3), 2)
})

t.test('recorder: percentiles count those that never end as the slowest', async (t) => {
  const recorder = new Recorder(1)
  for (let time = 1; time <= 98; time += 1) {
    recorder.ended(recorder.sent(0, 1000), 200, time)
  }
  recorder.sent(0, 1000)
  t.equal(recorder.percentile(50, 0, 1), 50)
  t.equal(recorder.percentile(98, 0, 1), 98)
  t.equal(recorder.percentile(100, 0, 1), Number.POSITIVE_INFINITY)
  t.ok(Number.isNaN(new Recorder(1).percentile(50, 0, 1)))
})

t.test('recorder: whoever waits for an end is told', async (t) => {
  const recorder = new Recorder(1)
  const sent = recorder.sent(0, 10)
  let told = 0
  sent.whenOver = () => {
    told += 1
  }
  recorder.ended(sent, 0, 20)
  t.equal(told, 1)
  t.ok(sent.isOver)
  t.equal(recorder.good(0, 1), 0)
})

t.test('finding: well again is from the first second on that stays well', async (t) => {
  const wellAt = (seconds: readonly number[]) => (second: number) => seconds.includes(second)
  t.equal(timeUntil(2, 10, 3, wellAt([3, 5, 6, 7])), 3)
  t.equal(timeUntil(2, 10, 3, wellAt([2, 3, 4])), 0)
  t.equal(timeUntil(2, 10, 3, wellAt([8, 9])), 6, 'to the end is enough')
  t.equal(timeUntil(2, 10, 3, wellAt([3, 5, 7])), Number.POSITIVE_INFINITY)
  t.same(troubleOf(60, 'x'), { from: 10, to: 40, title: 'x' })
})
