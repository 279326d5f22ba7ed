// What a connection speaks, found out by the whole reception: requests are balanced, everything else is left alone,
// and nobody waits for longer than it takes to look.

import t from 'tap'
import { answering } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { singly } from '../http/h1/transcript.ts'
import { backend, get, L7, onBoth, post, refusingPort } from './fixture.ts'

const HELLO = '\x16\x03\x01\x00\x05hello'

onBoth(t, 'detection: HTTP in pieces of a byte', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind, protocol: '' })
  for (let turn = 0; turn < 3; turn += 1) {
    const client = await f.client()
    const requests = [get('/a'), post('abc')]
    await client.send(...singly(Buffer.from(requests.join(''))))
    await client.until((text) => messages(text).length === 2)
    t.same(server.requests.slice(-2), requests)
  }
  t.same(f.statuses, { 200: 6 })
  t.ok(f.destination.seenHttp)
  t.equal(f.connected, 1, 'the one that was dialled beforehand is given up')
})

onBoth(t, 'detection: a server that speaks first is heard at once', async (t, kind) => {
  const server = await backend(t, () => undefined, {
    accepted: (connection) => {
      connection.write('220 ready\r\n')
    },
  })
  const f = await L7.start(t, [server], { kind, protocol: '' })
  const client = await f.client()
  await client.until((text) => text === '220 ready\r\n')
  await client.send('EHLO a\r\n')
  await (await server.connection(0)).until((text) => text === 'EHLO a\r\n')
  t.same(f.statuses, {}, 'no request')
})

onBoth(t, 'detection: the same where HTTP was spoken before', async (t, kind) => {
  let speaksFirst = false
  const server = await backend(t, answering(ok('x')), {
    accepted: (connection) => {
      if (speaksFirst) connection.write('220 ready\r\n')
    },
  })
  const f = await L7.start(t, [server], { kind, protocol: '' })
  await f.exchange(get())
  t.ok(f.destination.seenHttp)
  speaksFirst = true
  const client = await f.client()
  await until('the proxy has it', () => f.sessions.size === 2)
  f.clock.advance(50)
  await client.until((text) => text === '220 ready\r\n')
  t.notOk(f.destination.seenHttp)
})

onBoth(t, 'detection: what is not HTTP goes through untouched', async (t, kind) => {
  const openings = ['\0\x01\xff', HELLO, '*1\r\n$4\r\nPING\r\n', 'SSH-2.0-x\r\n', 'GET key\r\n']
  for (const opening of openings) {
    const server = await backend(
      t,
      (connection, text) => {
        if (text.length === opening.length) connection.write('\x02pong')
      },
      { halfOpen: true },
    )
    for (const seenHttp of [false, true]) {
      const f = await L7.start(t, [server], { kind, protocol: '' })
      f.destination.seenHttp = seenHttp
      const client = await f.client()
      const before = server.connections.length
      await client.send(...singly(Buffer.from(opening, 'latin1')))
      const connection = await server.connection(before)
      await connection.until((text) => text === opening, JSON.stringify(opening))
      await client.until((text) => text === '\x02pong')
      client.end()
      t.equal(await connection.over(), '', 'the FIN as well')
      connection.write('last')
      connection.end()
      t.equal(await client.over(), '')
      t.equal(client.text, '\x02ponglast')
      await f.settled()
      t.same([f.statuses, f.refusals], [{}, {}])
    }
  }
})

onBoth(
  t,
  'detection: a client that ends at once, or in the middle of a method',
  async (t, kind) => {
    for (const opening of ['', 'GE']) {
      for (const seenHttp of [false, true]) {
        const server = await backend(t, () => undefined)
        const f = await L7.start(t, [server], { kind, protocol: '' })
        f.destination.seenHttp = seenHttp
        const client = await f.client()
        await client.send(opening)
        client.end()
        const connection = await server.connection(0)
        t.equal(await connection.over(), '')
        t.equal(connection.text, opening)
        t.equal(await client.over(), '')
        await f.settled()
      }
    }
  },
)

onBoth(t, 'detection: half a method and then nothing', async (t, kind) => {
  const server = await backend(t, (connection) => {
    connection.write('what?')
  })
  const f = await L7.start(t, [server], { kind, protocol: '' })
  const client = await f.client()
  await client.send('GET')
  await until('it is held', () => server.connections.length === 1 && f.sessions.size === 1)
  await until('the endpoint is told', () => {
    f.clock.advance(1000)
    return server.received === 'GET'
  })
  await client.until((text) => text === 'what?')
})

onBoth(t, 'detection: no endpoint', async (t, kind) => {
  for (const seenHttp of [false, true]) {
    for (const ports of [[], [await refusingPort()]]) {
      const f = await L7.start(t, ports, { kind, protocol: '' })
      f.destination.seenHttp = seenHttp
      const answer = await f.exchangeInTime(get())
      t.match(answer, /^HTTP\/1\.1 50[23] .*\r\nProxy-Status: underpass; error=/s)
      f.destination.seenHttp = seenHttp
      const opaque = await f.client()
      await opaque.send(HELLO).catch(() => undefined)
      t.equal(await opaque.over(), 'ECONNRESET', `${ports.length} endpoints, ${seenHttp}`)
      f.destination.seenHttp = seenHttp
      const silent = await f.client()
      await until('the proxy gives it up', () => {
        f.clock.advance(50)
        return silent.closed || silent.ended
      })
      t.equal(await silent.over(), 'ECONNRESET')
    }
  }
})

onBoth(t, 'detection: at the limit a request waits, anybody else is refused', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind, protocol: '', maxConnections: 1 })
  const first = await f.client()
  await first.send(get('/1'))
  await until('the first request', () => server.requests.length === 1)
  const silent = await f.client()
  await until('the proxy has it', () => f.sessions.size === 2)
  await until('it is refused', () => {
    f.clock.advance(50)
    return silent.closed
  })
  const second = await f.client()
  await second.send(get('/2'))
  await until('it waits', () => f.destination.pending.length === 1)
  await until('the connection', () =>
    server.connections.some(({ requests }) => requests.length === 1),
  )
  const busy = server.connections.find(({ requests }) => requests.length === 1)
  busy?.write(ok('x'))
  await first.until((text) => text === ok('x'))
  await until('the second request', () => busy?.requests.length === 2)
  busy?.write(ok('y'))
  await second.until((text) => text === ok('y'))
})

onBoth(t, 'detection: the mode holds for connections that begin after it', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind, protocol: '' })
  const balanced = await f.client()
  await balanced.send(get('/1'))
  await balanced.until((text) => messages(text).length === 1)
  f.reception.mode = 'l4'
  const opaque = await f.client()
  await opaque.send(get('/2', 'Connection: x-a\r\nX-A: b\r\n'))
  await opaque.until((text) => messages(text).length === 1)
  t.match(server.received, 'X-A: b', 'at L4 nothing is taken out')
  await balanced.send(get('/3', 'Connection: x-b\r\nX-B: c\r\n'))
  await balanced.until((text) => messages(text).length === 2)
  t.notMatch(server.received, 'X-B: c', 'and what began as requests goes on so')
  f.destination.mode = 'l7'
  const again = await f.client()
  await again.send(get('/4'))
  await again.until((text) => messages(text).length === 1)
  t.same(f.statuses, { 200: 3 }, 'a policy goes before the mode')
  f.reception.mode = 'l7'
  await opaque.send('GET / HTTP/9\r\n\r\n')
  t.same(f.refusals, {}, 'what began as bytes goes on so')
})
