// One connection from its destination to its end: which endpoints are tried, for how long, and what is counted.

import t from 'tap'
import { CONNECT_TIMEOUT, Fixture } from './fixture.ts'

t.test('session: bytes flow once the endpoint is there, and the end is in order', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(1)
  const client = f.arrive(destination)
  const [endpoint] = destination.picker.endpoints
  t.same([f.sessions.size, destination.open, endpoint?.open], [1, 1, 1])
  t.equal(client.reading, false, 'nothing is read before there is somewhere to put it')
  const server = f.sockets.last.succeed()
  client.arrive('question')
  server.arrive('answer')
  client.arriveEnd()
  server.arriveEnd()
  client.finish()
  server.finish()
  t.same(client.calls, ['readStart', 'write answer', 'end', 'close'])
  t.same(server.calls, ['readStart', 'write question', 'end', 'close'])
  t.same([f.sessions.size, destination.open, endpoint?.open], [0, 0, 0])
  t.match(endpoint?.counters, { opened: 1, closed: 1, received: 8, sent: 6 })
  t.same(f.errors, {})
  t.equal(f.clock.timers, 1, 'only the sweep is left')
})

t.test('session: each endpoint is tried once, and the last failure is the reason', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(3)
  const client = f.arrive(destination)
  for (const code of ['ECONNREFUSED', 'EHOSTUNREACH', 'ECONNREFUSED']) f.sockets.last.fail(code)
  t.equal(new Set(f.sockets.dials.map(({ target }) => target)).size, 3)
  t.equal(f.sockets.dials.length, 3)
  t.equal(client.closed, 'reset')
  t.same(f.errors, { 'endpoint-refused': 1 })
  t.equal(f.events('connect-failed').length, 3)
  t.match(f.events('closed'), [{ error: 'endpoint-refused', attempts: 3 }])
  t.same([f.sessions.size, destination.open], [0, 0])
  t.ok(destination.picker.endpoints.every(({ open }) => open === 0))
})

t.test('session: the second endpoint carries what the first refused', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(2)
  f.arrive(destination)
  const [first, second] = [f.sockets.last, f.sockets.last]
  first.fail('ECONNREFUSED')
  f.sockets.last.succeed()
  t.not(f.sockets.last, second)
  t.same(f.errors, {}, 'the client saw no failure')
  const counters = [...f.counters.all()]
  t.equal(
    counters.reduce((sum, { opened }) => sum + opened, 0),
    1,
  )
  t.same(
    counters.flatMap(({ connectFailures }) => [...connectFailures]),
    [['endpoint-refused', 1]],
  )
})

t.test('session: errno names become the words of the table', async (t) => {
  const words = {
    ECONNREFUSED: 'endpoint-refused',
    ETIMEDOUT: 'endpoint-timeout',
    EHOSTUNREACH: 'endpoint-unreachable',
    ENETUNREACH: 'endpoint-unreachable',
    EADDRNOTAVAIL: 'endpoint-unreachable',
    ECONNRESET: 'connect-failed',
    EACCES: 'connect-failed',
  }
  for (const [errno, word] of Object.entries(words)) {
    const f = new Fixture(t)
    f.arrive(f.destination(1))
    f.sockets.last.fail(errno)
    t.same(f.errors, { [word]: 1 }, errno)
  }
})

t.test('session: no endpoint is a reset at once', async (t) => {
  const f = new Fixture(t)
  const client = f.arrive(f.destination(0))
  t.equal(client.closed, 'reset')
  t.same(f.errors, { 'no-endpoints': 1 })
  t.equal(f.sessions.size, 0)
})

for (const errno of ['EMFILE', 'ENFILE']) {
  t.test(`session: ${errno} is ours, so no other endpoint is tried or blamed`, async (t) => {
    const f = new Fixture(t)
    const destination = f.destination(3)
    const client = f.arrive(destination)
    f.sockets.last.fail(errno)
    t.equal(f.sockets.dials.length, 1)
    t.equal(client.closed, 'reset')
    t.same(f.errors, { 'connection-limit': 1 })
    t.match(f.events('closed'), [{ errno }])
    t.ok(destination.picker.endpoints.every(({ failures }) => failures === 0))
  })
}

