// The connections that requests share: used again, given up in time, replaced where that is safe, and limited.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { answering, type RawBackend, RawClient } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, L7, onBoth, post, refusingPort } from './fixture.ts'

onBoth(t, 'pool: the connection used last is used first', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const clients = await Promise.all([f.client(), f.client(), f.client()])
  for (const client of clients) await client.send(get('/first'))
  await until('three requests', () => server.requests.length === 3)
  for (const connection of server.connections) {
    connection.write(ok('x'))
    f.clock.advance(1)
    await until(
      'it is idle',
      () => f.underWay['active'] === 3 - (server.connections.indexOf(connection) + 1),
    )
  }
  for (let turn = 0; turn < 3; turn += 1) {
    await clients[0].send(get('/again'))
    await until('the last one', () => server.connections[2]?.requests.length === turn + 2)
    server.connections[2]?.write(ok('y'))
    await clients[0].until((text) => messages(text).length === turn + 2)
  }
  t.equal(server.connections.length, 3)
  t.equal(f.connected, 3)
})

onBoth(
  t,
  'pool: idle connections end after a minute, or before the server ends them',
  async (t, kind) => {
    for (const [hint, before, after] of [
      ['', 59_000, 60_000],
      ['Keep-Alive: timeout=5\r\n', 3000, 4000],
      ['Keep-Alive: timeout=1, max=100\r\n', 0, 1000],
    ] as const) {
      const server = await backend(t, answering(ok('x', hint)))
      const f = await L7.start(t, [server], { kind, idleTimeout: 0 })
      const client = await f.client()
      await client.send(get())
      await client.until((text) => messages(text).length === 1)
      f.clock.advance(before)
      t.equal(f.connected, 1, `${hint}: kept`)
      f.clock.advance(after - before)
      t.equal(f.connected, 0, `${hint}: given up`)
      await client.send(get())
      await client.until((text) => messages(text).length === 2)
      t.equal(server.connections.length, 2)
    }
  },
)

onBoth(t, 'pool: the server closes in the moment of reuse', async (t, kind) => {
  // It answers one request a connection, and is gone when the next one comes.
  const server = await backend(t, (connection) => {
    const request = connection.next()
    if (request === undefined) return
    if (connection.requests.length === 1) connection.write(ok('x'))
    else connection.reset()
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  for (let turn = 1; turn <= 5; turn += 1) {
    await client.send(get(`/${turn}`, 'X-Kept: y\r\nTE: trailers\r\nConnection: TE\r\n'))
    await client.until((text) => messages(text).length === turn)
  }
  t.same(f.statuses, { 200: 5 })
  const attempt = 'x-envoy-attempt-count: 2\r\n'
  t.equal(server.requests.filter((request) => request.includes(attempt)).length, 4)
  const plain = server.requests.map((request) => request.replace(attempt, ''))
  t.equal(new Set(plain).size, 5, 'sent again as it was, but for that')
  const line = f.destination.picker.endpoints[0]?.counters.requests
  t.equal(line?.resends, server.requests.length - 5)
  t.equal(server.requests.length, 9)
})

onBoth(t, 'pool: the same with a FIN that arrives with the request', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  for (let turn = 1; turn <= 20; turn += 1) {
    // Both are in the kernel before the proxy looks again.
    client.write(get(`/${turn}`))
    for (const connection of server.connections) connection.end()
    await client.until((text) => messages(text).length === turn)
  }
  t.same(f.statuses, { 200: 20 })
  t.same(f.failures, {})
})

onBoth(
  t,
  'pool: what is not safe gets a connection that was used a moment ago, or a new one',
  async (t, kind) => {
    const server = await backend(t, answering(ok('x')))
    const f = await L7.start(t, [server], { kind })
    const client = await f.client()
    const send = async (text: string, total: number): Promise<void> => {
      await client.send(text)
      await client.until((all) => messages(all).length === total)
    }
    await send(post('a'), 1)
    f.clock.advance(1000)
    await send(post('b'), 2)
    t.equal(server.connections.length, 1, 'a second is a moment')
    f.clock.advance(1500)
    await send(get(), 3)
    t.equal(server.connections.length, 1, 'GET trusts it for longer')
    f.clock.advance(1500)
    await send(post('c'), 4)
    t.equal(server.connections.length, 2)
  },
)

onBoth(
  t,
  'pool: what was sent, is not safe and got no answer is executed once',
  async (t, kind) => {
    for (const how of ['reset', 'end'] as const) {
      const server = await backend(t, (connection) => {
        if (connection.next() !== undefined) connection[how]()
      })
      const other = await backend(t, answering(ok('other')))
      const f = await L7.start(t, [server, other], { kind })
      t.match(await f.exchange(post('a')), /^HTTP\/1\.1 502 .*error=connection_terminated/s)
      t.equal(server.requests.length + other.requests.length, 1)
      t.match(f.failures, { 'upstream-reset': 1 })
    }
  },
)

onBoth(t, 'pool: the same for GET goes to another endpoint', async (t, kind) => {
  const server = await backend(t, (connection) => {
    if (connection.next() !== undefined) connection.reset()
  })
  const other = await backend(t, answering(ok('other')))
  const f = await L7.start(t, [server, other], { kind })
  t.equal(await f.exchangeInTime(get()), ok('other'))
  t.equal(server.requests.length, 1)
  t.same(f.failures, {})
  await until('nothing is under way', () => f.underWay['active'] === 0)
})

onBoth(t, 'pool: three times at most', async (t, kind) => {
  const reset = (): Promise<RawBackend> =>
    backend(t, (connection) => {
      if (connection.next() !== undefined) connection.reset()
    })
  const servers = [await reset(), await reset(), await reset(), await reset()]
  const f = await L7.start(t, servers, { kind })
  t.match(await f.exchangeInTime(get()), /^HTTP\/1\.1 502 /)
  t.equal(
    servers.reduce((sum, { requests }) => sum + requests.length, 0),
    3,
  )
})

onBoth(t, 'pool: an answer that has begun is never asked for again', async (t, kind) => {
  const server = await backend(t, (connection) => {
    if (connection.next() === undefined) return
    connection.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')
    connection.end()
  })
  const f = await L7.start(t, [server, server], { kind })
  const client = await f.client()
  await client.send(get())
  t.equal(await client.over(), 'ECONNRESET')
  t.equal(server.requests.length, 1)
})

onBoth(t, 'pool: an endpoint that refuses, and another for every method', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [await refusingPort(), server, await refusingPort()], { kind })
  const body = 'x'.repeat(50_000)
  const requests = [get(), post('a'), post(body), `DELETE /a HTTP/1.1\r\nHost: a.example\r\n\r\n`]
  for (const request of requests) {
    f.clock.advance(61_000)
    t.equal(await f.exchange(request), ok('x'))
  }
  t.same(server.requests, requests, 'each once and whole')
  t.same(f.failures, {})
  t.ok(f.events('connect-failed').length >= 4)
})

