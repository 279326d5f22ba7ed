// Admission over the whole inbound way, on real connections.

import t from 'tap'
import type { ConcurrencyRules } from '../../../src/proxy/resilience/admission.ts'
import { answering, type BackendConnection } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, post } from '../l7/fixture.ts'
import { Pod } from './pod.ts'

const limited = (limit: number, pending = 1024): ConcurrencyRules => ({
  ...{ limit, pending, adaptive: 'off', min: 1 },
})

const expected = (milliseconds: number): string =>
  `x-envoy-expected-rq-timeout-ms: ${milliseconds}\r\n`

const FAST = 'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'

/** An application that answers when the test says so. */
class Application {
  readonly waiting: { readonly request: string; readonly connection: BackendConnection }[] = []
  readonly script = answering((request, connection) => {
    this.waiting.push({ request, connection })
    return undefined
  })

  answer(text = ok('x')): void {
    this.waiting.shift()?.connection.write(text)
  }
}

t.test('admission: over the whole way', async (t) => {
  const application = new Application()
  const server = await backend(t, application.script)
  const f = await Pod.start(t, server, { concurrency: limited(1, 2) })
  const clients = [await f.client(), await f.client(), await f.client(), await f.client()]
  const [first, second, third, fourth] = clients
  await first?.send(get('/first'))
  await f.loaded(1, 0)
  await second?.send(post('body', '', '/second'))
  await f.loaded(1, 1)
  await third?.send(get('/third', expected(5000)))
  await f.loaded(1, 2)
  await fourth?.send(get('/fourth'))
  await fourth?.until((text) => messages(text).length === 1)
  t.match(fourth?.text, /^HTTP\/1\.1 503 .*error=connection_limit_reached; details="overloaded: /s)
  t.match(fourth?.text, `next-hop="127.0.0.1:${server.port}"`)
  await until('the first is there', () => application.waiting.length === 1)
  t.equal(server.requests.length, 1, 'the others did not reach the application')
  for (const [client, name] of [
    [first, '/first'],
    [third, '/third'],
    [second, '/second'],
  ] as const) {
    await until('it is there', () => application.waiting[0]?.request.includes(name))
    application.answer()
    await client?.until((text) => messages(text).length === 1)
    t.equal(client?.text, ok('x'))
  }
  t.ok(server.requests[2]?.endsWith('body'))
  await f.loaded(0, 0)
  t.same(f.shed, { overloaded: 1 })
})

t.test('admission: pipelined requests of one client take turns with others', async (t) => {
  const application = new Application()
  const server = await backend(t, application.script)
  const f = await Pod.start(t, server, { concurrency: limited(1) })
  const [one, other] = [await f.client(), await f.client()]
  await one.send(get('/a') + get('/b'))
  await f.loaded(1, 0)
  await other.send(get('/c'))
  await f.loaded(1, 1)
  for (const name of ['/a', '/c', '/b']) {
    await until(`${name} is there`, () => application.waiting[0]?.request.includes(name))
    application.answer()
  }
  await one.until((text) => messages(text).length === 2)
  await f.loaded(0, 0)
})

t.test('admission: a deadline that ends while it waits', async (t) => {
  const application = new Application()
  const server = await backend(t, application.script)
  const f = await Pod.start(t, server, { concurrency: limited(1) })
  const [one, other] = [await f.client(), await f.client()]
  await one.send(get())
  await f.loaded(1, 0)
  await other.send(get('/', expected(200)))
  await f.loaded(1, 1)
  f.clock.advance(210)
  await other.until((text) => messages(text).length === 1)
  t.match(other.text, /^HTTP\/1\.1 504 .*deadline-exceeded/s)
  t.same(f.load, { active: 1, waiting: 0 })
  t.same(f.shed, { 'deadline-exceeded': 1 })
  t.equal(server.requests.length, 1)
  application.answer()
  await one.until((text) => messages(text).length === 1)
  await f.loaded(0, 0)
})

t.test('admission: while it waits its client is not read, and may go away', async (t) => {
  const application = new Application()
  const server = await backend(t, application.script)
  const f = await Pod.start(t, server, { concurrency: limited(1) })
  const [one, other, gone] = [await f.client(), await f.client(), await f.client()]
  await one.send(get())
  await f.loaded(1, 0)
  const size = 64 * 1024 * 1024
  await other.send(`POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
  await f.loaded(1, 1)
  const chunk = Buffer.alloc(1024 * 1024)
  let taken = 0
  for (let sent = 0; sent < size; sent += chunk.length) {
    other.socket.write(chunk, () => (taken += chunk.length))
  }
  await gone.send(get('/gone'))
  await f.loaded(1, 2)
  t.ok(taken < size / 2, `${taken} bytes were taken`)
  gone.socket.resetAndDestroy()
  // Noticed at the next look at idle connections.
  await until('it has left', () => {
    f.clock.advance(1000)
    return f.load.waiting === 1
  })
  t.equal(server.requests.length, 1)
  application.answer()
  await until('the other one is sent', () => server.received.includes('/large'))
  t.same(f.load, { active: 1, waiting: 0 })
})

t.test('admission: an application that is gone gives the places back', async (t) => {
  const server = await backend(t, (connection) => {
    connection.socket.resetAndDestroy()
  })
  const f = await Pod.start(t, server, { concurrency: limited(2) })
  const clients = await Promise.all(Array.from({ length: 8 }, async () => f.client()))
  for (const client of clients) await client.send(post('a'))
  for (const client of clients) await client.until((text) => messages(text).length === 1)
  await f.loaded(0, 0)
})

t.test('admission: a tunnel is no work', async (t) => {
  const server = await backend(
    t,
    answering((request) => (request.includes('Upgrade: echo') ? FAST : ok('x'))),
  )
  const f = await Pod.start(t, server, { concurrency: limited(1) })
  const [socket, client] = [await f.client(), await f.client()]
  await socket.send(get('/', 'Connection: Upgrade\r\nUpgrade: echo\r\n'))
  await socket.until((text) => text.endsWith('\r\n\r\n'))
  t.same(f.load, { active: 0, waiting: 0 })
  await client.send(get())
  await client.until((text) => messages(text).length === 1)
  socket.socket.resetAndDestroy()
  await f.loaded(0, 0)
  await client.send(get())
  await client.until((text) => messages(text).length === 2)
  t.same(f.load, { active: 0, waiting: 0 }, 'its end gave nothing back twice')
})
