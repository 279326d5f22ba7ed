// Deadlines over the whole way of a request: which one holds, what the next hop is told, and how they end.

import t from 'tap'
import type { DeadlineSource } from '../../../src/proxy/stack/resilience-counters.ts'
import { PLAIN_ROUTE, type Route } from '../../../src/proxy/stack/route.ts'
import { answering } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, L7, onBoth, post } from '../l7/fixture.ts'

const GRPC = 'Content-Type: application/grpc\r\n'
const expected = (milliseconds: number | string): string =>
  `x-envoy-expected-rq-timeout-ms: ${milliseconds}\r\n`

function routeOf(timeouts: Partial<Route['timeouts']>): Route {
  return { ...PLAIN_ROUTE, name: 'checkout', timeouts: { ...PLAIN_ROUTE.timeouts, ...timeouts } }
}

/** The fields of a request that say how long it has, or which time it is sent. */
const told = (request: string | undefined): string[] =>
  (request ?? '').split('\r\n').filter((line) => /^(x-envoy|grpc-)/i.test(line))

const silent = answering(() => undefined)

t.test('deadlines: nobody says so, and nothing is added', async (t) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server])
  t.equal(await f.exchange(get('/', 'x-envoy-attempt-count: 3\r\n')), ok('x'))
  t.same(told(server.requests[0]), [], 'whose attempt it is the next hop hears from us')
  t.equal(await f.exchange(get('/', expected('soon'))), ok('x'))
  t.same(told(server.requests[1]), ['x-envoy-expected-rq-timeout-ms: soon'], 'not ours to judge')
  t.equal(f.destination.resilience.expired.size, 0)
  f.clock.advance(60_000)
})

onBoth(t, 'deadlines: the least of all holds, and what is left travels', async (t, kind) => {
  const cases: readonly [fields: string, request: number, left: string[], by: DeadlineSource][] = [
    [expected(200), Infinity, ['expected 200'], 'x-envoy-expected-rq-timeout-ms'],
    [expected(200), 500, ['expected 200'], 'x-envoy-expected-rq-timeout-ms'],
    [expected(200), 150, ['expected 150'], 'route'],
    ['', 150, ['expected 150'], 'route'],
    [`${GRPC}grpc-timeout: 2S\r\n`, 3000, ['expected 2000', 'grpc 2000m'], 'grpc-timeout'],
    [`${GRPC}grpc-timeout: 2S\r\n`, 300, ['expected 300', 'grpc 300m'], 'route'],
    [
      `${GRPC}grpc-timeout: 90000000u\r\n${expected(200)}`,
      Infinity,
      ['expected 200', 'grpc 200m'],
      'x-envoy-expected-rq-timeout-ms',
    ],
    [`${GRPC}grpc-timeout: 1999u\r\n`, Infinity, ['expected 1', 'grpc 1m'], 'grpc-timeout'],
    ['grpc-timeout: 1m\r\n', 400, ['expected 400', 'grpc 400m'], 'route'],
  ]
  for (const [fields, request, left, by] of cases) {
    const server = await backend(t, silent)
    const f = await L7.start(t, [server], { kind })
    f.destination.route = routeOf({ request })
    const client = await f.client()
    await client.send(get('/', fields))
    await until('it was sent', () => server.requests.length === 1)
    t.same(
      told(server.requests[0]),
      left.map((line) =>
        line
          .replace('expected', 'x-envoy-expected-rq-timeout-ms:')
          .replace('grpc', 'grpc-timeout:'),
      ),
    )
    const time = Number(/\d+/.exec(left[0] ?? '')?.[0])
    f.clock.advance(time - 1)
    t.equal(client.text, '')
    f.clock.advance(12)
    await client.until((text) => messages(text).length === 1)
    const details = by === 'route' ? 'route shop.default:80/checkout' : by
    t.match(client.text, /^HTTP\/1\.1 504 /)
    t.match(client.text, `error=http_response_timeout; details="deadline-exceeded: ${details}"`)
    t.same([...f.destination.resilience.expired], [[by, 1]])
    t.same([...f.destination.resilience.shed], [], 'it had been sent')
    t.same([f.failures, f.statuses], [{ 'deadline-exceeded': 1 }, { 504: 1 }])
    await until('the endpoint is let go of', () => f.connected === 0)
    t.same([f.underWay['active'], f.underWay['endpoints']], [0, 0])
  }
})

