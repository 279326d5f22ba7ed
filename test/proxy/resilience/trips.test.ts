// What opens a breaker: failures in a row, a bad success rate, latency far above the others'; and what does not.

import t from 'tap'
import type { ErrorCode } from '../../../src/lib/errors.ts'
import { Watched } from './watched.ts'

t.test('trips: failures in a row, and a success between them begins anew', async (t) => {
  const w = new Watched(3)
  w.attempts(0, 4, 503)
  w.attempts(0, 1, 404)
  w.attempts(0, 4, 500)
  t.equal(w.state(), 'closed')
  t.equal(w.health.view(w.at(0), w.clock.now()).consecutiveFailures, 4)
  w.attempts(0, 1, 500)
  t.equal(w.state(), 'open')
  t.equal(w.at(0).ejectedUntil, w.clock.now() + 1000)
  t.same([...w.resilience.ejections], [['consecutive-failures', 1]])
  t.equal(w.health.ejected, 1)
})

t.test('trips: with 0 failures in a row never', async (t) => {
  const w = new Watched(3, { consecutiveFailures: 0 })
  w.attempts(0, 100, 503)
  t.equal(w.state(), 'closed')
})

t.test('trips: attempts without a response are failures, connects included', async (t) => {
  const errors: readonly ErrorCode[] = [
    ...(['upstream-reset', 'response-timeout', 'per-try-timeout'] as const),
    ...(['idle-timeout', 'endpoint-refused'] as const),
  ]
  const w = new Watched(3)
  for (const error of errors) w.fail(w.send(), error)
  t.equal(w.state(), 'open')
})

t.test('trips: a stalled endpoint, by its timeouts', async (t) => {
  const w = new Watched(3)
  const waiting = Array.from({ length: 5 }, () => w.send())
  w.clock.advance(2000)
  for (const exchange of waiting) w.fail(exchange, 'per-try-timeout')
  t.equal(w.state(), 'open')
})

t.test('trips: what is not the endpoint’s doing changes nothing', async (t) => {
  const w = new Watched(3)
  w.attempts(0, 4, 503)
  for (const error of ['downstream-reset', 'overloaded', 'drain-timeout', 'internal'] as const) {
    w.fail(w.send(), error)
  }
  w.leave(w.send())
  const view = w.health.view(w.at(0), w.clock.now())
  t.same([view.state, view.consecutiveFailures], ['closed', 4])
})

t.test('trips: clients with deadlines that nobody could meet eject nobody', async (t) => {
  const w = new Watched(3)
  for (let turn = 0; turn < 50; turn += 1) {
    const exchange = w.send()
    w.clock.advance(1)
    w.fail(exchange, 'deadline-exceeded')
  }
  t.equal(w.state(), 'closed')
})

t.test('trips: deadlines count after a second, and after five times what is usual', async (t) => {
  const after = (latency: number, deadline: number): string => {
    const w = new Watched(3)
    for (const at of [0, 1, 2]) w.attempt(at, 200, latency)
    w.sweep()
    // What was usual is still known after it has left the window.
    w.pass(20_000)
    for (let turn = 0; turn < 5; turn += 1) {
      const exchange = w.send()
      w.clock.advance(deadline)
      w.fail(exchange, 'deadline-exceeded')
    }
    return w.state()
  }
  t.equal(after(10, 1000), 'closed')
  t.equal(after(10, 1001), 'open')
  t.equal(after(400, 1900), 'closed')
  t.equal(after(400, 2001), 'open')
})

t.test('trips: responses that break off are failures in a row too', async (t) => {
  const w = new Watched(3)
  for (let turn = 0; turn < 5; turn += 1) {
    t.equal(w.state(), 'closed')
    const exchange = w.send()
    w.answer(exchange, 200)
    w.fail(exchange, 'response-incomplete')
  }
  t.equal(w.state(), 'open')
})

t.test('trips: responses that break off among others that do not are none in a row', async (t) => {
  const w = new Watched(3)
  for (let turn = 0; turn < 50; turn += 1) {
    const exchange = w.send()
    w.answer(exchange, 200)
    w.fail(exchange, 'response-incomplete')
    w.attempt(0)
  }
  t.equal(w.state(), 'closed')
  t.equal(w.health.view(w.at(0), w.clock.now()).successRate, 0.5)
})

t.test('trips: a stream that ends by a timeout, or with its client, was answered', async (t) => {
  const w = new Watched(3)
  for (const error of ['idle-timeout', 'deadline-exceeded', 'per-try-timeout'] as const) {
    w.attempts(0, 2, 503)
    const exchange = w.send()
    w.answer(exchange, 200)
    w.clock.advance(60_000)
    w.fail(exchange, error)
  }
  t.equal(w.state(), 'closed')
})

