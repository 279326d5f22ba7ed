// Bytes that wait for a slow peer lie in the other connection's read buffer: it must live until they are gone.

import t, { type Test } from 'tap'
import { DEFAULT_OUTLIER } from '../../../src/api/resources.ts'
import { seededRandom } from '../../../src/lib/random.ts'
import { PENDING } from '../../../src/proxy/net/connection.ts'
import { Reception } from '../../../src/proxy/reception.ts'
import { OutlierDetection } from '../../../src/proxy/resilience/outlier-detection.ts'
import type { Destination } from '../../../src/proxy/stack/destination.ts'
import { Measurement } from '../../../src/proxy/telemetry/measurement.ts'
import { Balancing } from '../../../src/proxy/upstream/balancing.ts'
import { FakeConnection } from '../../support/fake-sockets.ts'
import { logLines } from '../../support/log-lines.ts'
import { Fixture } from '../upstream/fixture.ts'

interface Ends {
  readonly f: Fixture
  readonly destination: Destination
  readonly client: FakeConnection
  readonly server: FakeConnection
}

function joined(t: Test, request: string): Ends {
  const f = new Fixture(t)
  const destination = f.destination(1)
  destination.protocol = 'http'
  const reception = new Reception(f.sessions, 'l7', f.counters, logLines().log)
  const measurement = new Measurement(f.clock, f.counters.of('outbound', 'a', ''), undefined)
  measurement.above(new Balancing(destination, reception, measurement))
  destination.requests = measurement
  const client = new FakeConnection({ ip: '10.0.0.1', port: 40_000 })
  reception.receive(client, destination, undefined)
  client.arrive(request)
  return { f, destination, client, server: f.sockets.last.succeed() }
}

const body = 'x'.repeat(40_000)
const LARGE = `HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`
const HALF = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na'

t.test('held bytes: an early answer that a slow client has not taken', async (t) => {
  const { f, client, server } = joined(t, HALF)
  client.answers.push(PENDING)
  server.arrive(LARGE)
  f.clock.advance(10_000)
  t.equal(server.closed, '', 'its buffer is still being written from')
  t.equal(server.reading, false, 'and not read into')
  client.drain()
  t.equal(server.closed, '', 'the client may go on with its request')
  f.clock.advance(4000)
  t.equal(server.closed, 'reset', 'or not')
  t.equal(client.ended, true)
})

t.test(
  'held bytes: a client that resets with its answer pending ends its exchange once',
  async (t) => {
    const { f, client, server } = joined(t, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    client.answers.push(PENDING)
    server.arrive('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    const [line] = [...f.counters.all()].filter(({ endpoint }) => endpoint !== '')
    t.same([line?.requests?.active, line?.requests?.total], [0, 1])
    f.clock.advance(5000)
    client.fail('ECONNRESET')
    t.same([line?.requests?.active, line?.requests?.total], [0, 1])
    t.equal(f.sessions.size, 0)
  },
)

t.test('held bytes: whoever was too slow for a response that broke off is told', async (t) => {
  for (const isSlow of [true, false]) {
    const ends: unknown[] = []
    const { client, server, destination } = joined(t, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const { clock } = new Fixture(t)
    const health = new OutlierDetection(destination, DEFAULT_OUTLIER, {
      ...{ clock, random: seededRandom(1), log: logLines().log },
    })
    health.failed = ({ wasHeldBack }, _, error) => ends.push([error, wasHeldBack])
    destination.health = health
    if (isSlow) client.answers.push(PENDING)
    server.arrive('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok')
    if (isSlow) client.drain()
    server.fail('ECONNRESET')
    t.same(ends, [['response-incomplete', isSlow]])
  }
})

t.test('held bytes: a tunnel waits for the head that grants it', async (t) => {
  const { client, server } = joined(t, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n')
  client.answers.push(PENDING)
  server.arrive('HTTP/1.1 200 OK\r\n\r\nhello')
  t.equal(client.reading, false, 'what the client sends meanwhile stays where it is')
  client.drain()
  t.match(client.calls.at(-1), 'write hello')
  t.ok(client.reading)
  client.arrive('back')
  t.equal(server.calls.at(-1), 'write back')
})
