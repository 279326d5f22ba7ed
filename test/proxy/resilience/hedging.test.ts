// The second try of a request: when it is sent, which of the two is taken, and what becomes of the other.

import t from 'tap'
import { PERIOD } from '../../../src/lib/timer-wheel.ts'
import { Replay } from '../../../src/proxy/stack/replay.ts'
import { type Client, NOTHING, Tries, type Wish } from './tries.ts'

const AFTER = 100
const HEDGED: Wish = {
  retries: { hedgeAfter: AFTER, on: ['reset', 'gateway-error', 'per-try-timeout'], attempts: 1 },
}

/** A request whose second try is under way. */
function hedged(endpoints = 3, wish: Wish = HEDGED): Tries {
  const f = new Tries(endpoints, wish)
  f.open()
  f.clock.advance(AFTER + PERIOD)
  if (f.all.length !== 2) throw new Error('there is no second try')
  return f
}

const clientOf = (f: Tries): Client => f.at(0).exchange.downstream as Client

t.test('hedging: a second try when the first has no response after a while', async (t) => {
  const f = new Tries(3, HEDGED)
  const exchange = f.open()
  f.clock.advance(AFTER - 1)
  t.equal(f.all.length, 1)
  f.clock.advance(1 + PERIOD)
  t.equal(f.went, '01')
  t.same(f.retries, { hedge: 1 })
  t.equal(f.destination.active, 1, 'one request')
  t.equal(f.destination.retrying, 1)
  const [first, second] = [f.at(0), f.at(1)]
  t.equal(second.sentHead, first.sentHead)
  t.equal(second.exchange.leader, exchange)
  t.equal(exchange.hedge, second.exchange)
  t.equal(second.exchange.sent, 2, 'the next hop may be told that it is the second')
  f.clock.advance(10_000)
  t.equal(f.all.length, 2, 'never a third')
})

t.test('hedging: the first is faster after all', async (t) => {
  const f = hedged()
  f.at(0).head(200)
  t.same(f.at(1).heard.slice(-1), ['cancel'])
  t.same({ ...f.underWay }, { ...NOTHING, active: 1, open: 1, requests: 1 })
  f.at(0).finish()
  t.same(f.above, ['head 200', 'ended'])
  t.same(f.underWay, NOTHING)
  t.equal(f.destination.resilience.hedgesWon, 0)
  t.same(
    f.health.said.filter((line) => line.includes('10.0.1.1')),
    ['chosen 10.0.1.1:80', 'left 10.0.1.1:80'],
  )
  f.clock.advance(5000)
  t.equal(f.clock.timers, 0)
})

t.test('hedging: the second is faster', async (t) => {
  const f = hedged()
  const { exchange } = f.at(0)
  f.at(1).head(200)
  t.same(f.at(0).heard, ['cancel'])
  t.same(f.above, ['head 200'])
  t.equal(exchange.status, 200)
  t.equal(exchange.endpoint, f.at(1).endpoint)
  t.same({ ...f.underWay }, { ...NOTHING, active: 1, retrying: 1, open: 1, requests: 1 })
  const client = clientOf(f)
  f.at(1).exchange.downstream.body(Buffer.from('-abc-'), 1, 4)
  t.same(client.said, ['ready', 'head 200', 'body abc'])
  exchange.upstream?.resume()
  t.same(f.at(1).heard, ['resume'])
  f.at(1).exchange.responseBytes = 77
  f.clock.advance(7)
  f.at(1).finish()
  t.same(f.above, ['head 200', 'ended'])
  t.same(client.said.slice(3), ['end', 'over'])
  t.equal(exchange.responseBytes, 77)
  t.equal(exchange.now, f.clock.now())
  t.equal(exchange.upstream, undefined)
  t.equal(f.destination.resilience.hedgesWon, 1)
  t.same(f.underWay, NOTHING)
  t.same(
    f.health.said.filter((line) => line.includes('10.0.0.1')),
    ['chosen 10.0.0.1:80', 'left 10.0.0.1:80'],
    'no verdict on the slow one',
  )
  t.same(f.outcomes, [0, 0], 'it was not sent again')
})

t.test('hedging: backpressure of the client reaches the second', async (t) => {
  const f = hedged()
  f.at(1).head(200)
  const { downstream } = f.at(1).exchange
  clientOf(f).flush = () => false
  t.equal(downstream.flush(), false)
  t.equal(downstream.hasBegun, true)
})

t.test('hedging: who is not taken is not heard', async (t) => {
  const f = hedged()
  const { downstream } = f.at(1).exchange
  const client = clientOf(f)
  const before = client.said.length
  downstream.interim(f.at(0).exchange.request)
  downstream.body(Buffer.from('x'), 0, 1)
  downstream.end()
  downstream.discard()
  downstream.resume()
  t.equal(downstream.flush(), true)
  t.equal(downstream.hasBegun, false)
  t.equal(client.said.length, before)
})

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

t.test('hedging: every try has one, but none while it waits to be sent again', async (t) => {
  const f = new Tries(3, {
    retries: { ...HEDGED.retries, attempts: 2, backoff: { base: 1000, max: 1000 } },
  })
  f.open()
  f.last.fail('upstream-reset')
  f.clock.advance(400)
  t.equal(f.all.length, 1)
  f.clock.advance(110)
  t.equal(f.all.length, 2)
  f.clock.advance(AFTER + PERIOD)
  t.equal(f.all.length, 3)
  t.same(f.retries, { reset: 1, hedge: 1 })
  t.equal(f.destination.retrying, 2)
  f.last.answer(200)
  t.same(f.underWay, NOTHING)
  t.same(f.outcomes, [1, 0])
})

