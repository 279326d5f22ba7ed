// The times of one try: its own, that of the wait for the response's head, and what rings when there is nothing to do.

import t from 'tap'
import { PERIOD } from '../../../src/lib/timer-wheel.ts'
import { NOTHING, Tries, type Wish } from './tries.ts'

const ON = ['per-try-timeout'] as const
const perTry: Wish = { retries: { on: ON }, timeouts: { perTry: 1000 } }
const headers: Wish = { retries: { on: ON }, timeouts: { responseHeaders: 1000 } }

t.test('times: without any no alarm is set', async (t) => {
  const f = new Tries()
  f.open()
  t.equal(f.clock.timers, 0)
})

t.test('times: a try that takes too long goes to another endpoint', async (t) => {
  const f = new Tries(2, perTry)
  const exchange = f.open()
  f.clock.advance(999)
  t.same(f.at(0).heard, [])
  f.clock.advance(1 + PERIOD)
  t.same(f.at(0).heard, ['cancel'])
  t.same(f.retries, { 'per-try-timeout': 1 })
  f.clock.advance(30)
  t.equal(f.went, '01')
  f.clock.advance(950)
  t.same(f.last.heard, [], 'each has its own time')
  f.last.answer(200)
  t.same(f.above, ['head 200', 'ended'])
  t.equal(exchange.details, '')
  t.same(f.outcomes, [1, 0])
  t.same(f.health.said.slice(0, 2), ['chosen 10.0.0.1:80', 'failed 10.0.0.1:80 per-try-timeout'])
  t.same(f.underWay, NOTHING)
  f.clock.advance(5000)
  t.equal(f.clock.timers, 0)
})

t.test('times: the last try ends the request', async (t) => {
  const f = new Tries(2, { retries: { attempts: 0 }, timeouts: { perTry: 250 } })
  const exchange = f.open()
  f.clock.advance(260)
  t.same(f.above, ['per-try-timeout'])
  t.equal(exchange.details, '250 ms')
  t.same(f.underWay, NOTHING)
})

t.test('times: the body of the response belongs to the try', async (t) => {
  const f = new Tries(2, perTry)
  f.open()
  f.clock.advance(900)
  f.last.head(200)
  f.clock.advance(110)
  t.same(f.at(0).heard, ['cancel'])
  t.same(f.above, ['head 200', 'per-try-timeout'])
  t.same(f.retries, {})
  t.same(f.underWay, NOTHING)
})

t.test('times: waiting for a connection belongs to the try', async (t) => {
  const f = new Tries(2, perTry)
  f.destination.maxConnections = 0
  const exchange = f.open()
  t.equal(f.destination.pending.length, 1)
  f.clock.advance(1000 + PERIOD)
  t.same(f.retries, { 'per-try-timeout': 1 })
  t.equal(f.destination.pending.length, 0)
  f.clock.advance(30)
  t.equal(f.destination.pending.length, 1)
  t.equal(exchange.sent, 0)
  f.stop(exchange, 'downstream-reset')
  t.same(f.underWay, NOTHING)
})

t.test('times: waiting to be sent again does not', async (t) => {
  const f = new Tries(2, {
    retries: { on: ['reset', 'per-try-timeout'], backoff: { base: 3000, max: 3000 } },
    timeouts: { perTry: 1000 },
  })
  f.open()
  f.last.fail('upstream-reset')
  f.clock.advance(1500 + PERIOD)
  t.equal(f.all.length, 2)
  t.same(f.retries, { reset: 1 })
  f.clock.advance(950)
  t.same(f.last.heard, [])
})

t.test('times: a tunnel has none', async (t) => {
  const f = new Tries(2, { timeouts: { perTry: 1000, responseHeaders: 500 } })
  f.open({ fields: ['Connection: upgrade', 'Upgrade: x'] })
  f.last.head(101, 'Connection: upgrade', 'Upgrade: x')
  t.same(f.above, ['head 101'])
  f.clock.advance(60_000)
  t.same(f.last.heard, [])
  f.last.finish()
  t.same(f.underWay, NOTHING)
})

