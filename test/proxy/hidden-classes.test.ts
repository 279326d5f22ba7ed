// Objects that the hot path touches have one shape for their whole life: a second one makes every access slower.
//
// Asked of V8 itself, which answers only when its own syntax is allowed.

import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'
import t, { type Test } from 'tap'
import { Alarm, TimerWheel } from '../../src/lib/timer-wheel.ts'
import { PENDING } from '../../src/proxy/net/connection.ts'
import { loadInternals } from '../../src/proxy/net/node-internals.ts'
import { RawConnection } from '../../src/proxy/net/raw-connection.ts'
import { ReadBuffers } from '../../src/proxy/net/read-buffers.ts'
import { Relay } from '../../src/proxy/net/relay.ts'
import { Ticker } from '../../src/proxy/net/ticker.ts'
import { Reception } from '../../src/proxy/reception.ts'
import { Admission } from '../../src/proxy/resilience/admission.ts'
import { Deadlines } from '../../src/proxy/resilience/deadlines.ts'
import { TraceDeadlines } from '../../src/proxy/resilience/trace-deadlines.ts'
import { ConnectionCounters } from '../../src/proxy/stack/counters.ts'
import { Endpoint } from '../../src/proxy/stack/endpoint.ts'
import type { Exchange } from '../../src/proxy/stack/exchange.ts'
import { Measurement } from '../../src/proxy/telemetry/measurement.ts'
import { Balancing } from '../../src/proxy/upstream/balancing.ts'
import { Session } from '../../src/proxy/upstream/session.ts'
import { FakeClock } from '../support/fake-clock.ts'
import { FakeConnection } from '../support/fake-sockets.ts'
import { logLines } from '../support/log-lines.ts'
import { Watched } from './resilience/watched.ts'
import { exchangeOf } from './telemetry/exchanges.ts'
import { Fixture } from './upstream/fixture.ts'

setFlagsFromString('--allow-natives-syntax')
const sameShape = runInThisContext('(one, other) => %HaveSameMap(one, other)') as (
  one: object,
  other: object,
) => boolean

/** Makes some, so that V8 has settled on a shape, and gives the last. */
function settled<T>(make: () => T): T {
  let made = make()
  for (let turn = 0; turn < 20; turn += 1) made = make()
  return made
}

t.test('hidden classes: the question itself tells shapes apart', async (t) => {
  t.ok(sameShape({ a: 1 }, { a: 2 }))
  t.notOk(sameShape({ a: 1 }, { b: 1 }))
})

t.test('hidden classes: an endpoint that fails and answers keeps its shape', async (t) => {
  const make = (): Endpoint =>
    new Endpoint({ ip: '10.1.0.1', port: 80 }, 1, new ConnectionCounters('outbound', 'a', 'b'))
  const [fresh, used] = [settled(make), settled(make)]
  used.connectFailed(1234.5678)
  t.ok(sameShape(fresh, used), 'failed')
  used.open += 1
  used.weight = 7
  used.proved()
  t.ok(sameShape(fresh, used), 'answered')
})

t.test(
  'hidden classes: a breaker and its endpoint keep their shapes through all states',
  async (t) => {
    const make = (): Watched => {
      const watched = new Watched(3, { slowerThanPeers: 5 }, () => 0.5)
      watched.clock.advance(0.25)
      watched.attempt(0, 200, 1.5)
      return watched
    }
    const [fresh, used] = [settled(make), settled(make)]
    const same = (when: string): void => {
      t.ok(sameShape(fresh.at(0), used.at(0)), `endpoint: ${when}`)
      t.ok(sameShape(fresh.breaker(0), used.breaker(0)), `breaker: ${when}`)
      t.ok(sameShape(fresh.breaker(0).requests, used.breaker(0).requests), `window: ${when}`)
      t.ok(sameShape(fresh.health, used.health), `detection: ${when}`)
    }
    t.ok(sameShape(fresh.at(1), used.at(0)), 'without and with a breaker')
    used.trip(0)
    same('open')
    used.clock.advance(1050.5)
    const probe = used.send(0)
    same('half-open')
    t.ok(sameShape(probe, fresh.send(1)), 'the probe')
    used.answer(probe, 200)
    same('closed')
    used.pass(3000)
    used.sweep()
    same('swept')
  },
)

