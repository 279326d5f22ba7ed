// A request's head made readable again, from what was kept of it.

import t from 'tap'
import { exchangeOf } from '../balance/fixture.ts'

t.test('rewind: what was not kept cannot be had', async (t) => {
  const exchange = exchangeOf([])
  t.equal(exchange.rewind(), false)
  exchange.keepForReplay()
  if (exchange.replay !== undefined) exchange.replay.isCut = true
  t.equal(exchange.rewind(), false)
})

t.test('rewind: a copy of what was sent, whose owner may write over it', async (t) => {
  const exchange = exchangeOf([])
  const sent = Buffer.from('PUT /b HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\n\r\nabc')
  exchange.kept = sent
  exchange.requestLines = sent
  exchange.requestCut = 1
  t.equal(exchange.rewind(), true)
  sent.fill(0)
  t.equal(exchange.request.methodText, 'PUT')
  t.equal(exchange.kept.toString('latin1', exchange.request.end), 'abc')
  t.same([exchange.requestCut, exchange.requestLines], [0, undefined], 'they stand in it')
  t.equal(exchange.rewind(), true, 'as often as needed')
})

t.test('rewind: the head as it came, to which what is added is added again', async (t) => {
  const exchange = exchangeOf(['X-A: b'])
  exchange.keepForReplay()
  exchange.requestLines = Buffer.from('X-B: c\r\n')
  exchange.request.bytes.fill(0)
  t.equal(exchange.rewind(), true)
  t.match(exchange.request.text(exchange.request.start, exchange.request.end), /X-A: b\r\n\r\n$/)
  t.ok(exchange.requestLines)
})

t.test('rest: an idle client holds no memory of its last request', async (t) => {
  const exchange = exchangeOf([])
  exchange.keepForReplay()
  exchange.kept = Buffer.from('x')
  const { request } = exchange
  t.equal(exchange.rewind(), false, 'no request')
  exchange.kept = undefined
  t.equal(exchange.rewind(), true)
  t.not(exchange.request, request)
  exchange.rest()
  t.same([exchange.kept, exchange.replay], [undefined, undefined])
  t.equal(exchange.request, request, 'nor the head that was read again')
})
