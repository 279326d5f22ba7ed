// How a request with two tries ends: one of them fails, or both, in any order; nobody wants it any more; time runs out.

import t from 'tap'
import { PERIOD } from '../../../src/lib/timer-wheel.ts'
import { AFTER, HEDGED, hedged } from './hedged.ts'
import { NOTHING } from './tries.ts'

t.test('hedging: a failure of the second is none of the request', async (t) => {
  for (const fail of ['upstream-reset', 'response-refused', 'endpoint-refused', 503] as const) {
    const f = hedged(2)
    if (typeof fail === 'number') f.at(1).head(fail)
    else f.at(1).fail(fail)
    t.same(f.above, [], `${fail}`)
    t.equal(f.destination.retrying, 0)
    f.clock.advance(5000)
    t.equal(f.all.length, 2, 'and there is no other')
    f.at(0).answer(200)
    t.same(f.above, ['head 200', 'ended'])
    t.same(f.retries, { hedge: 1 })
    t.same(f.underWay, NOTHING)
  }
})

t.test('hedging: a failure of the first leaves it to the second', async (t) => {
  for (const fail of ['upstream-reset', 'response-refused', 'fault-injected', 503] as const) {
    const f = hedged()
    if (typeof fail === 'number') f.at(0).head(fail)
    else f.at(0).fail(fail)
    t.same(f.above, [], `${fail}`)
    t.same(f.retries, { hedge: 1 })
    f.at(1).answer(200)
    t.same(f.above, ['head 200', 'ended'])
    t.equal(f.destination.resilience.hedgesWon, 1)
    t.same(f.underWay, NOTHING)
    t.equal(f.at(0).exchange.details, '')
  }
})

t.test('hedging: when both fail it is one failure, and sent again once', async (t) => {
  const f = hedged()
  f.at(0).fail('upstream-reset')
  f.at(1).fail('upstream-reset')
  t.same(f.retries, { hedge: 1, reset: 1 })
  t.equal(f.destination.retrying, 1)
  f.clock.advance(30)
  t.equal(f.went, '012', 'to neither of them')
  f.last.answer(200)
  t.same(f.above, ['head 200', 'ended'])
  t.same(f.outcomes, [1, 0])
  t.same(f.underWay, NOTHING)
})

t.test('hedging: both fail, in either order, in any way', async (t) => {
  const ways = ['upstream-reset', 503, 'response-refused', 'pending-limit'] as const
  for (const one of ways) {
    for (const other of ways) {
      for (const order of [
        [0, 1],
        [1, 0],
      ] as const) {
        const f = hedged(3)
        const what = `${one} and ${other}, ${order.join(' then ')}`
        for (const at of order) {
          const how = at === order[0] ? one : other
          if (typeof how === 'number') f.at(at).head(how)
          else f.at(at).fail(how)
          if (at === order[0]) t.same(f.above, [], what)
        }
        if (f.destination.retrying === 1) {
          t.same(f.above, [], what)
          f.clock.advance(30)
          f.last.answer(200)
          t.same(f.above, ['head 200', 'ended'], what)
        } else {
          t.equal(f.above.length, 1, what)
        }
        t.same(f.underWay, NOTHING, what)
        t.equal(f.at(0).exchange.hedge, undefined)
      }
    }
  }
})

t.test('hedging: both fail, and nothing can be sent again', async (t) => {
  const f = hedged(3, { retries: { ...HEDGED.retries, attempts: 0 } })
  f.at(0).head(503)
  f.at(1).answer(504)
  t.same(f.above, ['head 504', 'ended'], 'the last response is passed on')
  t.same(f.underWay, NOTHING)
  const broken = hedged(3, { retries: { ...HEDGED.retries, attempts: 0 } })
  broken.at(0).head(503)
  broken.at(1).fail('upstream-reset', 'the second')
  t.same(broken.above, ['upstream-reset'])
  t.equal(broken.at(0).exchange.details, 'the second')
  t.equal(broken.at(0).exchange.endpoint, broken.at(1).endpoint)
  t.same(broken.underWay, NOTHING)
})

