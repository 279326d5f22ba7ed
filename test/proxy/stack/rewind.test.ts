// A request's head made readable again, from what was kept of it.

import t from 'tap'
import { Framing } from '../../../src/proxy/http/head.ts'
import { exchangeOf } from '../balance/fixture.ts'
import { streamedRequest } from '../http/streamed.ts'
import { exchangeWith } from './exchanges.ts'

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

t.test('rewind: a head that stays where it is need not be read again', async (t) => {
  const head = streamedRequest({ hasBody: false })
  const exchange = exchangeWith(head)
  exchange.requestLines = Buffer.from('X-B: c\r\n')
  exchange.keepForReplay()
  t.equal(exchange.replay, undefined, 'there is nothing to keep')
  t.ok(exchange.isReplayable)
  t.ok(exchange.rewind())
  t.equal(exchange.request, head)
  t.ok(exchange.requestLines, 'what is added is added again')
})

t.test('rewind: such a head with a body needs its body', async (t) => {
  for (const fields of [[], ['content-length: 3']]) {
    const head = streamedRequest({ fields })
    const exchange = exchangeWith(head)
    t.notOk(exchange.isReplayable)
    t.equal(exchange.rewind(), false, 'nobody kept it')
    exchange.keepForReplay()
    const { replay } = exchange
    t.equal(replay?.head.length, 0, 'the head stays where it is')
    t.ok(exchange.rewind())
    t.equal(exchange.request, head)
    replay?.add(Buffer.alloc(65_537), 0, 65_537)
    t.notOk(exchange.isReplayable)
    t.equal(exchange.rewind(), false, 'too large')
    exchange.keepForReplay()
    t.ok(exchange.replay?.isCut, 'and that is not forgotten')
  }
})

t.test('rewind: sent over HTTP/1.1 it is what was sent, in its framing', async (t) => {
  const head = streamedRequest()
  const exchange = exchangeWith(head)
  exchange.keepForReplay()
  exchange.kept = Buffer.from(
    'POST /a HTTP/1.1\r\nhost: shop\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
  )
  t.ok(exchange.rewind())
  const { request, kept } = exchange
  t.not(request, head)
  t.same([request.framing, request.isStable], [Framing.chunked, false])
  t.equal(kept.toString('latin1', request.end), '1\r\na\r\n0\r\n\r\n')
  t.ok(exchange.rewind(), 'over whatever it is sent next')
  t.equal(exchange.request.framing, Framing.chunked)
  exchange.begin(0)
  t.equal(exchange.request, head, 'the next request is none of that')
})

t.test('replay: what was asked for once is not begun again', async (t) => {
  const exchange = exchangeOf([])
  exchange.keepForReplay()
  const { replay } = exchange
  replay?.add(Buffer.from('abc'), 0, 3)
  exchange.keepForReplay()
  t.equal(exchange.replay, replay)
  t.equal(replay?.length, 3)
  const sent = exchangeOf([])
  sent.kept = Buffer.from('x')
  sent.keepForReplay()
  t.equal(sent.replay, undefined, 'what was sent whole is kept')
})