t.test('hidden classes: a relay keeps its shape from its start to its end', async (t) => {
  const clock = new FakeClock()
  const ticker = new Ticker(clock, () => undefined)
  t.teardown(() => {
    ticker.stop()
  })
  const make = (): [Relay, FakeConnection, FakeConnection] => {
    const [client, server] = [new FakeConnection(), new FakeConnection()]
    const owner = { onRelayEnd: () => undefined, onServerFirst: () => true }
    const relay = new Relay(client, server, { received: 0, sent: 0 }, ticker, owner)
    relay.start()
    relay.release()
    return [relay, client, server]
  }
  const [[fresh], [used, client, server]] = [settled(make), settled(make)]
  server.answers.push(PENDING)
  client.arrive('x')
  clock.advance(1000.25)
  server.drain()
  t.ok(sameShape(fresh, used), 'carried')
  client.arriveEnd()
  server.arriveEnd()
  t.ok(sameShape(fresh, used), 'ending')
  used.onFinished()
  used.onFinished()
  t.ok(sameShape(fresh, used), 'ended')
})

t.test('hidden classes: a session keeps its shape through failure, relay and end', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(2)
  const seen: Session[] = []
  const connect = f.sockets.connect.bind(f.sockets)
  f.sockets.connect = (address, dialer) => {
    if (dialer instanceof Session) seen.push(dialer)
    return connect(address, dialer)
  }
  settled(() => f.arrive(destination))
  const [fresh] = seen.slice(-1)
  f.arrive(destination)
  const [used] = seen.slice(-1)
  if (fresh === undefined || used === undefined) throw new Error('nothing was dialled')
  f.clock.advance(0.5)
  f.sockets.last.fail('ECONNREFUSED')
  t.ok(sameShape(fresh, used), 'failed once')
  const server = f.sockets.last.succeed()
  t.ok(sameShape(fresh, used), 'connected')
  server.fail('ECONNRESET')
  t.ok(sameShape(fresh, used), 'ended')
})

t.test('hidden classes: a raw connection keeps its shape, open and closed', async (t) => {
  const make = rawConnections(t)
  const [fresh, used] = [settled(make), make()]
  used.receiver = new FakeReceiver()
  t.ok(sameShape(fresh, used), 'taken')
  used.close()
  t.ok(sameShape(fresh, used), 'closed')
})

interface Way {
  readonly client: FakeConnection
  readonly server: FakeConnection
  /** The client's connection, its exchange, the connection to the endpoint. */
  readonly objects: readonly [object, Exchange, object]
}

/** Clients that have each sent a GET, which has been passed on. */
function ways(t: Test): { f: Fixture; make: () => Way } {
  const f = new Fixture(t)
  const destination = f.destination(1)
  destination.protocol = 'http'
  const { log } = logLines()
  const reception = new Reception(f.sessions, 'l7', f.counters, log)
  const measurement = new Measurement(f.clock, f.counters.of('outbound', 'a', ''), undefined)
  measurement.above(new Balancing(destination, reception, measurement))
  const seen: Exchange[] = []
  destination.requests = {
    open: (exchange) => {
      seen.push(exchange)
      measurement.open(exchange)
    },
    headers: () => undefined,
    ended: () => undefined,
  }
  const make = (): Way => {
    const client = new FakeConnection({ ip: '10.0.0.1', port: 40_000 })
    reception.receive(client, destination, undefined)
    client.arrive(GET)
    const server = f.sockets.last.succeed()
    const exchange = seen.at(-1)
    if (exchange === undefined) throw new Error('no exchange was opened')
    return { client, server, objects: [client.receiver, exchange, server.receiver] }
  }
  return { f, make }
}

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000000\r\n\r\nab'