t.test('deadlines: a connection goes on after a deadline, with one of its own each', async (t) => {
  const server = await backend(
    t,
    answering((request) => (request.includes('/slow') ? undefined : ok('fast'))),
  )
  const f = await L7.start(t, [server])
  const client = await f.client()
  await client.send(get('/slow', expected(100)))
  await until('it was sent', () => server.requests.length === 1)
  f.clock.advance(110)
  await client.until((text) => messages(text).length === 1)
  await client.send(get('/fast', expected(100)))
  await client.until((text) => messages(text).length === 2)
  f.clock.advance(1000)
  await client.send(get('/fast'))
  await client.until((text) => messages(text).length === 3)
  t.same(f.statuses, { 200: 2, 504: 1 })
  t.same(told(server.requests[2]), [], 'the next one has as long as it likes')
})

onBoth(t, 'deadlines: over already, and never sent', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(
    get('/', `${GRPC}grpc-timeout: 0m\r\n`) + post('body', `${GRPC}grpc-timeout: 0H\r\n`) + get(),
  )
  await client.until((text) => messages(text).length === 3)
  const answers = messages(client.text)
  t.match(answers[0], /^HTTP\/1\.1 504 .*details="deadline-exceeded: grpc-timeout"/s)
  t.match(answers[1], /^HTTP\/1\.1 504 /)
  t.equal(answers[2], ok('x'))
  t.equal(server.requests.length, 1)
  t.same([...f.destination.resilience.shed], [['deadline-exceeded', 2]])
  t.same([...f.destination.resilience.expired], [['grpc-timeout', 2]])
  t.equal(f.clock.timers, 1, 'no alarm was set')
})

onBoth(t, 'deadlines: the end of the response must come in time too', async (t, kind) => {
  const head = 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n'
  const server = await backend(t, answering(`${head}abc`))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get('/', expected(100)))
  await client.until((text) => text.endsWith('abc'))
  f.clock.advance(110)
  t.equal(await client.over(), 'ECONNRESET', 'nobody takes a part for the whole')
  t.equal(client.text, `${head}abc`)
  t.same(f.failures, { 'deadline-exceeded': 1 })
  await until('the endpoint is let go of', () => f.connected === 0)
  await f.settled()
})

t.test('deadlines: while the request is still being sent', async (t) => {
  const server = await backend(t, silent)
  const f = await L7.start(t, [server])
  const client = await f.client()
  await client.send(`POST / HTTP/1.1\r\nHost: a\r\n${expected(100)}Content-Length: 9\r\n\r\nabc`)
  await until('it was begun', () => server.received.endsWith('abc'))
  f.clock.advance(110)
  await client.until((text) => messages(text).length === 1)
  t.match(client.text, /^HTTP\/1\.1 504 .*Connection: close/s)
  await until('the endpoint is let go of', () => f.connected === 0)
})

t.test('deadlines: while it waits for a connection', async (t) => {
  const server = await backend(t, silent)
  const f = await L7.start(t, [server], { maxConnections: 1 })
  const [first, second] = [await f.client(), await f.client()]
  await first.send(get())
  await until('it was sent', () => server.requests.length === 1)
  await second.send(get('/', expected(100)))
  await until('it waits', () => f.underWay['pending'] === 1)
  f.clock.advance(110)
  await second.until((text) => messages(text).length === 1)
  t.match(second.text, /^HTTP\/1\.1 504 /)
  t.equal(f.underWay['pending'], 0)
  t.same([...f.destination.resilience.shed], [['deadline-exceeded', 1]])
})

t.test('deadlines: what is left is told when it is sent, and no more than a try has', async (t) => {
  const server = await backend(
    t,
    answering((request) => (request.includes('/held') ? undefined : ok('x'))),
  )
  const f = await L7.start(t, [server], { maxConnections: 1 })
  const [first, second, third] = [await f.client(), await f.client(), await f.client()]
  await first.send(get('/held'))
  await until('it was sent', () => server.requests.length === 1)
  await second.send(get('/', `${expected(1000)}${GRPC}grpc-timeout: 2S\r\n`))
  await until('it waits', () => f.underWay['pending'] === 1)
  f.clock.advance(250.75)
  ;(await server.connection(0)).write(ok('done'))
  await until('it was sent', () => server.requests.length === 2)
  t.same(told(server.requests[1]), ['x-envoy-expected-rq-timeout-ms: 749', 'grpc-timeout: 749m'])
  f.destination.route = routeOf({ request: 1000, perTry: 300 })
  await third.send(get())
  await until('it was sent', () => server.requests.length === 3)
  t.same(told(server.requests[2]), ['x-envoy-expected-rq-timeout-ms: 300'])
  f.destination.route = routeOf({ perTry: 300 })
  await third.send(get())
  await until('it was sent', () => server.requests.length === 4)
  t.same(told(server.requests[3]), [], 'a try is not a deadline')
})

