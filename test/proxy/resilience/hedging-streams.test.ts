// Second tries of requests that came over HTTP/2, whose heads stay where they are and of which nothing was kept by
// whoever sent the first.

import t from 'tap'
import { PERIOD } from '../../../src/lib/timer-wheel.ts'
import type { Exchange } from '../../../src/proxy/stack/exchange.ts'
import { trailersOf } from '../http/streamed.ts'
import { AFTER, clientOf, HEDGED } from './hedged.ts'
import { type Asked, NOTHING, Tries } from './tries.ts'

/** A request whose first try is under way, with nothing kept by its endpoint's side. */
function streamed(asked: Asked = {}): { f: Tries; exchange: Exchange } {
  const f = new Tries(3, HEDGED)
  f.sends = false
  const exchange = f.request(asked)
  exchange.request.isStable = true
  exchange.speaks = 'http2'
  exchange.plainBody = true
  exchange.isGrpc = true
  f.retrying.open(exchange)
  f.last.send(false)
  return { f, exchange }
}

t.test('hedging: a head that stays where it is is used for both tries', async (t) => {
  const { f, exchange } = streamed()
  const { request } = exchange
  exchange.requestEnded = true
  f.clock.advance(AFTER + PERIOD)
  t.equal(f.all.length, 2)
  const second = f.last.exchange
  t.not(second, exchange)
  t.same([second.request, exchange.request], [request, request])
  t.same([second.speaks, second.plainBody, second.isGrpc], ['http2', true, true])
  f.last.send(false)
  t.same(f.last.heard, [])
  t.ok(second.requestEnded, 'it has no more')
})

t.test('hedging: content and what followed it go with the second try', async (t) => {
  const asked = { fields: ['Content-Length: 3'], isAtHand: false }
  const { f, exchange } = streamed(asked)
  exchange.replay?.add(Buffer.from('abc'), 0, 3)
  exchange.requestTrailers = trailersOf([['x-sum', '7']])
  exchange.requestEnded = true
  f.clock.advance(AFTER + PERIOD)
  f.last.send(false)
  t.same(f.last.heard, ['abc', '1 trailers'])
})

t.test('hedging: what was sent over HTTP/1.1 has its trailers in it', async (t) => {
  const { f, exchange } = streamed()
  const chunks = '1\r\na\r\n0\r\nx-sum: 7\r\n\r\n'
  exchange.kept = Buffer.from(
    `GET / HTTP/1.1\r\nhost: shop\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`,
  )
  exchange.requestTrailers = trailersOf([['x-sum', '7']])
  exchange.requestEnded = true
  f.clock.advance(AFTER + PERIOD)
  f.last.send(false)
  t.same(f.last.heard, [chunks])
})

t.test('hedging: a body of which nothing is kept is not sent twice', async (t) => {
  const { f, exchange } = streamed({ fields: ['Content-Length: 70000'], isAtHand: false })
  t.equal(exchange.replay, undefined)
  exchange.requestEnded = true
  f.clock.advance(AFTER * 3)
  t.equal(f.all.length, 1)
})

t.test('hedging: how a call ended is told by the try whose response is taken', async (t) => {
  const { f, exchange } = streamed()
  exchange.requestEnded = true
  f.clock.advance(AFTER + PERIOD)
  f.last.send(false)
  f.last.head(200)
  const second = f.last.exchange
  second.downstream.trailers(trailersOf([['grpc-status', '5']]))
  second.grpcStatus = 5
  f.last.finish()
  t.equal(exchange.grpcStatus, 5)
  t.same(clientOf(f).said.slice(-3), ['trailers', 'end', 'over'])
  t.same(f.underWay, NOTHING)
})
