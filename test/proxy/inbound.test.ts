// What arrives for the pod, and what only came by: an inbound connection goes to an address of this pod or nowhere.

import { networkInterfaces } from 'node:os'
import t from 'tap'
import { Inbound } from '../../src/proxy/inbound.ts'
import { Reception } from '../../src/proxy/reception.ts'
import { FakeConnection } from '../support/fake-sockets.ts'
import { logLines } from '../support/log-lines.ts'
import { Fixture } from './upstream/fixture.ts'

const RULES = { connectTimeout: 1000, idleTimeout: 1000 }
const FOREIGN = ['203.0.113.7', '2001:db8::7']
// What names the pod's own loopback from outside was routed here to reach what listens for the pod alone.
const LOOPBACK = ['127.0.0.1', '127.0.0.5', '::1']

function arrive(f: Fixture, ip: string): FakeConnection {
  const client = new FakeConnection({ ip: '10.0.0.1', port: 50_000 })
  const { sessions, counters } = f
  const parts = {
    ...{ sessions, counters, observer: undefined },
    originalDestination: () => ({ ip, port: 80 }),
    reception: new Reception(sessions, 'l4', counters, logLines().log),
  }
  const inbound = new Inbound(parts, RULES)
  inbound.transparent().onAccept(client)
  return client
}

t.test('inbound: an address of this pod is dialled', async (t) => {
  const own = Object.values(networkInterfaces())
    .flatMap((found) => found ?? [])
    .filter(({ internal }) => !internal)
  t.plan(own.length)
  for (const { address } of own) {
    const f = new Fixture(t)
    arrive(f, address)
    t.match(f.sockets.last.address, { ip: address, port: 80 })
  }
})

for (const ip of [...FOREIGN, ...LOOPBACK]) {
  t.test(`inbound: ${ip} is not dialled for whoever routed it through this pod`, async (t) => {
    const f = new Fixture(t)
    const client = arrive(f, ip)
    t.equal(client.closed, 'reset')
    t.equal(f.sockets.dials.length, 0)
    t.same(f.errors, { 'not-local': 1 })
    t.match(f.events('refused'), [{ error: 'not-local', client: '10.0.0.1:50000' }])
  })
}
