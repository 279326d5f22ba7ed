// All connections together: limits, loops, idle ones, the drain, and books that balance whatever happens.

import t from 'tap'
import { MeshError } from '../../../src/lib/errors.ts'
import { seededRandom } from '../../../src/lib/random.ts'
import { FakeConnection } from '../../support/fake-sockets.ts'
import { Fixture, IDLE_TIMEOUT } from './fixture.ts'

t.test('sessions: the limit of the process refuses what is above it', async (t) => {
  const f = new Fixture(t, { maxConnections: 2 })
  const destination = f.destination(1)
  const clients = [f.arrive(destination), f.arrive(destination), f.arrive(destination)]
  t.same(
    clients.map(({ closed }) => closed),
    ['', '', 'reset'],
  )
  t.same(f.errors, { 'connection-limit': 1 })
  t.match(f.events('refused'), [{ limit: 2, scope: 'proxy', error: 'connection-limit' }])
  t.same([f.sessions.size, destination.open], [2, 2])
  f.sockets.dials[0]?.fail('ECONNREFUSED')
  t.equal(f.arrive(destination).closed, '', 'there is room again')
})

t.test('sessions: the limit of a destination holds for it alone', async (t) => {
  const f = new Fixture(t)
  const limited = f.destination(1, 1)
  t.equal(f.arrive(limited).closed, '')
  t.equal(f.arrive(limited).closed, 'reset')
  t.equal(f.arrive(f.destination(1)).closed, '')
  t.match(f.events('refused'), [{ limit: 1, scope: 'shop.default:80' }])
  t.equal(limited.open, 1)
})

t.test('sessions: nothing is carried to a port of our own', async (t) => {
  const f = new Fixture(t)
  const own: [bound: string, ip: string, isOwn: boolean][] = [
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1', '10.9.9.9', false],
    ['0.0.0.0', '127.8.8.8', true],
    ['::', '127.0.0.1', true],
    ['::', '::1', true],
    ['0.0.0.0', '203.0.113.9', false],
  ]
  for (const [at, [bound, ip, isOwn]] of own.entries()) {
    f.sessions.own({ ip: bound, port: 15_000 + at })
    t.equal(f.sessions.isOwnPort({ ip, port: 15_000 + at }), isOwn, `${ip} where ${bound} is ours`)
  }
  f.sessions.own({ ip: '10.1.0.1', port: 80 })
  const client = f.arrive(f.destination(1))
  t.equal(client.closed, 'reset')
  t.equal(f.sockets.dials.length, 0)
  t.same(f.errors, { 'proxy-loop': 1 })
})

t.test('sessions: one port at several addresses is ours at each of them', async (t) => {
  const f = new Fixture(t)
  f.sessions.own({ ip: '127.0.0.1', port: 15_001 })
  f.sessions.own({ ip: '10.2.0.1', port: 15_001 })
  t.ok(f.sessions.isOwnPort({ ip: '127.0.0.1', port: 15_001 }))
  t.ok(f.sessions.isOwnPort({ ip: '10.2.0.1', port: 15_001 }))
  t.notOk(f.sessions.isOwnPort({ ip: '10.2.0.2', port: 15_001 }))
})

t.test(
  'sessions: a connection that comes through this process a fifth time is a loop',
  async (t) => {
    const f = new Fixture(t)
    const destination = f.destination(1)
    let client = f.arrive(destination)
    for (let pass = 2; pass <= 4; pass += 1) {
      client = f.arrive(destination, f.sockets.last.local?.port)
      t.equal(client.closed, '', `pass ${pass}`)
    }
    client = f.arrive(destination, f.sockets.last.local?.port)
    t.equal(client.closed, 'reset')
    t.same(f.errors, { 'proxy-loop': 1 })
    t.match(f.events('refused'), [{ times: 5 }])
  },
)

t.test('sessions: the address of a connection that is over is no sign of a loop', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(1)
  f.arrive(destination)
  const port = f.sockets.last.local?.port
  f.sockets.last.fail('ECONNREFUSED')
  for (let pass = 0; pass < 6; pass += 1) f.arrive(destination, port)
  t.notOk(f.errors['proxy-loop'])
})

t.test('sessions: a connection without a byte for the idle timeout is reset', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(1)
  const client = f.arrive(destination)
  const server = f.sockets.last.succeed()
  f.clock.advance(IDLE_TIMEOUT - 1000)
  server.arrive('still here')
  f.clock.advance(IDLE_TIMEOUT - 1000)
  t.equal(client.closed, '')
  f.clock.advance(2000)
  t.same([client.closed, server.closed], ['reset', 'reset'])
  t.same(f.errors, { 'idle-timeout': 1 })
  t.match([...f.counters.all()], [{ opened: 1, closed: 1 }])
})

t.test('sessions: with an idle timeout of zero a silent connection stays', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(1)
  destination.idleTimeout = 0
  const client = f.arrive(destination)
  f.sockets.last.succeed()
  f.clock.advance(10 * IDLE_TIMEOUT)
  t.equal(client.closed, '')
})

