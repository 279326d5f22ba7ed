// How requests over HTTP/2 end when not all goes well, and how their connections do.

import t from 'tap'
import { ERRORS } from '../../../src/lib/errors.ts'
import { PREFACE } from '../../../src/proxy/http/h2/protocol.ts'
import {
  data,
  END_HEADERS,
  headers,
  response,
  rstStream,
  SETTINGS_ACK,
  settings,
  Type,
} from '../../support/h2-wire.ts'
import { answering } from '../../support/http-peer.ts'
import { ok } from '../../support/http-text.ts'
import { serve } from '../../support/tcp.ts'
import { until } from '../../support/until.ts'
import { Attacker } from '../attacks/attacker.ts'
import { backend, onBoth } from './fixture.ts'
import { h2, h2Client } from './h2-fixture.ts'

const NO_ERROR = 0
const INTERNAL_ERROR = 2
const CANCEL = 8
const GRPC = { ':method': 'POST', 'content-type': 'application/grpc', te: 'trailers' }

onBoth(t, 'http2 ends: a client that gives up', async (t, kind) => {
  const server = await backend(
    t,
    answering((request) => (request.includes('/slow') ? undefined : ok('x'))),
  )
  const { f, client } = await h2(t, [server], { kind })
  const asked = client.ask({ ':path': '/slow' })
  await until('the request', () => server.requests.length === 1)
  asked.stream.close(CANCEL)
  const connection = await server.connection(0)
  t.equal(await connection.over(), 'ECONNRESET', 'the endpoint hears of it')
  const next = await client.get('/next')
  t.same([next.status, next.text], [200, 'x'], 'and other streams go on')
  t.same(f.failures, { 'downstream-reset': 1 })
  t.equal(f.underWay['active'], 0)
})

onBoth(t, 'http2 ends: a client that goes away in the middle of everything', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.includes('/half')) connection.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc')
  })
  const { f, client } = await h2(t, [server], { kind })
  const half = client.ask({ ':path': '/half' })
  client.ask({ ':path': '/slow' })
  client.ask({ ':method': 'POST', 'content-length': 100 }, null)
  await until('half of it', () => half.text === 'abc')
  await until('the requests', () => server.connections.length === 3)
  client.destroy()
  await f.settled()
  for (const connection of server.connections) t.equal(await connection.over(), 'ECONNRESET')
  t.same(f.failures, { 'downstream-reset': 3 })
})

onBoth(t, 'http2 ends: errors are answered, and the connection lives on', async (t, kind) => {
  const { f, client } = await h2(t, [], { kind })
  for (let turn = 0; turn < 2; turn += 1) {
    const asked = await client.get()
    t.equal(asked.status, 503)
    t.equal(asked.text, `no-endpoints: ${ERRORS['no-endpoints'].title}\n`)
    t.equal(asked.headers['content-length'], `${asked.text.length}`)
    t.match(asked.headers['proxy-status'], 'underpass; error=destination_unavailable')
  }
  const head = await client.get('/', { ':method': 'HEAD' })
  t.same([head.status, head.text], [503, ''])
  const post = await client.ask({ ':method': 'POST', 'content-length': 5 }, null).over()
  t.same([post.status, post.code, post.ended], [503, NO_ERROR, true], 'the rest is not wanted')
  t.same(f.failures, { 'no-endpoints': 4 })
  t.equal(f.sessions.size, 1)
})

onBoth(t, 'http2 ends: errors as gRPC has them', async (t, kind) => {
  const { client, f } = await h2(t, [], { kind })
  const call = await client.ask(GRPC, 'abc').over()
  t.same([call.status, call.text, call.code], [200, '', NO_ERROR])
  t.equal(call.headers['content-type'], 'application/grpc')
  t.equal(call.headers['grpc-status'], '14')
  t.match(call.headers['grpc-message'], /^no-endpoints: /)
  t.match(call.headers['proxy-status'], 'underpass; error=destination_unavailable')
  t.same(f.failures, { 'no-endpoints': 1 })
})

onBoth(t, 'http2 ends: a response that breaks off', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.startsWith('GET')) connection.write(`HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc`)
    else if (text.endsWith('\r\n0\r\n\r\n')) {
      const head =
        'HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n'
      connection.write(`${head}3\r\nabc\r\n`)
    }
  })
  const { f, client } = await h2(t, [server], { kind })
  const plain = client.ask()
  await until('half of it', () => plain.text === 'abc')
  server.connections[0]?.reset()
  await plain.over()
  t.same([plain.status, plain.code, plain.ended], [200, INTERNAL_ERROR, false])
  const call = client.ask(GRPC, 'abc')
  await until('half of it', () => call.text === 'abc')
  server.connections[1]?.reset()
  await call.over()
  t.same([call.status, call.code, call.ended], [200, NO_ERROR, true])
  t.equal(call.trailers?.['grpc-status'], '14')
  t.same(f.failures, { 'response-incomplete': 2 })
})

