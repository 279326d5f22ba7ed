// The second try of a request: when it is sent, with what, and which of the two is taken.

import t from 'tap'
import { PERIOD } from '../../../src/lib/timer-wheel.ts'
import { AFTER, clientOf, HEDGED, hedged } from './hedged.ts'
import { NOTHING, Tries } from './tries.ts'

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
  exchange.keepForReplay()
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