t.test('deadlines: long ones, in units that they fit', async (t) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server])
  for (const [given, expectedLeft, grpcLeft] of [
    ['99999999m', '99999999', '99999999m'],
    ['100000S', '100000000', '100000S'],
    ['99999999S', '9999999999', '99999999S'],
    ['99999999M', '9999999999', '99999999M'],
    ['99999999H', '9999999999', '99999999H'],
  ] as const) {
    await f.exchange(get('/', `${GRPC}grpc-timeout: ${given}\r\n`))
    t.same(told(server.requests.at(-1)), [
      `x-envoy-expected-rq-timeout-ms: ${expectedLeft}`,
      `grpc-timeout: ${grpcLeft}`,
    ])
  }
})

onBoth(
  t,
  'deadlines: a request that is sent again says anew what is left, byte by byte',
  async (t, kind) => {
    const server = await backend(
      t,
      answering((request, { requests }) =>
        requests.length > 1 ? undefined : ok(request.slice(5, 6)),
      ),
    )
    const f = await L7.start(t, [server], { kind })
    const client = await f.client()
    await client.send(get('/1'))
    await client.until((text) => messages(text).length === 1)
    await client.send(
      `GET /2 HTTP/1.1\r\nHost: a\r\n${GRPC}X-Envoy-Expected-Rq-Timeout-Ms: 500\r\nx-envoy-attempt-count: 7\r\nX-A: b\r\nGrpc-Timeout: 1S\r\n\r\n`,
    )
    await until('it was sent', () => server.requests.length === 2)
    f.clock.advance(120.5)
    // Its connection was not new, so that it is sent once more.
    server.connections[0]?.socket.destroy()
    await client.until((text) => messages(text).length === 2)
    const head = `GET /2 HTTP/1.1\r\nHost: a\r\n${GRPC}X-A: b\r\n`
    t.same(server.requests.slice(1), [
      `${head}x-envoy-expected-rq-timeout-ms: 500\r\ngrpc-timeout: 500m\r\n\r\n`,
      `${head}x-envoy-expected-rq-timeout-ms: 379\r\ngrpc-timeout: 379m\r\nx-envoy-attempt-count: 2\r\n\r\n`,
    ])
  },
)

onBoth(t, 'deadlines: a tunnel has none', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.endsWith('\r\n\r\n')) {
      connection.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
    } else connection.write('pong')
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(
    `GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n${expected(100)}\r\n`,
  )
  await client.until((text) => text.endsWith('\r\n\r\n'))
  f.clock.advance(500)
  await client.send('ping')
  await client.until((text) => text.endsWith('pong'))
  t.same(f.failures, {})
  const connect = await f.client()
  const other = await backend(t, (connection, text) => {
    connection.write(text.endsWith('\r\n\r\n') ? 'HTTP/1.1 200 OK\r\n\r\n' : 'pong')
  })
  f.destination.picker = f.pickerOf([other])
  await connect.send(`CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n${expected(100)}\r\n`)
  await connect.until((text) => text.endsWith('\r\n\r\n'))
  f.clock.advance(500)
  await connect.send('ping')
  await connect.until((text) => text.endsWith('pong'))
  t.same(f.failures, {})
})

t.test('deadlines: a client that goes away takes its alarm along', async (t) => {
  const server = await backend(t, silent)
  const f = await L7.start(t, [server])
  const client = await f.client()
  await client.send(get('/', expected(10_000)))
  await until('it was sent', () => server.requests.length === 1)
  client.socket.resetAndDestroy()
  await f.settled()
  t.equal(f.reception.wheel.size, 0)
  f.clock.advance(20_000)
  t.same(f.failures, { 'downstream-reset': 1 })
})

t.test('deadlines: nobody waits much longer than told', async (t) => {
  const server = await backend(t, silent)
  const f = await L7.start(t, [server])
  let late = 0
  for (const time of [1, 7, 10, 15, 99.5, 2559, 2561, 5000]) {
    const client = await f.client()
    f.clock.advance(3.25)
    const before = f.clock.now()
    const count = server.requests.length
    await client.send(get('/', expected(Math.ceil(time))))
    await until('it was sent', () => server.requests.length === count + 1)
    const failed = f.failures['deadline-exceeded'] ?? 0
    while ((f.failures['deadline-exceeded'] ?? 0) === failed) f.clock.advance(0.5)
    late = Math.max(late, f.clock.now() - before - Math.ceil(time))
    t.ok(f.clock.now() - before >= Math.ceil(time), `${time}: not before`)
  }
  t.ok(late <= 20, `${late} ms late at most`)
})