onBoth(t, 'pool: no endpoint at all, and none that answers', async (t, kind) => {
  const none = await L7.start(t, [], { kind })
  t.match(
    await none.exchange(get()),
    /^HTTP\/1\.1 503 .*Proxy-Status: underpass; error=destination_unavailable; details="no-endpoints/s,
  )
  const gone = await L7.start(t, [await refusingPort(), await refusingPort()], { kind })
  t.match(
    await gone.exchangeInTime(post('a')),
    /^HTTP\/1\.1 502 .*error=connection_refused; details="endpoint-refused: 127\.0\.0\.1:\d+"/s,
  )
  const client = await none.client()
  await client.send(get() + get() + get('/', 'Connection: close\r\n'))
  t.equal(await client.over(), '', 'the connection lives on until the client ends it')
  t.equal(messages(client.text).length, 3)
})

/** Listens, accepts nobody, and has room for one: whoever comes second is not answered by the kernel. */
const FULL = `import socket, sys
server = socket.socket()
server.bind(('127.0.0.1', 0))
server.listen(0)
print(server.getsockname()[1], flush=True)
sys.stdin.read()`

async function fullListener(t: Test): Promise<number> {
  const child = spawn('python3', ['-c', FULL], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.stdin.end())
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  const port = Number(line.toString())
  const first = await RawClient.connect(port)
  t.teardown(() => {
    first.reset()
  })
  return port
}