onBoth(t, 'http2 ends: a stream that the endpoint breaks off', async (t, kind) => {
  let asked = 0
  let breakOff: (code: number) => unknown = () => undefined
  const ok = (id: number): Buffer => headers(id, response(200), END_HEADERS)
  const server = await serve((socket) => {
    const one = new Attacker(socket, PREFACE)
    one.send(settings(), SETTINGS_ACK)
    one.onFrame = ({ type, stream }) => {
      if (type !== Type.headers) return
      asked += 1
      if (asked > 2) one.send(ok(stream), data(stream, 'abc'), rstStream(stream, CANCEL))
      else one.send(ok(stream), data(stream, 'abc'))
      breakOff = (code) => one.send(data(stream, 'def'), rstStream(stream, code))
    }
  })
  t.teardown(server.close)
  const { f, client } = await h2(t, [server.port], { kind, wire: 'http2' })
  for (const code of [NO_ERROR, CANCEL]) {
    const call = client.ask()
    await until('half of it', () => call.text === 'abc')
    breakOff(code)
    await call.over()
    const told = code === NO_ERROR ? INTERNAL_ERROR : code
    t.same([call.status, call.text, call.code], [200, 'abcdef', told], 'broken, for all to see')
  }
  const unseen = await client.get()
  t.same([unseen.status, unseen.ended], [502, true], 'before the client saw any of it')
  t.notMatch(unseen.text, 'abc')
  t.same(f.failures, { 'response-incomplete': 3 })
})

onBoth(t, 'http2 ends: an answer before the request is whole', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.includes('\r\n\r\n'))
      connection.write('HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
  })
  const { f, client } = await h2(t, [server], { kind })
  const asked = client.ask({ ':method': 'POST', 'content-length': 1_000_000 }, null)
  asked.stream.write('abc')
  await asked.over()
  t.same([asked.status, asked.text, asked.code, asked.ended], [413, 'no', NO_ERROR, true])
  t.same(f.statuses, { 413: 1 })
  await until('nothing is under way', () => f.underWay['active'] === 0)
})

onBoth(t, 'http2 ends: the rest of a request that is answered does not come', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.includes('\r\n\r\n'))
      connection.write('HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno')
  })
  const { f, client } = await h2(t, [server], { kind })
  const asked = client.ask({ ':method': 'POST', 'content-length': 1_000_000 }, null)
  await until('the answer', () => asked.ended)
  f.clock.advance(5000)
  await asked.over()
  t.same([asked.status, asked.text, asked.code], [413, 'no', NO_ERROR])
  t.same([f.statuses, f.failures, f.underWay['active']], [{ 413: 1 }, {}, 0])
})

onBoth(t, 'http2 ends: a drain lets streams in flight finish', async (t, kind) => {
  const server = await backend(
    t,
    answering((request) => (request.includes('/slow') ? undefined : ok('x'))),
  )
  const { f, client: busy } = await h2(t, [server], { kind })
  const idle = await h2Client(t, f)
  await idle.get()
  const slow = busy.ask({ ':path': '/slow' })
  await until('the request', () => server.received.includes('/slow'))
  f.reception.drain()
  const drained = f.sessions.drain(30_000)
  await idle.over()
  t.same(idle.goaways.at(-1)?.[0], NO_ERROR)
  t.equal(idle.error, '')
  await until('it is told', () => busy.goaways.length === 2)
  t.notOk(busy.closed)
  const connection = server.connections.find(({ text }) => text.includes('/slow'))
  connection?.write(ok('slow'))
  await slow.over()
  t.same([slow.status, slow.text, slow.code], [200, 'slow', NO_ERROR])
  await busy.over()
  await drained
  t.same([f.sessions.size, f.failures], [0, {}])
})

onBoth(t, 'http2 ends: what outlives the grace is reset', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const { f, client } = await h2(t, [server], { kind })
  const slow = client.ask()
  await until('the request', () => server.requests.length === 1)
  f.reception.drain()
  const drained = f.sessions.drain(30_000)
  f.clock.advance(30_000)
  await drained
  await client.over()
  await slow.over()
  t.same(f.failures, { 'drain-timeout': 1 })
  await f.settled()
})

onBoth(t, 'http2 ends: silence on the connection, and on a stream', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const { f, client } = await h2(t, [server], { kind })
  const slow = client.ask()
  await until('the request', () => server.requests.length === 1)
  f.clock.advance(61_000)
  await slow.over()
  t.equal(slow.status, 504)
  t.match(slow.headers['proxy-status'], 'connection_read_timeout')
  t.equal(await (await server.connection(0)).over(), 'ECONNRESET')
  f.clock.advance(61_000)
  await client.over()
  t.equal(client.goaways.at(-1)?.[0], NO_ERROR)
  await f.settled()
  t.same(f.failures, { 'idle-timeout': 1 })
})
