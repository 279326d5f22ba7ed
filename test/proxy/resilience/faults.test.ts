// Faults on purpose: who gets them, when, and that a try that is held can be ended by everybody who may want to.

import t, { type Test } from 'tap'
import { PENDING } from '../../../src/proxy/net/connection.ts'
import { Reception } from '../../../src/proxy/reception.ts'
import { Faults } from '../../../src/proxy/resilience/faults.ts'
import type { Exchange } from '../../../src/proxy/stack/exchange.ts'
import { type FaultRule, PLAIN_ROUTE } from '../../../src/proxy/stack/route.ts'
import { Measurement } from '../../../src/proxy/telemetry/measurement.ts'
import { Balancing } from '../../../src/proxy/upstream/balancing.ts'
import { FakeConnection } from '../../support/fake-sockets.ts'
import { answering, type RawBackend } from '../../support/http-peer.ts'
import { ok } from '../../support/http-text.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'
import { backend, get, L7, onBoth } from '../l7/fixture.ts'
import { Fixture } from '../upstream/fixture.ts'
import { exchange, FakeWorld, Notes } from './bare-way.ts'

const NO_FAULT: FaultRule = { delay: 0, delayShare: 0, abortStatus: 0, abortShare: 0 }
const HELD: FaultRule = { ...NO_FAULT, delay: 200, delayShare: 0.25 }
const FAILED: FaultRule = { ...NO_FAULT, abortStatus: 418, abortShare: 0.5 }

interface Way {
  readonly world: FakeWorld
  readonly above: Notes
  readonly below: Notes
  readonly faults: Faults
}

function way(...lots: number[]): Way {
  const world = new FakeWorld()
  world.lots.push(...lots)
  const [above, below] = [new Notes(world), new Notes(world)]
  const faults = new Faults(world, above)
  faults.above(below)
  return { world, above, below, faults }
}

t.test('faults: a route without them is left alone', async (t) => {
  const { world, below, faults } = way()
  const request = exchange(world, {})
  faults.open(request)
  t.same(below.seen, ['0 open'])
  t.equal(world.draws, 0)
  t.equal(request.faultAlarm, undefined)
  faults.headers(request)
})

t.test('faults: a share of the tries is held, and goes on then', async (t) => {
  const { world, above, below, faults } = way(0.25, 0.9, 0.249, 0.9)
  const lucky = exchange(world, { fault: HELD })
  faults.open(lucky)
  t.same(below.seen, ['0 open'])
  const request = exchange(world, { fault: HELD })
  request.endpoint = request.destination.picker.endpoints[0]
  faults.open(request)
  t.same(below.seen, ['0 open'])
  t.equal(request.lowest, faults)
  t.equal(request.endpoint, undefined, 'no endpoint of an earlier try has it')
  t.equal(request.destination.resilience.faultDelays, 1)
  world.clock.advance(190)
  t.same(below.seen, ['0 open'])
  world.clock.advance(20)
  t.same(below.seen.slice(1), ['200 open'])
  t.equal(request.now, 200)
  t.same(above.seen, [])
})

t.test('faults: a share of the tries fails, with the status of the policy', async (t) => {
  const { world, above, below, faults } = way(0.5, 0.499)
  const request = exchange(world, { name: 'cart', fault: FAILED })
  faults.open(request)
  t.same(below.seen, ['0 open'])
  // The same request once more: each try has its own lot.
  faults.open(request)
  t.same(below.seen, ['0 open'])
  t.same(above.seen, ['0 ended fault-injected'])
  t.same([request.status, request.details], [418, 'route cart'])
  t.equal(request.destination.resilience.faultAborts, 1)
  t.equal(world.draws, 2)
})

t.test('faults: both may happen to a try, the delay first', async (t) => {
  const { world, above, below, faults } = way(0, 0)
  const request = exchange(world, { fault: { ...HELD, abortStatus: 503, abortShare: 1 } })
  faults.open(request)
  t.same(above.seen, [])
  world.clock.advance(300)
  t.same(above.seen, ['200 ended fault-injected'])
  t.same(below.seen, [])
})

t.test('faults: nobody comes through after the end', async (t) => {
  const { world, above, below, faults } = way(0)
  const request = exchange(world, { fault: HELD })
  faults.open(request)
  world.clock.advance(100)
  faults.ended(request, 'per-try-timeout')
  t.same(above.seen, ['100 ended per-try-timeout'])
  world.clock.advance(1000)
  t.same(below.seen, [])
  t.equal(world.clock.timers, 0, 'the wheel stands still')
})

