// CONNECT through the whole proxy where one or both sides are streams of HTTP/2.

import { once } from 'node:events'
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { answering } from '../../support/http-peer.ts'
import { until } from '../../support/until.ts'
import { backend, L7, onBoth } from './fixture.ts'
import { h2 } from './h2-fixture.ts'

const CONNECT = { ':method': 'CONNECT', ':authority': 'a.example:1' }
const GRANTED = 'HTTP/1.1 200 OK\r\n\r\n'
const NO_ERROR = 0
const CANCEL = 8
const CONNECT_ERROR = 10

/** A server of HTTP/2 that grants every tunnel, and what it was asked. */
async function granting(t: Test): Promise<{ port: number; streams: ServerHttp2Stream[] }> {
  const streams: ServerHttp2Stream[] = []
  const sessions = new Set<{ destroy(): void }>()
  const server: Http2Server = createServer()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    streams.push(stream)
    t.equal(headers[':method'], 'CONNECT')
    stream.respond({ ':status': 200 })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    for (const session of sessions) session.destroy()
    server.close()
    await once(server, 'close')
  })
  return { port: (server.address() as AddressInfo).port, streams }
}

onBoth(t, 'http2 tunnels: to a raw connection, bytes and ends both ways', async (t, kind) => {
  const server = await backend(t, () => undefined, { halfOpen: true })
  const { f, client } = await h2(t, [server], { kind })
  const asked = client.ask(CONNECT, null)
  asked.stream.write('early')
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('\r\n\r\n'))
  t.match(connection.text, /^CONNECT a\.example:1 HTTP\/1\.1\r\nhost: a\.example:1\r\n/i)
  connection.write(`${GRANTED}hello`)
  await connection.until((text) => text.endsWith('early'))
  await until('the answer', () => asked.text === 'hello')
  asked.stream.write('more')
  await connection.until((text) => text.endsWith('earlymore'))
  asked.stream.end()
  t.equal(await connection.over(), '', 'one direction ends alone')
  connection.write('last')
  await until('the other goes on', () => asked.text === 'hellolast')
  connection.end()
  await asked.over()
  t.same([asked.status, asked.ended, asked.code], [200, true, NO_ERROR])
  t.same([f.statuses, f.failures, f.connected], [{ 200: 1 }, {}, 0])
  t.equal(f.sessions.size, 1, 'the connection is still there')
  t.equal(f.underWay['active'], 0)
})

onBoth(t, 'http2 tunnels: much in both directions', async (t, kind) => {
  const total = 3_000_000
  const server = await backend(
    t,
    (connection, text) => {
      if (text.endsWith('\r\n\r\n')) connection.write(GRANTED)
    },
    { halfOpen: true },
  )
  const { f, client } = await h2(t, [server], { kind })
  const asked = client.ask(CONNECT, null)
  await until('it is granted', () => asked.status === 200)
  const connection = await server.connection(0)
  const before = connection.text.length
  asked.stream.end(Buffer.alloc(total, 'up'))
  connection.write(Buffer.alloc(total, 'down'))
  connection.end()
  await asked.over()
  t.equal(await connection.over(), '')
  t.ok(asked.body.equals(Buffer.alloc(total, 'down')), 'down')
  t.ok(Buffer.from(connection.text.slice(before), 'latin1').equals(Buffer.alloc(total, 'up')), 'up')
  t.same(f.failures, {})
})

onBoth(t, 'http2 tunnels: a side that resets', async (t, kind) => {
  const server = await backend(t, answering(GRANTED), { halfOpen: true })
  const { f, client } = await h2(t, [server], { kind })
  const first = client.ask(CONNECT, null)
  await until('it is granted', () => first.status === 200)
  server.connections[0]?.reset()
  await first.over()
  t.equal(first.code, CONNECT_ERROR)
  const second = client.ask(CONNECT, null)
  await until('it is granted', () => second.status === 200)
  second.stream.close(CANCEL)
  await until('it is told', () => f.failures['downstream-reset'] === 1)
  await (await server.connection(1)).over()
  const third = client.ask(CONNECT, null)
  await until('it is granted', () => third.status === 200)
  client.destroy()
  t.equal(await (await server.connection(2)).over(), 'ECONNRESET')
  await f.settled()
  t.same(f.failures, { 'upstream-reset': 1, 'downstream-reset': 2 })
})

onBoth(t, 'http2 tunnels: one that is denied is an answer like any other', async (t, kind) => {
  const server = await backend(t, answering('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno'))
  const { client } = await h2(t, [server], { kind })
  const asked = await client.ask(CONNECT, null).over()
  t.same([asked.status, asked.text, asked.code], [403, 'no', NO_ERROR])
})

onBoth(t, 'http2 tunnels: from HTTP/1.1 to a stream', async (t, kind) => {
  const { port, streams } = await granting(t)
  const f = await L7.start(t, [port], { kind })
  f.destination.wire = 'http2'
  const client = await f.client()
  await client.send('CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 'early')
  await client.until((text) => text.endsWith('\r\n\r\n'))
  t.match(client.text, /^HTTP\/1\.1 200 /)
  const before = client.text.length
  const [stream] = streams
  if (stream === undefined) throw new Error('no stream')
  let up = ''
  stream.on('data', (chunk: Buffer) => {
    up += chunk.toString()
  })
  await until('the first bytes', () => up === 'early')
  stream.write('hello')
  await client.until((text) => text.slice(before) === 'hello')
  await client.send('more')
  client.end()
  await until('the end', () => stream.readableEnded)
  t.equal(up, 'earlymore')
  stream.end('last')
  t.equal(await client.over(), '')
  t.equal(client.text.slice(before), 'hellolast')
  await f.settled()
  t.same(f.failures, {})
})

onBoth(t, 'http2 tunnels: from a stream to a stream', async (t, kind) => {
  const { port, streams } = await granting(t)
  const { f, client } = await h2(t, [port], { kind, wire: 'http2' })
  const total = 1_000_000
  const [one, other] = [client.ask(CONNECT, null), client.ask(CONNECT, null)]
  await until('both are granted', () => one.status === 200 && other.status === 200)
  for (const stream of streams) stream.pipe(stream)
  one.stream.end(Buffer.alloc(total, 'one'))
  other.stream.end(Buffer.alloc(total, 'other'))
  await one.over()
  await other.over()
  t.ok(one.body.equals(Buffer.alloc(total, 'one')))
  t.ok(other.body.equals(Buffer.alloc(total, 'other')))
  const reset = client.ask(CONNECT, null)
  await until('it is granted', () => reset.status === 200)
  streams[2]?.close(CANCEL)
  await reset.over()
  t.equal(reset.code, CONNECT_ERROR)
  t.same([f.statuses, f.failures], [{ 200: 3 }, { 'upstream-reset': 1 }])
  t.equal(f.underWay['active'], 0)
})

onBoth(
  t,
  'http2 tunnels: an idle one ends, and so does one at the end of a drain',
  async (t, kind) => {
    const server = await backend(t, answering(GRANTED))
    const { f, client } = await h2(t, [server], { kind })
    const one = client.ask(CONNECT, null)
    await until('it is granted', () => one.status === 200)
    f.clock.advance(30_000)
    const other = client.ask(CONNECT, null)
    await until('it is granted', () => other.status === 200)
    f.clock.advance(31_000)
    await one.over()
    t.equal(one.code, CONNECT_ERROR)
    f.sessions.abort()
    await other.over()
    await f.settled()
    t.same(f.failures, { 'idle-timeout': 1, 'drain-timeout': 1 })
  },
)