t.test('session: a dial that takes too long is given up, and the next begun', async (t) => {
  const f = new Fixture(t)
  f.arrive(f.destination(2))
  const [first] = f.sockets.dials
  f.clock.advance(CONNECT_TIMEOUT - 1)
  t.equal(first?.state, 'open')
  f.clock.advance(1)
  t.equal(first?.state, 'cancelled')
  t.equal(f.sockets.open.length, 1)
  t.match(f.events('connect-failed'), [{ error: 'endpoint-timeout', errno: 'ETIMEDOUT' }])
})

t.test('session: after five connect timeouts no further endpoint is tried', async (t) => {
  const f = new Fixture(t)
  const client = f.arrive(f.destination(20))
  f.clock.advance(5 * CONNECT_TIMEOUT)
  t.equal(f.sockets.dials.length, 5)
  t.equal(client.closed, 'reset')
  t.same(f.errors, { 'endpoint-timeout': 1 })
  t.equal(f.sockets.open.length, 0)
})

t.test(
  'session: an endpoint that fails is avoided for longer each time, until it answers',
  async (t) => {
    const f = new Fixture(t)
    const destination = f.destination(1)
    const [endpoint] = destination.picker.endpoints
    const waits = Array.from({ length: 8 }, () => {
      f.arrive(destination)
      f.sockets.last.fail('ECONNREFUSED')
      return (endpoint?.avoidUntil ?? 0) - f.clock.now()
    })
    t.same(waits, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
    f.arrive(destination)
    const server = f.sockets.last.succeed()
    t.equal(
      endpoint?.failures,
      8,
      'to accept is not enough: a sidecar accepts for a dead application',
    )
    server.arrive('hello')
    f.clock.advance(1000)
    t.equal(endpoint?.failures, 0)
    t.ok((endpoint?.avoidUntil ?? 1) <= 0)
  },
)

t.test('session: a connection that breaks says at which side', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(1)
  const first = f.arrive(destination)
  const firstServer = f.sockets.last.succeed()
  firstServer.arrive('hello')
  firstServer.fail('ECONNRESET')
  t.same([first.closed, firstServer.closed], ['reset', 'reset'])
  const second = f.arrive(destination)
  const secondServer = f.sockets.last.succeed()
  second.fail('ETIMEDOUT')
  t.same([second.closed, secondServer.closed], ['reset', 'reset'])
  t.same(f.errors, { 'upstream-reset': 1, 'downstream-reset': 1 })
  t.match(f.events('closed'), [
    { level: 'warn', error: 'upstream-reset', errno: 'ECONNRESET' },
    { level: 'info', error: 'downstream-reset', errno: 'ETIMEDOUT' },
  ])
})

t.test('session: what comes after the end changes nothing', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(1)
  const [endpoint] = destination.picker.endpoints
  f.arrive(destination)
  const dial = f.sockets.last
  const drained = f.sessions.drain(0)
  f.clock.advance(0)
  await drained
  t.equal(dial.state, 'cancelled')
  // A dial that breaks its contract, to see that nobody relies on it.
  const late = dial.dialer
  late.onConnectFailed('ECONNREFUSED')
  t.same([f.sessions.size, destination.open, endpoint?.open], [0, 0, 0])
  t.same(f.errors, { 'drain-timeout': 1 })
  t.equal(f.sockets.dials.length, 1, 'nothing is dialled for a client that is gone')
})

t.test('session: a reset before a byte went either way is a failed connect', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(2)
  const client = f.arrive(destination)
  const first = f.sockets.last.succeed()
  first.fail('ECONNRESET')
  t.equal(first.closed, 'reset')
  t.equal(client.closed, '', 'the client is kept')
  const second = f.sockets.last.succeed()
  client.arrive('question')
  second.arrive('answer')
  t.same(second.calls, ['readStart', 'write question'])
  t.match(f.events('connect-failed'), [{ error: 'endpoint-reset', errno: 'ECONNRESET' }])
  t.same(f.errors, {})
  const opened = [...f.counters.all()].map(({ opened, closed }) => opened - closed)
  t.same(opened.toSorted(), [0, 1])
})

