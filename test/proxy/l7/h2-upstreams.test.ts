// Requests over the whole proxy to servers that speak HTTP/2, from clients of either version.

import t, { type Test } from 'tap'
import { H2Asked as Asked } from '../../support/h2-client.ts'
import type { H2Answer, H2Server } from '../../support/h2-server.ts'
import { messages } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { server } from '../upstream/h2-fixture.ts'
import { get, type Kind, L7, onBoth, post } from './fixture.ts'
import { h2 } from './h2-fixture.ts'

const DIGITS = '0123456789'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'

async function way(t: Test, kind: Kind, answer: H2Answer): Promise<{ f: L7; s: H2Server }> {
  const s = await server(t, answer)
  const f = await L7.start(t, [s.port], { kind })
  f.destination.wire = 'http2'
  return { f, s }
}

onBoth(t, 'http2 upstreams: a client of HTTP/1.1, one request after another', async (t, kind) => {
  const { f, s } = await way(t, kind, (asked) => {
    asked.stream.on('end', () => {
      asked.ok(asked.body)
    })
  })
  const client = await f.client()
  for (let turn = 1; turn <= 5; turn += 1) {
    await client.send(post(`body ${turn}`))
    const text = await client.until((all) => messages(all).length === turn)
    const last = messages(text)[turn - 1] ?? ''
    t.match(last, /^HTTP\/1\.1 200 \r\n.*content-length: 6\r\n.*\r\n\r\nbody \d$/s)
    t.ok(last.endsWith(`body ${turn}`))
  }
  t.equal(s.sessions.length, 1)
  t.same(f.statuses, { 200: 5 })
  t.match(s.asked[0]?.headers, { ':authority': 'a.example', ':path': '/', 'content-length': '6' })
  await client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until('it is answered', () => f.statuses[200] === 6)
})

onBoth(t, 'http2 upstreams: chunks and trailers, there and back', async (t, kind) => {
  const { f, s } = await way(t, kind, ({ stream }) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'x-sum': 'back' })
    })
    stream.on('data', (chunk) => stream.write(chunk))
    stream.on('end', () => stream.end())
  })
  const body = '5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: there\r\n\r\n'
  const request = (te: string): string => `POST / HTTP/1.1\r\nHost: a\r\n${te}${CHUNKED}\r\n${body}`
  t.match(await f.exchange(request('')), /0\r\n\r\n$/, 'nobody asked for them')
  const answer = await f.exchange(request('TE: trailers\r\nConnection: TE\r\n'))
  t.match(answer, /^HTTP\/1\.1 200 \r\n.*transfer-encoding: chunked\r\n/is)
  t.match(answer, /0\r\nx-sum: back\r\n\r\n$/)
  const content = answer.slice(answer.indexOf('\r\n\r\n') + 4, answer.lastIndexOf('0\r\nx-sum'))
  t.equal(content.replace(/[0-9a-f]+\r\n(.*?)\r\n/gs, '$1'), 'hello world')
  t.equal(s.asked[1]?.body, 'hello world')
  t.match(s.asked[1]?.trailers, { 'x-sum': 'there' })
})

onBoth(t, 'http2 upstreams: a client of HTTP/1.0 gets the content alone', async (t, kind) => {
  const { f, s } = await way(t, kind, ({ stream }) => {
    stream.respond({ ':status': 200 })
    stream.end('content')
  })
  const client = await f.client()
  await client.send('GET / HTTP/1.0\r\n\r\n')
  t.equal(await client.over(), '')
  const { text } = client
  t.match(text, /^HTTP\/1\.1 200 \r\n.*\r\n\r\ncontent$/s)
  t.notMatch(text, /chunked/i)
  t.equal(s.asked[0]?.headers[':authority'], `127.0.0.1:${s.port}`)
})

onBoth(t, 'http2 upstreams: large bodies both ways, over one connection', async (t, kind) => {
  const size = 3_000_000
  const { f, s } = await way(t, kind, ({ stream }) => {
    stream.respond({ ':status': 200, 'content-length': size })
    stream.on('data', (chunk) => stream.write(chunk))
    stream.on('end', () => stream.end())
  })
  const body = Array.from({ length: size / 10 }, (_, at) => String(at).padStart(10, '.')).join('')
  const answers = await Promise.all([1, 2, 3, 4].map(async () => f.exchange(post(body))))
  for (const answer of answers) t.ok(answer.endsWith(`\r\n\r\n${body}`))
  t.equal(s.sessions.length, 1)
})

