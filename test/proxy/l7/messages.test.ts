// Requests and responses as applications send them, through the whole proxy: what arrives at the other side, in which
// order, and what becomes of the connection.

import t from 'tap'
import { answering } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { singly } from '../http/h1/transcript.ts'
import { backend, get, L7, onBoth, post } from './fixture.ts'

const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const CHUNKS = '3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 1\r\n\r\n'

const echo = answering((request) => ok(request.slice(request.indexOf(' ') + 1).split(' ')[0] ?? ''))

onBoth(t, 'messages: one connection carries many requests on either side', async (t, kind) => {
  const server = await backend(t, echo)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  for (let turn = 0; turn < 5; turn += 1) {
    await client.send(get(`/${turn}`))
    await client.until((text) => text.endsWith(`/${turn}`))
  }
  t.equal(server.connections.length, 1)
  t.same(
    messages(client.text),
    [0, 1, 2, 3, 4].map((turn) => ok(`/${turn}`)),
  )
  t.same(f.statuses, { 200: 5 })
})

onBoth(t, 'messages: pipelined requests are answered in order', async (t, kind) => {
  const server = await backend(t, echo)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  const paths = Array.from({ length: 200 }, (_, at) => `/${at}`)
  await client.send(paths.map((path) => get(path)).join(''))
  await client.until((text) => messages(text).length === paths.length)
  t.same(
    messages(client.text),
    paths.map((path) => ok(path)),
  )
  t.equal(server.connections.length, 1)
  await until('nothing is under way', () => f.underWay['active'] === 0)
})

t.test('messages: pipelined requests, cut at every byte', async (t) => {
  const server = await backend(t, echo)
  const f = await L7.start(t, [server])
  const text =
    get('/1') +
    post('two', '', '/2') +
    `POST /3 HTTP/1.1\r\nHost: a\r\n${CHUNKED}\r\n${CHUNKS}` +
    get('/4')
  const expected = ['/1', '/2', '/3', '/4'].map((path) => ok(path)).join('')
  for (let at = 1; at < text.length; at += 1) {
    const client = await f.client()
    await client.send(text.slice(0, at), text.slice(at))
    await client.until((all) => all.length >= expected.length, `cut at ${at}`)
    if (client.text !== expected) t.equal(client.text, expected, `cut at ${at}`)
    client.socket.destroy()
  }
  await f.settled()
  t.equal(server.requests.length, 4 * (text.length - 1))
  t.equal(new Set(server.requests).size, 4, 'the backend sees the same whatever the cut')
})

onBoth(t, 'messages: pipelined requests, byte by byte', async (t, kind) => {
  const server = await backend(t, echo)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(...singly(Buffer.from(get('/1') + post('two', '', '/2') + get('/3'))))
  await client.until((text) => messages(text).length === 3)
  t.equal(client.text, ok('/1') + ok('/2') + ok('/3'))
})

onBoth(t, 'messages: a request behind a body that is still under way waits', async (t, kind) => {
  const server = await backend(t, echo)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  const first = post('0123456789', '', '/1')
  await client.send(first.slice(0, -5))
  await (await server.connection(0)).until((text) => text.endsWith('01234'))
  await client.send(first.slice(-5) + get('/2') + get('/3'))
  await client.until((text) => messages(text).length === 3)
  t.equal(client.text, ok('/1') + ok('/2') + ok('/3'))
  t.same(server.requests, [first, get('/2'), get('/3')])
})

onBoth(t, 'messages: chunks and trailers go through as they came', async (t, kind) => {
  const response = `HTTP/1.1 200 OK\r\n${CHUNKED}Trailer: X-Sum\r\n\r\n${CHUNKS}`
  const server = await backend(t, answering(response))
  const f = await L7.start(t, [server], { kind })
  const request = `POST / HTTP/1.1\r\nHost: a\r\n${CHUNKED}\r\n${CHUNKS}`
  const client = await f.client()
  await client.send(request)
  await client.until((text) => messages(text).length === 1)
  t.equal(client.text, response)
  t.same(server.requests, [request])
  await client.send(...singly(Buffer.from(request)))
  await client.until((text) => messages(text).length === 2)
  t.same(server.requests, [request, request], 'and in pieces')
  t.equal(client.text, response + response)
})

onBoth(t, 'messages: a response in pieces of a byte', async (t, kind) => {
  const response = `HTTP/1.1 200 OK\r\n${CHUNKED}\r\n${CHUNKS}`
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get())
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('\r\n\r\n'))
  for (const byte of response) {
    connection.write(byte)
    await new Promise(setImmediate)
    await new Promise(setImmediate)
  }
  await client.until((text) => messages(text).length === 1)
  t.equal(client.text, response)
  await until('nothing is under way', () => f.underWay['active'] === 0)
})

