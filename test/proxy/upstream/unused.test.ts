// Connections that were dialled and then not needed: a server that stops waits for those that never spoke.

import t from 'tap'
import { Reception } from '../../../src/proxy/reception.ts'
import { Measurement } from '../../../src/proxy/telemetry/measurement.ts'
import { Balancing } from '../../../src/proxy/upstream/balancing.ts'
import { FakeConnection } from '../../support/fake-sockets.ts'
import { logLines } from '../../support/log-lines.ts'
import { Fixture } from './fixture.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const ANSWER = 'HTTP/1.1 204 No\r\n\r\n'

t.test('unused: a connection that nobody needed is closed in a second, others stay', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(1)
  destination.protocol = 'http'
  const reception = new Reception(f.sessions, 'l7', f.counters, logLines().log)
  const measurement = new Measurement(f.clock, f.counters.of('outbound', 'a', ''), undefined)
  measurement.above(new Balancing(destination, reception, measurement))
  destination.requests = measurement
  const ask = (): FakeConnection => {
    const client = new FakeConnection({ ip: '10.0.0.1', port: 40_000 })
    reception.receive(client, destination, undefined)
    client.arrive(GET)
    return client
  }
  ask()
  const used = f.sockets.last.succeed()
  // The client leaves before its connection is there.
  const gone = ask()
  gone.fail('ECONNRESET')
  const unused = f.sockets.last.succeed()
  used.arrive(ANSWER)
  t.same([used.closed, unused.closed], ['', ''])
  f.clock.advance(2000)
  t.ok(unused.closed, 'nobody spoke on it')
  t.notOk(used.closed)
  f.clock.advance(60_000)
  t.ok(used.closed)
})
