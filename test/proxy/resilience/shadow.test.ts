// The bytes of a copy: of what was sent, and with which host.

import t from 'tap'
import { Field, fieldBits } from '../../../src/proxy/http/fields.ts'
import { isWhole, Shadows } from '../../../src/proxy/resilience/shadow.ts'
import { streamedRequest, trailersOf } from '../http/streamed.ts'
import { exchangeWith } from '../stack/exchanges.ts'
import { exchange, FakeWorld } from './bare-way.ts'

const head = (lines: string): string => `${lines.replaceAll('\n', '\r\n')}\r\n\r\n`

/** The copy of a request that left whole. */
function copied(text: string): string | undefined {
  const made = exchange(new FakeWorld(), {})
  made.kept = Buffer.from(text, 'latin1')
  return new Shadows().copy(made)?.toString('latin1')
}

t.test('shadow: the name of the host is longer, and nothing else is another', async (t) => {
  for (const [host, expected] of [
    ['reviews:9080', 'reviews-shadow:9080'],
    ['reviews', 'reviews-shadow'],
    ['reviews.shop.svc:80', 'reviews.shop.svc-shadow:80'],
    ['10.1.2.3:80', '10.1.2.3:80'],
    ['[fd00::1]:80', '[fd00::1]:80'],
    ['[fd00::1]', '[fd00::1]'],
  ] as const) {
    const text = (name: string): string =>
      `${head(`POST /a?b HTTP/1.1\nX-A: 1\nhOsT:  ${name} \nContent-Length: 5\nX-B: 2`)}h\0\xffst`
    t.equal(copied(text(host)), text(expected), host)
  }
})

t.test('shadow: a target that names the host names the same', async (t) => {
  t.equal(
    copied(head('GET http://a.example:80/b HTTP/1.1\nHost: a.example:80')),
    head('GET http://a.example-shadow:80/b HTTP/1.1\nHost: a.example-shadow:80'),
  )
  t.equal(
    copied(head('GET http://a.example HTTP/1.1\nHost: A.EXAMPLE:80')),
    head('GET http://a.example-shadow HTTP/1.1\nHost: A.EXAMPLE-shadow:80'),
  )
})

t.test('shadow: it has bytes of its own', async (t) => {
  const made = exchange(new FakeWorld(), {})
  made.kept = Buffer.from(head('GET / HTTP/1.1\nHost: 10.0.0.1'))
  const copy = new Shadows().copy(made)
  made.kept.fill(0)
  t.equal(copy?.toString(), head('GET / HTTP/1.1\nHost: 10.0.0.1'))
})

t.test('shadow: of a request that left in parts, the head as it was sent', async (t) => {
  const text = head(
    'POST / HTTP/1.1\nHost: a\nTE: trailers\nConnection: TE, X-Hop\nX-Hop: 1\nVia: x\ntraceparent: 00-a-a-00\nTransfer-Encoding: chunked',
  )
  const made = exchange(new FakeWorld(), {}, text)
  made.keepForReplay()
  made.replay?.add(Buffer.from('-3\r\nabc\r\n0\r\n\r\n-'), 1, 14)
  made.requestEnded = true
  made.requestCut = fieldBits(Field.traceparent)
  made.requestLines = Buffer.from('traceparent: 00-a-b-01\r\n')
  const shadows = new Shadows()
  const expected = (te: string): string =>
    head(
      `POST / HTTP/1.1\nHost: a-shadow\nVia: x\nTransfer-Encoding: chunked${te}\ntraceparent: 00-a-b-01`,
    )
  t.equal(
    shadows.copy(made)?.toString(),
    `${expected('\nTE: trailers\nConnection: TE')}3\r\nabc\r\n0\r\n\r\n`,
  )
  t.equal(shadows.copy(made)?.toString().length, shadows.copy(made)?.length, 'and again')
})

t.test('shadow: of HTTP/1.0 without a host, the one that it was sent with', async (t) => {
  const text = head('POST / HTTP/1.0\nContent-Length: 3')
  const made = exchange(new FakeWorld(), {}, text)
  made.endpoint = made.destination.picker.endpoints[0]
  made.keepForReplay()
  made.replay?.add(Buffer.from('abc'), 0, 3)
  t.equal(
    new Shadows().copy(made)?.toString(),
    `${head('POST / HTTP/1.1\nContent-Length: 3\nHost: 10.1.0.1:80')}abc`,
  )
})

t.test('shadow: what is no request has no copy', async (t) => {
  t.equal(copied('GET / HTTP/1.1\r\n\r\n'), undefined)
})

t.test('shadow: of HTTP/2, with the length of what is kept', async (t) => {
  const fields = ['te: trailers', 'x-a: 1', 'trailer: x-sum']
  const made = exchangeWith(streamedRequest({ fields }))
  made.keepForReplay()
  made.replay?.add(Buffer.from('-abcde-'), 1, 6)
  made.requestTrailers = trailersOf([['x-sum', '7']])
  made.requestLines = Buffer.from('traceparent: 00-a-b-01\r\n')
  t.notOk(isWhole(made))
  made.requestEnded = true
  t.ok(isWhole(made))
  const shadows = new Shadows()
  const expected = `${head(
    'POST /a HTTP/1.1\nhost: shop-shadow\nx-a: 1\nContent-Length: 5\nTE: trailers\nConnection: TE\ntraceparent: 00-a-b-01',
  )}abcde`
  t.equal(shadows.copy(made)?.toString(), expected)
  t.equal(shadows.copy(made)?.toString(), expected, 'and again')
  t.equal(made.request.authority, 'shop', 'the original is as it was')
})

t.test('shadow: of HTTP/2 with a length, and without a body', async (t) => {
  const sized = exchangeWith(streamedRequest({ fields: ['content-length: 3'] }))
  sized.keepForReplay()
  sized.replay?.add(Buffer.from('abc'), 0, 3)
  t.equal(
    new Shadows().copy(sized)?.toString(),
    `${head('POST /a HTTP/1.1\nhost: shop-shadow\ncontent-length: 3')}abc`,
  )
  const bare = exchangeWith(streamedRequest({ line: 'GET /b', hasBody: false }))
  t.notOk(isWhole(bare))
  bare.requestEnded = true
  t.ok(isWhole(bare), 'although nothing of it is kept')
  t.equal(new Shadows().copy(bare)?.toString(), head('GET /b HTTP/1.1\nhost: shop-shadow'))
})

t.test('shadow: of HTTP/2 that was sent over HTTP/1.1, as it was sent', async (t) => {
  const made = exchangeWith(streamedRequest())
  const chunks = '3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n'
  const sent = (host: string): string =>
    head(`POST /a HTTP/1.1\nhost: ${host}\nTransfer-Encoding: chunked`) + chunks
  made.kept = Buffer.from(sent('shop'))
  t.equal(new Shadows().copy(made)?.toString(), sent('shop-shadow'))
})
