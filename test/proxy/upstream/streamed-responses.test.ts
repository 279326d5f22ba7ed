// Responses of an endpoint that speaks HTTP/1.1, as they are given to a client's side that knows no chunks.

import t from 'tap'
import { singly } from '../http/h1/transcript.ts'
import { streamedRequest } from '../http/streamed.ts'
import { Way } from './streams.ts'

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

function carried(): Way {
  const way = new Way(streamedRequest({ line: 'GET /', hasBody: false }))
  way.upstream.carry(way.exchange)
  way.end()
  return way
}

const said = ({ client }: Way): string[] => client.said.filter((what) => what !== 'flush')

t.test('streamed responses: chunks are taken off, and trailers come apart', async (t) => {
  const text = `${CHUNKED}3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Sum: 5\r\ngrpc-status: 0\r\n\r\n`
  const way = carried()
  way.wire.receive(text)
  t.same(way.client.said, [
    'head 200',
    'body abc',
    'body de',
    'trailers [["X-Sum","5"],["grpc-status","0"]]',
    'end',
    'flush',
  ])
  t.same(way.ends, ['well'])
  const slow = carried()
  for (const byte of singly(Buffer.from(text))) slow.wire.receive(byte.toString())
  const pieces = ['a', 'b', 'c', 'd', 'e'].map((piece) => `body ${piece}`)
  t.same(said(slow), ['head 200', ...pieces, ...said(way).slice(-2)])
})

t.test('streamed responses: without trailers nothing is said of them', async (t) => {
  const way = carried()
  way.wire.receive(`${CHUNKED}1\r\na\r\n0\r\n\r\n`)
  t.same(said(way), ['head 200', 'body a', 'end'])
  const next = carried()
  next.wire.receive('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na')
  t.same(said(next), ['head 200', 'body a', 'end'])
})

t.test(
  'streamed responses: how a call of gRPC ended, by its trailers or by a head alone',
  async (t) => {
    const status = (text: string): number => {
      const way = carried()
      way.exchange.isGrpc = true
      way.wire.receive(text)
      t.same(way.ends, ['well'])
      return way.exchange.grpcStatus
    }
    t.equal(status(`${CHUNKED}1\r\na\r\n0\r\ngrpc-status: 5\r\n\r\n`), 5)
    t.equal(status('HTTP/1.1 200 OK\r\ngrpc-status: 14\r\nContent-Length: 0\r\n\r\n'), 14)
    t.equal(status(`${CHUNKED}1\r\na\r\n0\r\n\r\n`), -1)
    t.equal(status('HTTP/1.1 200 OK\r\ngrpc-status: 14\r\nContent-Length: 1\r\n\r\na'), -1)
  },
)

t.test('streamed responses: trailers are those of their own response', async (t) => {
  const way = carried()
  way.wire.receive(`${CHUNKED}0\r\nX-Sum: 5\r\n\r\n`)
  for (const text of [`${CHUNKED}0\r\n\r\n`, 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n']) {
    way.client.said.length = 0
    way.next(streamedRequest({ line: 'GET /', hasBody: false }))
    way.upstream.carry(way.exchange)
    way.end()
    way.wire.receive(text)
    t.same(said(way), ['head 200', 'end'])
  }
})

t.test('streamed responses: a body that ends with the connection', async (t) => {
  const way = carried()
  way.wire.receive('HTTP/1.1 200 OK\r\n\r\nabc')
  way.wire.arriveEnd()
  t.same(said(way), ['head 200', 'body abc', 'end'])
  t.same(way.ends, ['well'])
})

t.test('streamed responses: forbidden trailers cost the response', async (t) => {
  const way = carried()
  way.wire.receive(`${CHUNKED}3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n`)
  t.same(said(way), ['head 200', 'body abc', 'discard'])
  t.same(way.ends, ['response-refused'])
})

t.test(
  'streamed responses: whoever takes chunks as they come has the trailers in them',
  async (t) => {
    const way = carried()
    way.exchange.plainBody = false
    way.wire.receive(`${CHUNKED}1\r\na\r\n0\r\nX-Sum: 5\r\n\r\n`)
    t.same(said(way), ['head 200', 'body 1\r\na\r\n0\r\n', 'body X-Sum: 5\r\n\r\n', 'end'])
  },
)