t.test('times: the head of the response', async (t) => {
  const f = new Tries(2, headers)
  f.open()
  f.clock.advance(999)
  t.same(f.at(0).heard, [])
  f.clock.advance(1 + PERIOD)
  t.same(f.at(0).heard, ['cancel'])
  t.same(f.retries, { 'per-try-timeout': 1 })
  f.clock.advance(30)
  f.clock.advance(900)
  f.last.head(200)
  f.clock.advance(60_000)
  t.same(f.last.heard, [], 'its body may take long')
  f.last.finish()
  t.same(f.above, ['head 200', 'ended'])
  t.same(f.underWay, NOTHING)
})

t.test('times: the head of the response, without another attempt', async (t) => {
  const f = new Tries(2, { ...headers, retries: { attempts: 0 } })
  const exchange = f.open()
  f.clock.advance(1010)
  t.same(f.above, ['response-timeout'])
  t.equal(exchange.details, '1000 ms')
})

t.test('times: a slow upload is not waited for too little', async (t) => {
  for (const takes of [0, 300, 990, 1010, 2500, 7777]) {
    const f = new Tries(2, headers)
    f.sends = false
    const exchange = f.open({
      ...{ line: 'PUT /', fields: ['Content-Length: 9'], isAtHand: false },
    })
    f.last.send(false)
    f.clock.advance(takes)
    exchange.requestEnded = true
    f.clock.advance(999)
    t.same(f.last.heard, [], `${takes} ms: never early`)
    f.clock.advance(1 + 125 + 2 * PERIOD)
    t.same(f.last.heard, ['cancel'], `${takes} ms: late by an eighth at most`)
    t.same(f.above, ['response-timeout'])
    t.same(f.underWay, NOTHING)
  }
})

t.test('times: a connect does not count as waiting for the response', async (t) => {
  const f = new Tries(2, headers)
  f.sends = false
  f.open()
  f.clock.advance(5000)
  t.same(f.above, [])
  f.last.send()
  f.clock.advance(999)
  t.same(f.last.heard, [])
  f.clock.advance(1 + 125 + 2 * PERIOD)
  t.same(f.at(0).heard, ['cancel'])
})

t.test('times: whichever comes first', async (t) => {
  const f = new Tries(2, {
    retries: { attempts: 0 },
    timeouts: { perTry: 400, responseHeaders: 300 },
  })
  f.open()
  f.clock.advance(310)
  t.same(f.above, ['response-timeout'])
  f.open()
  f.clock.advance(290)
  f.last.head(200)
  f.clock.advance(100)
  t.same(f.last.heard, [])
  f.clock.advance(20)
  t.same(f.above, ['response-timeout', 'head 200', 'per-try-timeout'])
})

t.test('times: an alarm of one request does not ring for the next', async (t) => {
  const f = new Tries(2, { timeouts: { perTry: 1000, responseHeaders: 500 } })
  const exchange = f.open()
  f.clock.advance(450)
  f.last.answer(200)
  exchange.begin(f.clock.now())
  f.retrying.open(exchange)
  f.clock.advance(490)
  t.same(f.last.heard, [])
  f.last.answer(200)
  f.clock.advance(5000)
  t.same(f.above, ['head 200', 'ended', 'head 200', 'ended'])
  t.equal(f.clock.timers, 0)
})

t.test('times: a try that fails at once leaves no alarm of its own', async (t) => {
  const f = new Tries(0, { timeouts: { perTry: 1000, responseHeaders: 1000 } })
  f.open()
  t.same(f.above, ['no-endpoints'])
  f.clock.advance(5000)
  t.same(f.above, ['no-endpoints'])
  t.same(f.underWay, NOTHING)
  t.equal(f.clock.timers, 0)
})
