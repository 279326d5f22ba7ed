// The end of connections that the proxy decides on: a drain, timeouts, limits.

import t from 'tap'
import { answering } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, L7, onBoth, post } from './fixture.ts'

onBoth(t, 'drain: idle ones end at once, busy ones with their answer', async (t, kind) => {
  const server = await backend(
    t,
    answering((request) => (request.includes('/slow') ? undefined : ok('x'))),
  )
  const f = await L7.start(t, [server], { kind })
  const [idle, busy, half] = await Promise.all([f.client(), f.client(), f.client()])
  await idle.send(get())
  await idle.until((text) => messages(text).length === 1)
  await half.send(get('/half').slice(0, 20))
  await busy.send(get('/slow'))
  await until('the slow request', () => server.received.includes('/slow'))
  f.reception.drain()
  const drained = f.sessions.drain(30_000)
  t.equal(await idle.over(), '')
  idle.end()
  const connection = server.connections.find(({ text }) => text.includes('/slow'))
  connection?.write(ok('slow'))
  t.equal(await busy.over(), '')
  t.match(busy.text, /\r\nConnection: close\r\n\r\nslow$/)
  busy.end()
  await half.send(get('/half').slice(20))
  t.equal(await half.over(), '')
  t.match(half.text, /\r\nConnection: close\r\n/)
  half.end()
  await drained
  t.equal(f.sessions.size, 0)
})

onBoth(t, 'drain: connections on which nobody has spoken end at once', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind, protocol: '' })
  // The endpoint is connected to beforehand, in case that its server speaks first.
  const dialled = await f.client()
  await server.connection(0)
  await until('the first is joined', () => f.connected === 1)
  const spoken = await f.client()
  await spoken.send(get())
  await spoken.until((text) => messages(text).length === 1)
  // Where HTTP was spoken that waits for a while.
  const fresh = await f.client()
  await until('the proxy has all', () => f.sessions.size === 3)
  f.reception.drain()
  const drained = f.sessions.drain(30_000)
  t.equal(await dialled.over(), 'ECONNRESET')
  t.equal(await fresh.over(), 'ECONNRESET')
  t.equal(await spoken.over(), '')
  spoken.end()
  await drained
  t.same(f.failures, {}, 'which is no failure')
  f.reception.stop()
  t.equal(f.connected, 0)
})

onBoth(t, 'drain: what outlives the grace is reset on both sides', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get())
  await until('the request', () => server.requests.length === 1)
  f.reception.drain()
  const drained = f.sessions.drain(30_000)
  f.clock.advance(30_000)
  await drained
  t.equal(await client.over(), 'ECONNRESET')
  t.equal(await (await server.connection(0)).over(), 'ECONNRESET')
  t.same(f.failures, { 'drain-timeout': 1 })
  await f.settled()
  t.equal(f.connected, 0)
})

onBoth(t, 'drain: pools are let go of', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  await f.exchange(get())
  t.equal(f.connected, 1)
  f.reception.stop()
  t.equal(f.connected, 0)
  await (await server.connection(0)).over()
})

onBoth(t, 'timeouts: the head of a request', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind, idleTimeout: 3_600_000 })
  const client = await f.client()
  await client.send(get())
  await client.until((text) => text === ok('x'))
  for (const byte of 'GET /') {
    await client.send(byte)
    f.clock.advance(11_000)
  }
  f.clock.advance(11_000)
  t.equal(await client.over(), '')
  t.match(
    client.text.slice(ok('x').length),
    /^HTTP\/1\.1 408 .*http_request_error; details="request-timeout"/s,
  )
  t.equal(server.requests.length, 1)
})

onBoth(t, 'timeouts: an idle client, and a server that says nothing', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const idle = await f.client()
  await until('the proxy has it', () => f.sessions.size === 1)
  f.clock.advance(61_000)
  t.equal(await idle.over(), '')
  idle.end()
  const client = await f.client()
  await client.send(get())
  await until('the request', () => server.requests.length === 1)
  f.clock.advance(61_000)
  await client.until((text) => text.includes('\r\n\r\n'))
  t.match(client.text, /^HTTP\/1\.1 504 .*error=connection_read_timeout/s)
  t.equal(await (await server.connection(0)).over(), 'ECONNRESET')
  client.end()
  await f.settled()
})

onBoth(t, 'timeouts: a client that does not take its last answer', async (t, kind) => {
  const body = 'x'.repeat(10_000)
  const server = await backend(t, answering(ok(body)))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  client.pause()
  // So many that what the kernel takes for it is full, and the rest waits.
  client.write(get('/a').repeat(3000))
  client.socket.on('error', () => undefined)
  let before = -1
  await until('nothing moves', async () => {
    const now = server.requests.length
    const stands = now === before && now > 0
    before = now
    await new Promise((resolve) => setTimeout(resolve, 100))
    return stands
  })
  t.ok(server.requests.length < 3000, `${server.requests.length} answered`)
  f.clock.advance(10_000)
  t.equal(f.underWay['active'], 0, 'the exchange is over although its bytes wait')
  f.clock.advance(61_000)
  await f.settled()
  t.same([f.underWay['endpoints'], f.underWay['active']], [0, 0])
})

onBoth(t, 'limits: no more connections than the proxy may have', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind, maxOpen: 2 })
  const one = await f.client()
  const two = await f.client()
  await until('the proxy has them', () => f.sessions.size === 2)
  const three = f.client().then(async (client) => client.over())
  t.match(await three.catch(String), 'ECONNRESET')
  t.match(f.events('refused'), [{ error: 'connection-limit' }])
  for (const client of [one, two]) {
    await client.send(post('a'))
    await client.until((text) => text === ok('x'))
  }
  one.end()
  await until('there is room', () => f.sessions.size === 1)
  t.equal(await f.exchange(get()), ok('x'))
})