onBoth(t, 'messages: what an event stream sends arrives at once', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get('/events'))
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('\r\n\r\n'))
  connection.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
  await client.until((text) => text.endsWith('\r\n\r\n'), 'the head alone')
  for (let event = 0; event < 20; event += 1) {
    connection.write(`data: ${event}\n\n`)
    await client.until((text) => text.endsWith(`data: ${event}\n\n`), `event ${event}`)
  }
  connection.end()
  t.equal(await client.over(), '', 'a body until the end ends in order')
  t.match(client.text, '\r\nConnection: close\r\n')
  client.end()
  await f.settled()
})

const REQUEST_HOPS =
  'Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nHTTP2-Settings: AAMA\r\nX-Hop: secret\r\nTE: trailers, deflate\r\n' +
  'Connection: keep-alive, x-hop, HTTP2-Settings\r\n'

onBoth(t, 'messages: fields of one hop stay on it, others keep case and order', async (t, kind) => {
  const answer = `HTTP/1.1 200 Fine\r\nX-b: 1\r\nConnection: X-Hop, keep-alive\r\nx-hop: 1\r\nKeep-Alive: timeout=9\r\nSET-cookie: a\r\nProxy-Connection: close\r\nset-Cookie: b\r\nUpgrade: h2c\r\nContent-Length: 2\r\nX-A:  spaced \r\n\r\nok`
  const server = await backend(t, answering(answer))
  const f = await L7.start(t, [server], { kind })
  const text = await f.exchange(
    get('/a?b=%20c', `X-Z: 1\r\n${REQUEST_HOPS}aCCept: *\r\nx-z: 2\r\n`),
  )
  t.equal(
    server.received,
    'GET /a?b=%20c HTTP/1.1\r\nHost: a.example\r\nX-Z: 1\r\naCCept: *\r\nx-z: 2\r\nTE: trailers\r\nConnection: TE\r\n\r\n',
  )
  t.equal(
    text,
    'HTTP/1.1 200 Fine\r\nX-b: 1\r\nSET-cookie: a\r\nset-Cookie: b\r\nContent-Length: 2\r\nX-A:  spaced \r\n\r\nok',
  )
})

onBoth(t, 'messages: a client that says close gets close', async (t, kind) => {
  const server = await backend(t, echo)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get('/1', 'Connection: close\r\n') + get('/never'))
  t.equal(await client.over(), '')
  t.equal(
    client.text,
    ok('/1', '').replace('Content', 'Content').replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'),
  )
  t.same(server.requests, [get('/1')], 'and the endpoint hears nothing of it')
  client.end()
  await f.settled()
  t.equal(f.connected, 1, 'whose connection is kept')
})

onBoth(t, 'messages: a server that says close, and the client goes on', async (t, kind) => {
  const server = await backend(
    t,
    answering((_, connection) => {
      connection.write(ok('bye', 'Connection: close\r\n'))
      connection.end()
      return undefined
    }),
  )
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  for (let turn = 1; turn <= 3; turn += 1) {
    await client.send(post('x'))
    await client.until((text) => messages(text).length === turn)
  }
  t.equal(client.text, ok('bye').repeat(3))
  t.equal(server.connections.length, 3)
})

onBoth(t, 'messages: a client that ends its direction gets its answer', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get())
  client.end()
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('\r\n\r\n'))
  await new Promise((resolve) => setTimeout(resolve, 20))
  connection.write(ok('late'))
  t.equal(await client.over(), '')
  t.match(client.text, /Connection: close\r\n\r\nlate$/)
  await f.settled()
})

onBoth(t, 'messages: a client that pipelines and ends gets all its answers', async (t, kind) => {
  const server = await backend(t, echo)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  client.write(get('/1') + get('/2') + get('/3'))
  client.end()
  t.equal(await client.over(), '')
  t.same(
    messages(client.text).map((text) => text.slice(-2)),
    ['/1', '/2', '/3'],
  )
  await f.settled()
})

for (const when of [
  'before its answer',
  'in the middle of its answer',
  'in the middle of its request',
] as const) {
  onBoth(t, `messages: a client that resets ${when} stops the endpoint`, async (t, kind) => {
    const server = await backend(t, () => undefined)
    const f = await L7.start(t, [server], { kind })
    const client = await f.client()
    const isHalf = when === 'in the middle of its request'
    await client.send(isHalf ? post('abc').slice(0, -1) : get())
    const connection = await server.connection(0)
    await connection.until((text) => text.includes('\r\n\r\n'))
    if (when === 'in the middle of its answer') {
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
      await client.until((text) => text.endsWith('abc'))
    }
    client.reset()
    t.equal(await connection.over(), 'ECONNRESET')
    await f.settled()
    t.equal(f.connected, 0)
    t.same(f.failures, { 'downstream-reset': 1 })
  })
}

onBoth(t, 'messages: a client that ends within its request', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(post('abc').slice(0, -1))
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('ab'))
  client.end()
  t.equal(await client.over(), 'ECONNRESET')
  t.equal(await connection.over(), 'ECONNRESET', 'never a clean end')
  await f.settled()
})