t.test('pool: an endpoint that does not answer the connect', async (t) => {
  const port = await fullListener(t)
  const f = await L7.start(t, [{ ip: '127.0.0.1', port }], {})
  const client = await f.client()
  await client.send(post('a'))
  // Once, and twice more by the usual policy.
  for (let round = 0; round < 3; round += 1) {
    await until('it is dialled', () => {
      if (round > 0) f.clock.advance(10)
      return f.underWay['endpoints'] === 1
    })
    f.clock.advance(1000)
  }
  await client.until((text) => text.includes('\r\n\r\n'))
  t.match(client.text, /^HTTP\/1\.1 504 .*error=connection_timeout; details="endpoint-timeout/s)
})

onBoth(
  t,
  'pool: requests wait for a connection in their order, and no more than may',
  async (t, kind) => {
    const server = await backend(t, () => undefined)
    const f = await L7.start(t, [server], { kind, maxConnections: 1 })
    f.destination.maxPendingRequests = 3
    const clients = []
    for (let at = 0; at < 5; at += 1) {
      const client = await f.client()
      await client.send(get(`/${at}`))
      clients.push(client)
      await until('it is taken', () => f.destination.pending.length === Math.min(at, 3))
    }
    const [, , , , fifth] = clients
    await fifth?.until((text) => text.includes('\r\n\r\n'))
    t.match(
      fifth?.text,
      /^HTTP\/1\.1 503 .*error=connection_limit_reached; details="pending-limit: shop\.default:80, 3 requests wait/s,
    )
    t.same([...f.destination.resilience.shed], [['pending-limit', 1]])
    const connection = await server.connection(0)
    for (let at = 0; at < 4; at += 1) {
      await until('the next request', () => connection.requests.length === at + 1)
      connection.write(ok(`${at}`))
      await clients[at]?.until((text) => text === ok(`${at}`))
    }
    t.equal(server.connections.length, 1)
    t.equal(f.destination.open, 1)
  },
)

onBoth(t, 'pool: who stops waiting leaves the queue', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind, maxConnections: 1 })
  const [one, two, three] = await Promise.all([f.client(), f.client(), f.client()])
  await one.send(get('/1'))
  await until('the first', () => server.requests.length === 1)
  await two.send(get('/2'))
  await until('the second waits', () => f.destination.pending.length === 1)
  await three.send(get('/3'))
  await until('the third waits', () => f.destination.pending.length === 2)
  two.reset()
  if (kind === 'raw') {
    f.clock.advance(1000)
    await until('it left', () => {
      f.clock.advance(1000)
      return f.destination.pending.length === 1
    })
  }
  const connection = await server.connection(0)
  connection.write(ok('1'))
  await one.until((text) => text === ok('1'))
  await until('the next', () => server.requests.length === 2)
  if (kind === 'raw') t.equal(server.requests[1], get('/3'))
})

onBoth(
  t,
  'pool: a connection that cannot be trusted makes room for one that can',
  async (t, kind) => {
    const server = await backend(t, answering(ok('x')))
    const f = await L7.start(t, [server], { kind, maxConnections: 1 })
    const client = await f.client()
    await client.send(get())
    await client.until((text) => messages(text).length === 1)
    f.clock.advance(5000)
    await client.send(post('a'))
    await client.until((text) => messages(text).length === 2)
    t.equal(server.connections.length, 2)
    t.equal(f.destination.open, 1, 'the limit holds')
    await (await server.connection(0)).over()
  },
)

onBoth(t, 'pool: an idle connection to one endpoint makes room for another', async (t, kind) => {
  const servers = [await backend(t, answering(ok('a'))), await backend(t, answering(ok('b')))]
  const f = await L7.start(t, servers, { kind, maxConnections: 1 })
  const client = await f.client()
  await client.send(get().repeat(6))
  await client.until((text) => messages(text).length === 6)
  t.same(
    servers.map(({ requests }) => requests.length),
    [3, 3],
  )
  t.equal(f.destination.open, 1)
})

onBoth(t, 'pool: room made for one request is not taken by the next', async (t, kind) => {
  const servers = [await backend(t, () => undefined), await backend(t, () => undefined)]
  const [a, b] = servers
  const f = await L7.start(t, servers, { kind, maxConnections: 1 })
  const clients = await Promise.all([f.client(), f.client(), f.client()])
  for (const [at, client] of clients.entries()) {
    await client.send(get(`/${at}`))
    await until('it is taken', () => f.destination.pending.length === at)
  }
  const connection = await until('the first', () => a?.connections[0] ?? b?.connections[0])
  await until('its request', () => connection.requests.length === 1)
  connection.write(ok('x'))
  await clients[0].until((text) => text === ok('x'))
  t.equal(f.destination.open, 1, 'the limit holds')
  t.equal(f.destination.pending.length, 1, 'the third goes on waiting')
})

onBoth(t, 'pool: a slot that a connection of L4 gives back goes to a request', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind, maxConnections: 1, protocol: '' })
  f.destination.protocol = 'opaque'
  const opaque = await f.client()
  await opaque.send(get())
  await opaque.until((text) => text === ok('x'))
  f.destination.protocol = 'http'
  const client = await f.client()
  await client.send(get())
  await until('it waits', () => f.destination.pending.length === 1)
  opaque.reset()
  await client.until((text) => text === ok('x'))
})