t.test('hedging: only what is safe, and no tunnel', async (t) => {
  for (const asked of [
    { line: 'POST /' },
    { line: 'PUT /' },
    { line: 'SEARCH /' },
    { line: 'CONNECT shop:80' },
    { fields: ['Connection: upgrade', 'Upgrade: x'] },
  ]) {
    const f = new Tries(3, { retries: { ...HEDGED.retries, methods: ['POST', 'PUT', 'SEARCH'] } })
    f.open(asked)
    f.clock.advance(10_000)
    t.equal(f.all.length, 1, JSON.stringify(asked))
    t.same(f.denied, {})
  }
})

t.test('hedging: not where there is nobody else', async (t) => {
  const f = new Tries(1, HEDGED)
  f.open()
  f.clock.advance(10_000)
  t.equal(f.all.length, 1)
  t.same(f.retries, {})
})

t.test('hedging: not once a response has begun', async (t) => {
  const f = new Tries(3, HEDGED)
  f.open()
  f.clock.advance(AFTER - 50)
  f.last.head(200)
  f.clock.advance(10_000)
  t.equal(f.all.length, 1)
})

t.test('hedging: within the limit and the budget', async (t) => {
  const f = new Tries(3, HEDGED)
  f.destination.maxRetries = 0
  f.open()
  f.clock.advance(AFTER + PERIOD)
  t.same(f.denied, { limit: 1 })
  f.destination.maxRetries = 1
  f.destination.retryBudget = { earn: () => undefined, spend: () => false, left: () => 0 }
  f.open()
  f.clock.advance(AFTER + PERIOD)
  t.same(f.denied, { limit: 1, budget: 1 })
  t.equal(f.all.length, 2)
  t.equal(f.destination.retrying, 0)
})

t.test('hedging: the request must be there as a whole', async (t) => {
  const f = new Tries(3, HEDGED)
  f.sends = false
  const asked = { line: 'GET /', fields: ['Content-Length: 3'], isAtHand: false }
  const exchange = f.open(asked)
  f.last.send(false)
  t.ok(exchange.replay)
  f.clock.advance(AFTER * 3)
  t.equal(f.all.length, 1, 'it is still coming')
  exchange.replay?.add(Buffer.from('abc'), 0, 3)
  exchange.requestEnded = true
  f.clock.advance(AFTER)
  t.equal(f.all.length, 2)
  f.last.send()
  t.same(f.last.heard, ['abc'])
  const cut = new Tries(3, HEDGED)
  cut.sends = false
  const other = cut.open({ ...asked, fields: ['Transfer-Encoding: chunked'] })
  cut.last.send(false)
  other.replay?.add(Buffer.alloc(70_000), 0, 70_000)
  other.requestEnded = true
  cut.clock.advance(10_000)
  t.equal(cut.all.length, 1, 'too large to be kept')
})

t.test('hedging: what is added to a request is added to the second try too', async (t) => {
  const f = new Tries(3, HEDGED)
  f.sends = false
  const exchange = f.request({ fields: ['Content-Length: 3'], isAtHand: false })
  exchange.requestLines = Buffer.from('X-A: b\r\n')
  exchange.requestCut = 4
  exchange.replay = new Replay(exchange.request)
  f.retrying.open(exchange)
  f.last.send(false)
  exchange.requestEnded = true
  f.clock.advance(AFTER + PERIOD)
  t.equal(f.last.exchange.requestLines, exchange.requestLines)
  t.equal(f.last.exchange.requestCut, 4)
  const kept = new Tries(3, HEDGED)
  const small = kept.request()
  small.requestLines = Buffer.from('X-A: b\r\n')
  kept.retrying.open(small)
  kept.clock.advance(AFTER + PERIOD)
  t.equal(kept.last.exchange.requestLines, undefined, 'it stands in what was sent')
})

t.test('hedging: the bytes are its own', async (t) => {
  const f = new Tries(3, HEDGED)
  f.sends = false
  const exchange = f.open()
  f.last.send()
  const sent = exchange.kept
  f.clock.advance(AFTER + PERIOD)
  sent?.fill(0x58)
  t.equal(f.last.exchange.request.methodText, 'GET')
  t.equal(exchange.request.methodText, 'GET')
})

t.test('hedging: deadline, route and the client’s version go with it', async (t) => {
  const f = new Tries(3, HEDGED)
  const exchange = f.request()
  exchange.deadline = 5000
  exchange.plainBody = true
  exchange.affinity = 7
  f.retrying.open(exchange)
  f.clock.advance(AFTER + PERIOD)
  const second = f.last.exchange
  t.equal(second.deadline, 5000)
  t.equal(second.route, exchange.route)
  t.equal(second.plainBody, true)
  t.equal(second.affinity, -1)
  t.equal(second.source, exchange.source)
})

t.test('hedging: earlier tries do not leave it without an endpoint', async (t) => {
  const f = new Tries(2, { retries: { ...HEDGED.retries, attempts: 2 } })
  f.open()
  f.last.fail('upstream-reset')
  f.clock.advance(30)
  t.equal(f.went, '01')
  f.clock.advance(AFTER + PERIOD)
  t.equal(f.went, '010')
})

t.test('hedging: a second try that cannot even begin', async (t) => {
  const f = new Tries(3, HEDGED)
  f.open()
  f.destination.maxConnections = 0
  f.destination.maxPendingRequests = 0
  f.clock.advance(AFTER + PERIOD)
  t.equal(f.all.length, 1)
  t.equal(f.destination.retrying, 0)
  t.same(f.retries, { hedge: 1 })
  f.at(0).answer(200)
  t.same(f.above, ['head 200', 'ended'])
  t.same(f.underWay, NOTHING)
})