t.test('sessions: a connection at rest is told so, also when a tick came late', async (t) => {
  const f = new Fixture(t)
  const client = f.arrive(f.destination(1))
  const server = f.sockets.last.succeed()
  f.clock.advance(1000)
  t.same([client.rests, server.rests], [0, 0])
  // The loop was held up: the ticker missed the moment two seconds after the last byte.
  f.clock.stall(2500)
  t.ok(client.rests > 0, 'downstream')
  t.ok(server.rests > 0, 'upstream')
})

t.test('sessions: a drain waits for the last connection', async (t) => {
  const f = new Fixture(t)
  f.arrive(f.destination(1))
  const server = f.sockets.last.succeed()
  let drained = false
  const draining = f.sessions.drain(5000).then(() => {
    drained = true
  })
  f.clock.advance(4999)
  await Promise.resolve()
  t.notOk(drained)
  server.arrive('bye')
  server.fail('ECONNRESET')
  await draining
  t.equal(f.clock.timers, 1, 'the grace is not waited for any more')
  t.same(f.errors, { 'upstream-reset': 1 })
})

t.test('sessions: a drain resets what outlives the grace, dials included', async (t) => {
  const f = new Fixture(t)
  const destination = f.destination(1)
  const clients = [f.arrive(destination), f.arrive(destination)]
  const server = f.sockets.dials[0]?.succeed()
  destination.connectTimeout = 60_000
  clients.push(f.arrive(destination))
  const draining = f.sessions.drain(500)
  f.clock.advance(500)
  await draining
  t.same(
    clients.map(({ closed }) => closed),
    ['reset', 'reset', 'reset'],
  )
  t.equal(server?.closed, 'reset')
  t.same(f.errors, { 'drain-timeout': 3 })
  t.equal(f.sockets.open.length, 0)
  t.equal(f.clock.timers, 1)
})

t.test('sessions: a drain of nothing is over at once', async (t) => {
  const f = new Fixture(t)
  await f.sessions.drain(60_000)
  t.equal(f.clock.timers, 1)
})

t.test('sessions: a refusal and a failed accept are counted and said', async (t) => {
  const f = new Fixture(t)
  f.sessions.refuse(
    new FakeConnection(),
    'inbound',
    new MeshError('egress-denied', { target: 'x' }),
  )
  f.sessions.acceptFailed('outbound', 'EMFILE')
  t.same(f.errors, { 'egress-denied': 1, 'connection-limit': 1 })
  t.match(f.events('refused'), [{ client: 'gone', target: 'x', direction: 'inbound' }])
  t.match(f.events('accept-failed'), [{ errno: 'EMFILE', direction: 'outbound' }])
})

for (let seed = 1; seed <= 40; seed += 1) {
  t.test(`sessions: the books balance in whatever order things happen, seed ${seed}`, async (t) => {
    const f = new Fixture(t, { maxConnections: 12 })
    const random = seededRandom(seed)
    const draw = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
    const destinations = [f.destination(3), f.destination(1, 4), f.destination(0)]
    const open: FakeConnection[] = []
    const steps: (() => void)[] = [
      () => open.push(f.arrive(draw(destinations) ?? f.destination(1))),
      () => open.push(f.arrive(draw(destinations) ?? f.destination(1))),
      () => {
        const server = draw(f.sockets.open)?.succeed()
        if (server !== undefined) open.push(server)
      },
      () => draw(f.sockets.open)?.fail(draw(['ECONNREFUSED', 'EMFILE', 'ENETUNREACH']) ?? ''),
      () => draw(open)?.arrive('x'.repeat(1 + Math.floor(random() * 9))),
      () => draw(open)?.arriveEnd(),
      () => draw(open.filter(({ ended, closed }) => ended && closed === ''))?.finish(),
      () => draw(open)?.fail('ECONNRESET'),
      () => {
        f.clock.advance(random() < 0.05 ? IDLE_TIMEOUT : random() * 1500)
      },
    ]
    for (let step = 0; step < 400; step += 1) {
      draw(steps)?.()
      checkBooks(f, destinations)
    }
    const draining = f.sessions.drain(1000)
    f.clock.advance(1000)
    await draining
    checkBooks(f, destinations)
    t.equal(f.sessions.size, 0)
    t.ok(
      open.every(({ closed }) => closed !== ''),
      'every connection is closed',
    )
    t.equal(f.sockets.open.length, 0)
    t.equal(f.clock.timers, 1, 'no timer is left but the sweep')
    for (const line of f.counters.all()) t.equal(line.opened, line.closed)
  })
}

/** Throws if a count is off. */
function checkBooks(f: Fixture, destinations: readonly { open: number }[]): void {
  const open = destinations.reduce((sum, destination) => sum + destination.open, 0)
  if (open !== f.sessions.size) throw new Error(`${open} open, ${f.sessions.size} sessions`)
  let established = 0
  for (const line of f.counters.all()) {
    if (line.closed > line.opened) throw new Error('more closed than opened')
    established += line.opened - line.closed
  }
  const underWay = f.sockets.open.length
  if (established + underWay !== f.sessions.size) {
    throw new Error(
      `${established} established, ${underWay} under way, ${f.sessions.size} sessions`,
    )
  }
}