t.test('trips: a bad response counts once, whatever comes after it', async (t) => {
  const w = new Watched(3)
  for (let turn = 0; turn < 4; turn += 1) {
    const exchange = w.send()
    w.answer(exchange, 503)
    w.fail(exchange, 'response-incomplete')
  }
  const view = w.health.view(w.at(0), w.clock.now())
  t.same([view.state, view.consecutiveFailures, view.successRate], ['closed', 4, 0])
})

t.test('trips: a success rate below the least, of enough requests', async (t) => {
  const w = new Watched(3, { minSuccessRate: 0.8, minRequests: 20, consecutiveFailures: 0 })
  for (let turn = 0; turn < 20; turn += 1) w.attempt(0, turn % 5 === 0 ? 500 : 200)
  t.equal(w.state(), 'closed', '0.8 of 20')
  w.attempt(0, 500)
  t.equal(w.state(), 'open')
  t.same([...w.resilience.ejections], [['success-rate', 1]])
  w.attempts(1, 19, 500)
  t.equal(w.state(1), 'closed', 'too few')
})

t.test('trips: failures leave the window with time', async (t) => {
  const w = new Watched(3, { minSuccessRate: 0.5, minRequests: 4, consecutiveFailures: 0 })
  w.attempts(0, 3, 500)
  w.pass(11_000)
  w.attempts(0, 3, 500)
  t.equal(w.state(), 'closed')
  w.attempts(0, 1, 500)
  t.equal(w.state(), 'open')
})

t.test('trips: much slower than the others, judged once a second', async (t) => {
  const w = new Watched(3, { slowerThanPeers: 5 })
  for (let turn = 0; turn < 6; turn += 1) {
    w.attempt(0, 200, 120)
    w.attempt(1, 200, 20)
    w.attempt(2, 200, 24)
  }
  t.equal(w.state(), 'closed')
  w.sweep()
  t.equal(w.states, 'open closed closed')
  t.same([...w.resilience.ejections], [['latency', 1]])
  t.match(w.events('breaker')[0], {
    ...{ from: 'closed', to: 'open', reason: 'latency', level: 'warn' },
    ...{ latencyMilliseconds: 120, peersLatencyMilliseconds: 24 },
  })
})

t.test('trips: not below ten milliseconds of difference', async (t) => {
  const w = new Watched(3, { slowerThanPeers: 2 })
  for (let turn = 0; turn < 6; turn += 1) {
    w.attempt(0, 200, 10)
    w.attempt(1, 200, 1)
    w.attempt(2, 200, 1)
  }
  w.sweep()
  t.equal(w.states, 'closed closed closed')
})

t.test('trips: a single costly request makes nobody slow', async (t) => {
  const w = new Watched(3, { slowerThanPeers: 2 })
  for (let turn = 0; turn < 6; turn += 1) for (const at of [0, 1, 2]) w.attempt(at, 200, 5)
  w.attempt(0, 200, 3000)
  w.sweep()
  t.equal(w.state(), 'closed')
})

t.test('trips: nobody is slow by few requests, or without anybody to compare with', async (t) => {
  const few = new Watched(3, { slowerThanPeers: 5 })
  for (const at of [1, 2]) for (let turn = 0; turn < 6; turn += 1) few.attempt(at, 200, 1)
  for (let turn = 0; turn < 4; turn += 1) few.attempt(0, 200, 100)
  few.sweep()
  t.equal(few.state(), 'closed')
  few.attempt(0, 200, 100)
  few.sweep()
  t.equal(few.state(), 'open')
  const alone = new Watched(3, { slowerThanPeers: 5 })
  for (let turn = 0; turn < 9; turn += 1) alone.attempt(0, 200, 400)
  alone.sweep()
  t.equal(alone.state(), 'closed')
})

t.test('trips: one other endpoint is enough to compare with', async (t) => {
  const w = new Watched(2, { slowerThanPeers: 5 })
  for (let turn = 0; turn < 6; turn += 1) {
    w.attempt(0, 200, 2)
    w.attempt(1, 200, 50)
  }
  w.sweep()
  t.equal(w.states, 'closed open')
})

t.test('trips: quick errors do not make the others slow', async (t) => {
  const w = new Watched(3, { slowerThanPeers: 5, consecutiveFailures: 0 })
  for (let turn = 0; turn < 6; turn += 1) {
    w.attempt(0, 200, 50)
    w.attempt(1, 500, 1)
    w.attempt(2, 500, 1)
  }
  w.sweep()
  t.equal(w.state(), 'closed')
})

t.test('trips: of several slow ones the slowest goes', async (t) => {
  const w = new Watched(5, { slowerThanPeers: 2, maxEjectedPercent: 20 })
  for (let turn = 0; turn < 6; turn += 1) {
    for (const at of [0, 1, 2]) w.attempt(at, 200, 10)
    w.attempt(3, 200, 100)
    w.attempt(4, 200, 101)
  }
  w.sweep()
  t.equal(w.states, 'closed closed closed closed open')
  t.equal(w.resilience.ejectionsSpared, 1)
})
