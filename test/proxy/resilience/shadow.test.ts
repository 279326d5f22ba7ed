// The bytes of a copy: of what was sent, and with which host.

import t from 'tap'
import { Field, fieldBits } from '../../../src/proxy/http/fields.ts'
import { Shadows } from '../../../src/proxy/resilience/shadow.ts'
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
