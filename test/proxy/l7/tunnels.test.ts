// CONNECT and Upgrade through the whole proxy: what becomes a tunnel, when, and what does not.

import t from 'tap'
import { answering } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, L7, onBoth } from './fixture.ts'

const CONNECT = 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'
const GRANTED = 'HTTP/1.1 200 OK\r\n\r\n'
const UPGRADE = 'Upgrade: websocket\r\nConnection: Upgrade\r\n'
const SWITCHED = 'HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n'

onBoth(t, 'tunnels: CONNECT, and bytes both ways to both ends', async (t, kind) => {
  const server = await backend(t, () => undefined, { halfOpen: true })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(CONNECT, 'early')
  const connection = await server.connection(0)
  await connection.until((text) => text.length >= CONNECT.length)
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(connection.text, CONNECT, 'nothing goes before it is granted')
  connection.write(`${GRANTED}hello`)
  await connection.until((text) => text === `${CONNECT}early`)
  await client.until((text) => text === `${GRANTED}hello`)
  await client.send('\0\xff')
  await connection.until((text) => text.endsWith('\0\xff'))
  client.end()
  t.equal(await connection.over(), '', 'one direction ends alone')
  connection.write('last')
  await client.until((text) => text.endsWith('hellolast'))
  connection.end()
  t.equal(await client.over(), '')
  await f.settled()
  t.equal(f.connected, 0)
  t.same([f.statuses, f.failures], [{ 200: 1 }, {}])
})

onBoth(t, 'tunnels: CONNECT in one segment with what follows it', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text === CONNECT) connection.write(GRANTED)
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(`${CONNECT}early`)
  const connection = await server.connection(0)
  await connection.until((text) => text === `${CONNECT}early`)
  client.reset()
  t.equal(await connection.over(), 'ECONNRESET')
  await f.settled()
  t.same(f.failures, { 'downstream-reset': 1 })
})

onBoth(t, 'tunnels: CONNECT that is denied ends the connection', async (t, kind) => {
  const server = await backend(t, answering('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno'))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(CONNECT + get('/smuggled'))
  t.equal(await client.over(), '')
  t.equal(client.text, 'HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
  t.same(server.requests, [CONNECT], 'what was meant for the tunnel is no request')
  client.end()
  await f.settled()
})

onBoth(t, 'tunnels: CONNECT without an endpoint', async (t, kind) => {
  const f = await L7.start(t, [], { kind })
  const client = await f.client()
  await client.send(CONNECT + get('/smuggled'))
  t.equal(await client.over(), '')
  t.match(client.text, /^HTTP\/1\.1 503 .*\r\nConnection: close\r\n/s)
  t.equal(client.text.split('HTTP/').length, 2)
})

onBoth(t, 'tunnels: a WebSocket', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.endsWith('\r\n\r\n')) connection.write(`${SWITCHED}\x81\x02hi`)
    else connection.write('\x81\x03you')
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get('/chat', `Sec-WebSocket-Key: a\r\n${UPGRADE}Sec-WebSocket-Version: 13\r\n`))
  await client.until((text) => text === `${SWITCHED}\x81\x02hi`)
  t.equal(
    server.received,
    'GET /chat HTTP/1.1\r\nHost: a.example\r\nSec-WebSocket-Key: a\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nConnection: upgrade\r\n\r\n',
  )
  await client.send('\x81\x83me!')
  await client.until((text) => text.endsWith('you'))
  t.equal(f.underWay['active'], 1, 'a tunnel is under way as long as it lasts')
  const connection = await server.connection(0)
  connection.reset()
  t.equal(await client.over(), 'ECONNRESET')
  await f.settled()
  t.same(f.statuses, { 101: 1 })
})

onBoth(t, 'tunnels: an upgrade that is refused, and requests after it', async (t, kind) => {
  const server = await backend(t, answering(ok('plain')))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  for (let turn = 1; turn <= 3; turn += 1) {
    await client.send(get('/chat', UPGRADE) + get('/next'))
    await client.until((text) => messages(text).length === 2 * turn)
  }
  t.equal(client.text, ok('plain').repeat(6))
  t.equal(server.connections.length, 1)
})

onBoth(t, 'tunnels: h2c is not offered', async (t, kind) => {
  const server = await backend(t, answering(ok('plain')))
  const f = await L7.start(t, [server], { kind })
  await f.exchange(
    get('/', 'Upgrade: h2c\r\nHTTP2-Settings: AAMA\r\nConnection: Upgrade, HTTP2-Settings\r\n'),
  )
  await f.exchange(get('/', 'Upgrade: websocket, H2C\r\nConnection: Upgrade\r\n'))
  t.equal(server.received, get().repeat(2))
})

onBoth(t, 'tunnels: an idle one ends, and so does one at the end of a drain', async (t, kind) => {
  const server = await backend(t, answering(GRANTED))
  const f = await L7.start(t, [server], { kind })
  const one = await f.client()
  await one.send(CONNECT)
  await one.until((text) => text === GRANTED)
  f.clock.advance(30_000)
  const other = await f.client()
  await other.send(CONNECT)
  await other.until((text) => text === GRANTED)
  f.clock.advance(31_000)
  t.equal(await one.over(), 'ECONNRESET')
  await until('one is left', () => f.sessions.size === 1)
  f.sessions.abort()
  t.equal(await other.over(), 'ECONNRESET')
  await f.settled()
  t.same(f.failures, { 'idle-timeout': 1, 'drain-timeout': 1 })
})