for (const what of [
  'a byte from the client',
  'a byte from the endpoint',
  'an end of the client',
  'an end of the endpoint',
]) {
  t.test(`session: a reset after ${what} is a reset for the client`, async (t) => {
    const f = new Fixture(t)
    const client = f.arrive(f.destination(2))
    const server = f.sockets.last.succeed()
    const from = what.endsWith('client') ? client : server
    if (what.startsWith('a byte')) from.arrive('x')
    else from.arriveEnd()
    server.fail('ECONNRESET')
    t.equal(client.closed, 'reset')
    t.equal(f.sockets.dials.length, 1)
    t.same(f.errors, { 'upstream-reset': 1 })
  })
}

t.test(
  'session: an endpoint that failed last gets no byte of the client for a moment',
  async (t) => {
    const f = new Fixture(t)
    const destination = f.destination(1)
    f.arrive(destination)
    f.sockets.last.fail('ECONNREFUSED')
    const client = f.arrive(destination)
    const server = f.sockets.last.succeed()
    t.notOk(client.reading)
    t.ok(server.reading)
    f.clock.advance(19)
    t.notOk(client.reading)
    f.clock.advance(1)
    t.ok(client.reading)
    client.arrive('question')
    t.same(server.calls, ['readStart', 'write question'])
  },
)

t.test(
  'session: a single endpoint that does not answer is asked again, within the limit',
  async (t) => {
    const f = new Fixture(t)
    f.arrive(f.destination(1))
    f.clock.advance(CONNECT_TIMEOUT)
    t.equal(f.sockets.dials.length, 2)
    const server = f.sockets.last.succeed()
    f.clock.advance(20)
    t.equal(server.closed, '')
    t.same(f.errors, {})
  },
)

t.test('session: what is reset long after is no failed connect, even if never used', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(2)
  const client = f.arrive(destination)
  const server = f.sockets.last.succeed()
  f.clock.advance(CONNECT_TIMEOUT)
  server.fail('ECONNRESET')
  t.equal(client.closed, 'reset')
  t.equal(f.sockets.dials.length, 1)
  t.same(f.errors, { 'upstream-reset': 1 })
  t.ok(destination.picker.endpoints.every(({ failures }) => failures === 0))
})

t.test('session: an endpoint that only listens has proved itself after probation', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(1)
  const [endpoint] = destination.picker.endpoints
  f.arrive(destination)
  f.sockets.last.fail('ECONNREFUSED')
  f.arrive(destination)
  f.sockets.last.succeed()
  t.equal(endpoint?.failures, 1)
  f.clock.advance(20)
  t.equal(endpoint?.failures, 0)
})

t.test('session: a client that is gone is not dialled for again', async (t) => {
  const f = new Fixture(t)
  const client = f.arrive(f.destination(3))
  client.isGone = () => true
  f.sockets.last.fail('ECONNREFUSED')
  t.equal(f.sockets.dials.length, 1)
  t.same(f.errors, { 'downstream-reset': 1 })
})

t.test('session: what requests ejected, connections are balanced over all the same', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(2)
  for (const endpoint of destination.picker.endpoints) {
    endpoint.rampsUntil = Number.POSITIVE_INFINITY
    endpoint.rampsFrom = 0
  }
  const [first] = destination.picker.endpoints
  if (first === undefined) throw new Error()
  first.ejectedUntil = Number.POSITIVE_INFINITY
  for (let turn = 0; turn < 4; turn += 1) f.arrive(destination)
  t.equal(first.open, 2)
})

t.test('session: after failed connects one connection at a time finds out', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(2)
  const [first, second] = destination.picker.endpoints
  if (first === undefined || second === undefined) throw new Error()
  first.connectFailed(f.clock.now())
  f.clock.advance(1000)
  for (let turn = 0; turn < 6; turn += 1) f.arrive(destination)
  t.same([first.open, second.open], [1, 5])
  f.clock.advance(CONNECT_TIMEOUT - 1)
  t.equal(first.failures, 1, 'it is still waited for')
})