t.test('hidden classes: a request’s way keeps its shapes', async (t) => {
  const { f, make } = ways(t)
  const [fresh, used] = [settled(make), make()]
  const same = (when: string): void => {
    for (const [at, name] of ['client', 'exchange', 'endpoint'].entries()) {
      const [one, other] = [fresh.objects[at], used.objects[at]]
      t.ok(one !== undefined && other !== undefined && sameShape(one, other), `${name}: ${when}`)
    }
  }
  const { client, server } = used
  f.clock.advance(0.25)
  server.arrive('HTTP/1.1 103 Hints\r\n\r\n')
  server.arrive('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nab')
  same('answered')
  f.clock.advance(10.5)
  client.arrive(GET + GET)
  same('used again, pipelined')
  client.answers.push(PENDING)
  server.arrive(`HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n${'x'.repeat(40_000)}`)
  same('held back')
  client.drain()
  server.arrive('HTTP/1.1 204 No\r\n\r\n')
  client.arrive(POST)
  server.answers.push(PENDING)
  client.arrive('more')
  server.drain()
  server.arrive('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
  same('in the middle of both messages')
  server.fail('ECONNRESET')
  same('failed')
  t.equal(client.closed, 'reset')
})

t.test('hidden classes: a request that is sent again keeps its shapes', async (t) => {
  const { f, make } = ways(t)
  const [fresh, used] = [settled(make), make()]
  used.server.arrive('HTTP/1.1 204 No\r\n\r\n')
  used.client.arrive(GET)
  used.server.fail('ECONNRESET')
  t.ok(sameShape(fresh.objects[1], used.objects[1]), 'waiting for a new connection')
  const server = f.sockets.last.succeed()
  server.arrive('HTTP/1.1 204 No\r\n\r\n')
  t.ok(sameShape(fresh.objects[1], used.objects[1]), 'answered')
  t.ok(sameShape(fresh.objects[0], used.objects[0]), 'the client')
  t.ok(sameShape(fresh.objects[2], server.receiver), 'the endpoint')
})

t.test(
  'hidden classes: a request that is held on purpose and copied keeps its shape',
  async (t) => {
    const { make } = ways(t)
    const [[, fresh], [, used]] = [settled(make).objects, make().objects]
    used.faultAlarm ??= new Alarm(used)
    used.isMirrored = true
    used.keepForReplay()
    t.ok(sameShape(fresh, used))
  },
)

t.test('hidden classes: a connection that reads what nobody wants keeps its shape', async (t) => {
  const { make } = ways(t)
  const [fresh, used] = [settled(make), make()]
  const said =
    'underpass; error=connection_refused; details="endpoint-refused: a"; next-hop="10.1.0.1:80"'
  used.server.arrive(`HTTP/1.1 502 No\r\nProxy-Status: ${said}\r\nContent-Length: 2\r\n\r\n`)
  t.not(used.server.receiver, used.objects[2], 'somebody else reads')
  t.ok(sameShape(fresh.objects[2], used.objects[2]))
  used.server.arrive('no')
  t.equal(used.server.receiver, used.objects[2])
  t.ok(sameShape(fresh.objects[2], used.objects[2]))
})

t.test(
  'hidden classes: a request with a deadline, at work and waiting, keeps its shape',
  async (t) => {
    const clock = new FakeClock()
    const wheel = new TimerWheel<Exchange>(clock)
    const world = { clock, wheel, random: () => 0, log: logLines().log }
    const make = (): Exchange => exchangeOf({ direction: 'inbound', at: clock.now() })
    const fields = ['x-envoy-expected-rq-timeout-ms: 100', `x-b3-traceid: ${'a'.repeat(32)}`]
    const sink = { open: () => undefined, headers: () => undefined, ended: () => undefined }
    const traces = new TraceDeadlines()
    const deadlines = new Deadlines(world, sink, 'inbound', traces)
    const rules = { limit: 1, pending: 9, adaptive: 'gradient', min: 1 } as const
    const admission = new Admission(world, deadlines, make().destination, rules)
    deadlines.above(admission)
    admission.above(sink)
    const shapes = [settled(make), admission, deadlines] as const
    const others = [new Admission(world, deadlines, make().destination, rules)] as const
    clock.advance(0.25)
    const [first, second] = [0, 1].map(() => exchangeOf({ direction: 'inbound', at: 0.25, fields }))
    if (first === undefined || second === undefined) throw new Error('there are two')
    deadlines.open(first)
    deadlines.open(second)
    t.ok(sameShape(shapes[0], first), 'at work')
    t.ok(sameShape(shapes[0], second), 'waiting')
    clock.advance(20.5)
    first.now = clock.now()
    admission.headers(first)
    admission.ended(first, undefined)
    t.ok(sameShape(shapes[0], first), 'ended')
    clock.advance(200)
    t.equal(admission.active, 0, 'its time is over')
    t.ok(sameShape(shapes[0], second), 'cut')
    t.ok(sameShape(admission, others[0]), 'the stage itself')
    t.equal(traces.size, 1, 'that it was cut is known')
  },
)

class FakeReceiver {
  onData(): void {}
  onEnd(): void {}
  onDrain(): void {}
  onFinished(): void {}
  onError(): void {}
}

/** Raw connections on sockets that are not connected, closed with the test. */
function rawConnections(t: Test): () => RawConnection {
  const internals = loadInternals()
  if (typeof internals === 'string') throw new Error(internals)
  const context = { internals, buffers: new ReadBuffers(), spareWrite: internals.newWrite() }
  return () => {
    const connection = new RawConnection(internals.newSocket(), context)
    t.teardown(() => {
      connection.close()
    })
    return connection
  }
}