t.test('faults: a client that is gone leaves no alarm behind', async (t) => {
  const { world, below, faults } = way(0)
  const request = exchange(world, { fault: HELD })
  faults.open(request)
  request.letGo(world.wheel)
  t.equal(world.wheel.size, 0)
  world.clock.advance(1000)
  t.same(below.seen, [])
})

async function faulty(
  t: Test,
  kind: 'raw' | 'streams',
  fault: Partial<FaultRule>,
): Promise<{ f: L7; server: RawBackend }> {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  f.destination.route = { ...PLAIN_ROUTE, name: 'cart', fault: { ...NO_FAULT, ...fault } }
  return { f, server }
}

onBoth(t, 'faults: a client is answered with the status and the name', async (t, kind) => {
  const { f, server } = await faulty(t, kind, { abortStatus: 599, abortShare: 1 })
  const answer = await f.exchange(get())
  t.match(answer, /^HTTP\/1\.1 599 /)
  t.match(
    answer,
    /\r\nProxy-Status: underpass; error=proxy_internal_response; details="fault-injected: route cart"\r\n/,
  )
  t.equal(server.connections.length, 0)
  t.same(f.statuses, { 599: 1 })
  t.same(f.failures, { 'fault-injected': 1 })
  t.equal(f.underWay['active'], 0)
})

onBoth(t, 'faults: a request is held and then answered', async (t, kind) => {
  const { f, server } = await faulty(t, kind, { delay: 500, delayShare: 1 })
  const client = await f.client()
  await client.send(get())
  await until('it is held', () => f.destination.resilience.faultDelays === 1)
  f.clock.advance(490)
  t.equal(server.connections.length, 0)
  f.clock.advance(20)
  await client.until((text) => text === ok('x'))
  t.same(f.statuses, { 200: 1 })
})

onBoth(t, 'faults: a client goes away while its request is held', async (t, kind) => {
  const { f, server } = await faulty(t, kind, { delay: 5000, delayShare: 1 })
  const client = await f.client()
  await client.send(get())
  await until('it is held', () => f.destination.resilience.faultDelays === 1)
  client.reset()
  await until('its reset is found', () => {
    f.clock.advance(1000)
    return f.sessions.size === 0
  })
  t.same(f.failures, { 'downstream-reset': 1 })
  f.clock.advance(10_000)
  t.equal(server.connections.length, 0)
  await f.settled()
})

/** A client's connection, its request held for a second. */
function held(
  t: Test,
  text: string,
): { f: Fixture; client: FakeConnection; exchanges: Exchange[] } {
  const f = new Fixture(t)
  const to = f.destination(1)
  to.protocol = 'http'
  to.route = { ...PLAIN_ROUTE, fault: { ...NO_FAULT, delay: 1000, delayShare: 1 } }
  const reception = new Reception(f.sessions, 'l7', f.counters, logLines().log, () => 0.5)
  const measurement = new Measurement(f.clock, f.counters.of('outbound', 'a', ''), undefined)
  const faults = new Faults(reception, measurement)
  measurement.above(faults)
  faults.above(new Balancing(to, reception, measurement))
  const exchanges: Exchange[] = []
  to.requests = {
    open: (made) => {
      exchanges.push(made)
      measurement.open(made)
    },
    headers: () => undefined,
    ended: () => undefined,
  }
  const client = new FakeConnection({ ip: '10.0.0.1', port: 40_000 })
  reception.receive(client, to, undefined)
  client.arrive(text)
  return { f, client, exchanges }
}

t.test('faults: of a request that is held no more is read than has come', async (t) => {
  const { f, client } = held(t, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc')
  t.notOk(client.reading)
  t.notOk(client.arrive('defg'), 'it waits in the kernel')
  f.clock.advance(1100)
  const server = f.sockets.last.succeed()
  t.ok(client.reading)
  client.arrive('defghij')
  const sent = server.calls.filter((call) => call.startsWith('write')).join('')
  t.match(sent, /abc.*defghij$/s)
})

t.test('faults: the same of requests that come too early', async (t) => {
  const { client, exchanges } = held(t, get() + get('/second'))
  t.notOk(client.reading)
  t.equal(exchanges.length, 1)
})

t.test('faults: an abort from within a delay leaves the connection in order', async (t) => {
  const { f, client, exchanges } = held(t, get())
  client.answers.push(PENDING)
  exchanges[0]?.lowest?.ended(exchanges[0], 'deadline-exceeded')
  f.clock.advance(5000)
  t.equal(f.sockets.dials.length, 0)
  t.match(client.calls.join('\n'), /504 Gateway Timeout/)
})