onBoth(t, 'http2 upstreams: who reads slowly gets it all, and stops nobody', async (t, kind) => {
  const size = 8_000_000
  const { f, s } = await way(t, kind, (asked) => {
    if (asked.path === '/fast') asked.ok('fast')
    else asked.ok(DIGITS.repeat(size / 10))
  })
  const slow = await f.client()
  slow.socket.pause()
  await slow.send(get('/slow'))
  await until('it is asked', () => s.asked.length === 1)
  for (let turn = 0; turn < 20; turn += 1) t.match(await f.exchange(get('/fast')), /fast$/)
  slow.socket.resume()
  const text = await slow.until((all) => messages(all).length === 1)
  t.ok(text.endsWith(DIGITS.repeat(size / 10)))
})

onBoth(t, 'http2 upstreams: an answer before the request is whole', async (t, kind) => {
  const { f, s } = await way(t, kind, (asked) => {
    asked.stream.respond({ ':status': 413, 'content-length': 0 }, { endStream: true })
  })
  const client = await f.client()
  await client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nfirst')
  const text = await client.until((all) => messages(all).length === 1)
  t.match(text, /^HTTP\/1\.1 413 .*connection: close\r\n/is)
  await until('the stream is over', () => s.asked[0]?.isClosed === true)
  t.same(f.failures, {})
})

onBoth(t, 'http2 upstreams: a tunnel is a stream', async (t, kind) => {
  const { f, s } = await way(t, kind, ({ stream }) => {
    stream.respond({ ':status': 200 })
    stream.on('data', (chunk) => stream.write(chunk))
    stream.on('end', () => stream.end())
  })
  const client = await f.client()
  await client.send('CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n')
  await client.until((all) => all.endsWith('\r\n\r\n'))
  t.match(s.asked[0]?.headers, { ':method': 'CONNECT', ':authority': 'b.example:443' })
  t.equal(s.asked[0]?.headers[':path'], undefined)
  await client.send('first ', 'second')
  const text = await client.until((all) => all.endsWith('first second'))
  t.match(text, /^HTTP\/1\.1 200 /)
  t.notMatch(text, /content-length|transfer-encoding/i)
  client.socket.end()
  await client.over()
  await f.settled()
  // The connection carries on.
  await f.exchange('CONNECT c.example:443 HTTP/1.1\r\nHost: c.example:443\r\n\r\n')
  t.equal(s.sessions.length, 1)
})

onBoth(t, 'http2 upstreams: HTTP/2 on both sides', async (t, kind) => {
  const s = await server(t, ({ stream, path }) => {
    if (path === '/reset') {
      stream.respond({ ':status': 200 })
      stream.write('some')
      setImmediate(() => stream.destroy(new Error('broken')))
      return
    }
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'grpc-status': '0' })
    })
    stream.on('data', (chunk) => stream.write(chunk))
    stream.on('end', () => stream.end())
  })
  const { f, client } = await h2(t, [s.port], { kind, wire: 'http2' })
  const head = { ':path': '/echo', ':method': 'POST', te: 'trailers' }
  const asked = new Asked(client.session.request(head, { endStream: false }))
  for (let turn = 1; turn <= 5; turn += 1) {
    asked.stream.write('ping')
    await until('it is echoed', () => asked.text.length === 4 * turn)
  }
  asked.stream.end()
  await asked.over()
  t.same([asked.status, asked.text, asked.code], [200, 'ping'.repeat(5), 0])
  t.match(asked.trailers, { 'grpc-status': '0' })
  t.equal(s.asked[0]?.headers['te'], 'trailers')
  const reset = client.ask({ ':path': '/reset', ':method': 'POST' })
  await reset.over()
  t.same([reset.status, reset.code], [200, 2], 'the code is passed on')
  t.equal(s.sessions.length, 1)
  await f.settled().catch(() => undefined)
  t.equal(f.underWay['active'], 0)
})

onBoth(t, 'http2 upstreams: an endpoint that goes away loses no request', async (t, kind) => {
  const answer: H2Answer = (asked) => {
    asked.stream.on('end', () => {
      asked.ok(asked.body)
    })
    // Every fifth request is the last that its connection takes.
    if (asked.stream.id === 9) asked.session.goaway(0, 9)
  }
  const [one, other] = [await server(t, answer), await server(t, answer)]
  const f = await L7.start(t, [one.port, other.port], { kind })
  f.destination.wire = 'http2'
  const clients = await Promise.all(Array.from({ length: 10 }, async () => f.client()))
  await Promise.all(
    clients.map(async (client, at) => {
      for (let turn = 1; turn <= 10; turn += 1) {
        await client.send(post(`${at}/${turn}`))
        const text = await client.until((all) => messages(all).length === turn)
        t.ok(text.endsWith(`${at}/${turn}`))
      }
    }),
  )
  t.same(f.statuses, { 200: 100 })
  t.same(f.failures, {})
  const bodies = [...one.asked, ...other.asked].map(({ body }) => body)
  t.equal(new Set(bodies).size, 100)
})