t.test('hedging: after both have failed with responses, Retry-After of the last', async (t) => {
  const f = hedged()
  f.at(0).head(503, 'Retry-After: 9')
  f.at(1).head(503, 'Retry-After: 1')
  t.same(f.retries, { hedge: 1, 'gateway-error': 1 })
  t.equal(f.at(0).exchange.stepAlarm.at, f.clock.now() + 1000)
  t.same({ ...f.underWay }, { ...NOTHING, active: 1, retrying: 1 })
  f.stop(f.at(0).exchange, 'downstream-reset')
  t.same(f.underWay, NOTHING)
})

t.test('hedging: the client leaves, or the time is over, at any step', async (t) => {
  for (const error of ['downstream-reset', 'deadline-exceeded', 'idle-timeout'] as const) {
    for (const step of ['both', 'first failed', 'second failed', 'second taken', 'first taken']) {
      const f = hedged()
      const { exchange } = f.at(0)
      if (step === 'first failed') f.at(0).fail('upstream-reset')
      if (step === 'second failed') f.at(1).fail('upstream-reset')
      if (step === 'second taken') f.at(1).head(200)
      if (step === 'first taken') f.at(0).head(200)
      f.stop(exchange, error)
      const what = `${error}, ${step}`
      t.same(f.above, step.endsWith('taken') ? ['head 200', error] : [error], what)
      t.same(f.underWay, NOTHING, what)
      t.ok(
        f.all.every(({ isOver }) => isOver),
        what,
      )
      t.equal(exchange.hedge, undefined)
      t.equal(exchange.upstream, undefined)
      f.clock.advance(60_000)
      t.equal(f.all.length, 2)
      t.equal(f.clock.timers, 0)
      t.equal(f.above.at(-1), error)
    }
  }
})

t.test('hedging: the answer of the second is there, and the request is not wanted', async (t) => {
  const f = hedged()
  f.at(1).head(200)
  const { exchange } = f.at(0)
  exchange.upstream?.cancel()
  exchange.lowest?.ended(exchange, undefined)
  t.same(f.above, ['head 200', 'ended'])
  t.same(f.at(1).heard.slice(-1), ['cancel'])
  t.same(f.underWay, NOTHING)
})

t.test('hedging: the rest of the second’s response can be abandoned', async (t) => {
  const f = hedged()
  f.at(1).head(200)
  f.at(0).exchange.upstream?.abandon()
  t.same(f.at(1).heard.slice(-1), ['abandon'])
})

t.test('hedging: the second is taken and breaks off', async (t) => {
  const f = hedged()
  f.at(1).head(200)
  f.at(1).fail('response-incomplete', 'cut')
  t.same(f.above, ['head 200', 'response-incomplete'])
  t.equal(f.at(0).exchange.details, 'cut')
  t.same(f.retries, { hedge: 1 })
  t.same(f.underWay, NOTHING)
})

t.test('hedging: each has its own time', async (t) => {
  const wish = { ...HEDGED, timeouts: { perTry: 1000 } }
  const f = hedged(3, wish)
  f.clock.advance(1000 - AFTER)
  t.same(f.at(0).heard, ['cancel'])
  t.same(f.at(1).heard, [], 'a tenth of a second later')
  t.same(f.above, [])
  f.clock.advance(AFTER + PERIOD)
  t.same(f.at(1).heard.slice(-1), ['cancel'])
  t.same(f.retries, { hedge: 1, 'per-try-timeout': 1 })
  f.clock.advance(30)
  t.equal(f.all.length, 3)
  f.last.answer(200)
  t.same(f.underWay, NOTHING)
})

t.test('hedging: the time of the second, when it is taken', async (t) => {
  const f = hedged(3, { ...HEDGED, timeouts: { perTry: 1000 } })
  f.at(1).head(200)
  f.clock.advance(1000 - AFTER)
  t.same(f.above, ['head 200'], 'not the first one’s')
  f.clock.advance(AFTER + PERIOD)
  t.same(f.above, ['head 200', 'per-try-timeout'])
  t.same(f.underWay, NOTHING)
})
