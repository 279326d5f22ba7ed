// How many endpoints are out at once, what happens when too few are left, what policies and discovery change of it, and
// what is said of it all.

import t from 'tap'
import { DEFAULT_OUTLIER } from '../../../src/api/resources.ts'
import { Watched } from './watched.ts'

t.test('shares: half of them at most, and what is spared is counted once a window', async (t) => {
  const w = new Watched(4)
  for (const at of [0, 1, 2, 3]) w.trip(at)
  t.equal(w.states, 'open open closed closed')
  t.equal(w.resilience.ejectionsSpared, 2)
  w.attempts(2, 30, 503)
  t.equal(w.resilience.ejectionsSpared, 2)
  w.clock.advance(10_000)
  w.attempts(2, 30, 503)
  t.equal(w.resilience.ejectionsSpared, 3)
})

t.test('shares: one that was spared goes when there is room', async (t) => {
  const w = new Watched(2)
  w.trip(0)
  w.trip(1)
  t.equal(w.states, 'open closed')
  w.clock.advance(1000)
  w.attempt(0)
  w.attempt(1, 503)
  t.equal(w.states, 'closed open')
})

t.test('shares: the only endpoint stays, unless all may go', async (t) => {
  const one = new Watched(1)
  one.attempts(0, 50, 503)
  t.equal(one.state(), 'closed')
  const all = new Watched(1, { maxEjectedPercent: 100 })
  all.trip()
  t.equal(all.state(), 'open')
  const none = new Watched(4, { maxEjectedPercent: 0 })
  for (const at of [0, 1, 2, 3]) none.trip(at)
  t.equal(none.health.ejected, 0)
})

t.test('shares: of two one may go, however small the share', async (t) => {
  const w = new Watched(2, { maxEjectedPercent: 10 })
  w.trip(1)
  t.equal(w.states, 'closed open')
})

t.test('shares: the probe of an endpoint does not make room for another one', async (t) => {
  const w = new Watched(2)
  w.trip(0)
  w.clock.advance(1000)
  w.send(0)
  w.trip(1)
  t.equal(w.states, 'half-open closed')
})

t.test('shares: of fewer endpoints fewer are out', async (t) => {
  const w = new Watched(4)
  w.trip(0)
  w.clock.advance(10)
  w.trip(1)
  const all = w.endpoints
  w.endpoints = all.slice(0, 2)
  w.health.watch(w.endpoints)
  t.equal(w.states, 'closed open', 'the one that would be probed first is let back')
  t.match(w.events('breaker').at(-1), { to: 'closed', reason: 'too-many-ejected' })
  t.equal(w.health.ejected, 1)
  w.endpoints = all
  w.health.watch(all)
  t.equal(w.states, 'closed open closed closed', 'what is known of an endpoint survives')
})

t.test('shares: an endpoint that is gone is neither counted nor ejected', async (t) => {
  const w = new Watched(4)
  const gone = w.send(3)
  w.attempts(3, 4, 503)
  const all = w.endpoints
  w.health.watch(all.slice(0, 3))
  w.answer(gone, 503)
  t.equal(w.state(3), 'closed')
  w.trip(0)
  w.health.watch(all.slice(1, 3))
  t.equal(w.health.ejected, 0)
})

t.test(
  'policy: another share is in force at once, another window with the next request',
  async (t) => {
    const w = new Watched(4)
    w.trip(0)
    w.trip(1)
    w.attempt(2)
    w.health.obey({ ...DEFAULT_OUTLIER, maxEjectedPercent: 25, window: 3000, panicPercent: 0 })
    t.equal(w.states, 'closed open closed closed')
    t.ok(w.health.failsFast)
    w.attempt(2)
    w.pass(3000)
    t.ok(Number.isNaN(w.health.view(w.at(2), w.clock.now()).successRate))
  },
)

t.test('policy: without one nobody is kept out', async (t) => {
  const w = new Watched(4)
  w.trip(0)
  w.health.end()
  t.ok(w.at(0).ejectedUntil < w.clock.now())
  t.ok(w.endpoints.every(({ breaker }) => breaker === undefined))
  t.match(w.events('breaker').at(-1), { to: 'closed', reason: 'policy-removed' })
  t.same([w.health.ejected, w.health.isPanicking], [0, false])
  const late = w.endpoints[0]
  if (late === undefined) throw new Error()
  t.equal(w.health.view(late, w.clock.now()).state, 'closed')
})

t.test('policy: what was sent before there was one is taken as it comes', async (t) => {
  const w = new Watched(2)
  const exchange = w.send()
  w.at(0).breaker = undefined
  w.answer(exchange, 200)
  w.fail(exchange, 'upstream-reset')
  w.leave(exchange)
  t.equal(w.at(0).breaker, undefined)
})

t.test('panic: below the share of well ones, and over when they are back', async (t) => {
  const w = new Watched(4, { maxEjectedPercent: 100 })
  w.trip(0)
  w.trip(1)
  t.notOk(w.health.isPanicking, 'half is not below half')
  w.trip(2)
  t.ok(w.health.isPanicking)
  t.same(w.resilience.panics, 1)
  t.match(w.events('panic')[0], { isPanicking: true, well: 1, endpoints: 4, level: 'warn' })
  w.clock.advance(1000)
  w.attempt(2)
  t.notOk(w.health.isPanicking)
  t.match(w.events('panic')[1], { isPanicking: false, well: 2, level: 'info' })
})

t.test('panic: those that cannot be connected to are not well either', async (t) => {
  const w = new Watched(4)
  w.trip(0)
  w.at(1).connectFailed(w.clock.now())
  w.sweep()
  t.notOk(w.health.isPanicking)
  w.at(2).connectFailed(w.clock.now())
  w.sweep()
  t.ok(w.health.isPanicking)
  w.clock.advance(1000)
  w.sweep()
  t.notOk(w.health.isPanicking)
})

t.test('panic: not without anybody ejected, and with 0 never', async (t) => {
  const w = new Watched(2)
  for (const endpoint of w.endpoints) endpoint.connectFailed(w.clock.now())
  w.sweep()
  t.notOk(w.health.isPanicking)
  const never = new Watched(2, { panicPercent: 0, maxEjectedPercent: 100 })
  never.trip(0)
  never.trip(1)
  t.notOk(never.health.isPanicking)
  t.ok(never.health.failsFast)
  t.notOk(w.health.failsFast)
})

t.test('log: a line for each change, with its numbers', async (t) => {
  const w = new Watched(3, { minSuccessRate: 0.5 })
  w.attempts(0, 5)
  w.trip()
  w.clock.advance(1000)
  w.attempt(0, 200, 12)
  const common = { service: 'shop.default:80', endpoint: w.at(0).key }
  t.match(w.events('breaker'), [
    {
      ...{ ...common, level: 'warn', from: 'closed', to: 'open', reason: 'consecutive-failures' },
      ...{ consecutiveFailures: 5, successRate: 0.5, ejectedForMilliseconds: 1000, ejections: 1 },
    },
    { ...common, level: 'info', from: 'open', to: 'half-open', reason: 'ejection-over' },
    {
      ...{ ...common, level: 'info', from: 'half-open', to: 'closed', reason: 'probe-passed' },
      ...{ latencyMilliseconds: 12, ejectedForMilliseconds: 0, ejections: 1 },
    },
  ])
  t.equal(w.events('breaker').length, 3)
  w.attempts(1, 1000, 200)
  t.equal(w.lines.length, 3, 'and for nothing else')
})
