// Routes on the way of real requests: whose counters a request is in, and for how long no byte of it may move.

import t, { type Test } from 'tap'
import { DEFAULT_RULES, type PolicyRoute } from '../../../src/api/resources.ts'
import { makeRouter } from '../../../src/proxy/route/first-match.ts'
import { makeRoute } from '../../../src/proxy/route/make-route.ts'
import type { RequestCounters } from '../../../src/proxy/stack/request-counters.ts'
import { answering, type RawBackend, type RawClient } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, type Kind, L7, onBoth, post, refusingPort } from './fixture.ts'

function routeOf(name: string, streamIdle = 0): PolicyRoute {
  const path = { type: 'PathPrefix', value: `/${name}` } as const
  return {
    name,
    matches: [{ path, method: undefined, headers: [] }],
    rules: { ...DEFAULT_RULES, timeouts: { ...DEFAULT_RULES.timeouts, streamIdle } },
  }
}

/** What a route's counters say of one figure, over all endpoints. */
function sum(f: L7, route: string, figure: (requests: RequestCounters) => number): number {
  let all = 0
  for (const line of f.counters.all()) {
    for (const [name, requests] of line.byRoute()) if (name === route) all += figure(requests)
  }
  return all
}

const total = ({ total }: RequestCounters): number => total
const active = ({ active }: RequestCounters): number => active
const idleTimeouts = ({ failures }: RequestCounters): number => failures.get('idle-timeout') ?? 0

onBoth(t, 'routes: each request is counted for its own', async (t, kind) => {
  const server = await backend(
    t,
    answering((request) => (request.includes('/cart/wait') ? undefined : ok('x'))),
  )
  const f = await L7.start(t, [server], { kind })
  f.destination.router = makeRouter([routeOf('cart'), routeOf('checkout')])
  const client = await f.client()
  await client.send(get('/cart') + get('/other') + get('/checkout/a') + get('/cart?b'))
  await client.until((text) => messages(text).length === 4)
  t.same(
    ['cart', 'checkout', 'default'].map((route) => sum(f, route, total)),
    [2, 1, 1],
  )
  await client.send(get('/cart/wait'))
  await until('it is there', () => server.requests.length === 5)
  t.same([sum(f, 'cart', active), sum(f, 'default', active)], [1, 0])
  client.socket.resetAndDestroy()
  await until('it is over', () => sum(f, 'cart', active) === 0)
  t.equal(
    sum(f, 'cart', ({ failures }) => failures.get('downstream-reset') ?? 0),
    1,
  )
  t.same([f.failures, f.underWay['endpoints']], [{ 'downstream-reset': 1 }, 0])
})

onBoth(t, 'routes: one that no endpoint got, and one that was sent again', async (t, kind) => {
  const gone = await L7.start(t, [await refusingPort()], { kind })
  gone.destination.router = makeRouter([routeOf('cart')])
  t.match(await gone.exchangeInTime(get('/cart')), /^HTTP\/1\.1 502 /)
  t.equal(
    sum(gone, 'cart', ({ failures }) => [...failures.values()].reduce((a, b) => a + b, 0)),
    1,
  )
  const server = await backend(t, (connection) => {
    if (connection.requests.length === 1) connection.write(ok('x'))
    else connection.socket.resetAndDestroy()
  })
  const f = await L7.start(t, [server], { kind })
  f.destination.router = makeRouter([routeOf('cart')])
  const client = await f.client()
  for (const count of [1, 2]) {
    await client.send(get('/cart'))
    await client.until((text) => messages(text).length === count)
  }
  t.equal(
    sum(f, 'cart', ({ resends }) => resends),
    1,
  )
  t.same([sum(f, 'cart', total), sum(f, 'cart', active), sum(f, 'default', total)], [2, 0, 0])
})

interface Way {
  readonly f: L7
  readonly server: RawBackend
  readonly client: RawClient
}

/** A client of a Service whose route `slow` may be still for so long, and `usual` for as long as it likes. */
async function still(t: Test, kind: Kind, streamIdle: number): Promise<Way> {
  const server = await backend(
    t,
    answering((request) => (request.includes('/now') ? ok('x') : undefined)),
  )
  const f = await L7.start(t, [server], { kind, idleTimeout: 3_600_000 })
  f.destination.router = makeRouter([routeOf('slow', streamIdle)])
  return { f, server, client: await f.client() }
}

onBoth(t, 'stream idle: a request that nothing moves of ends, and never early', async (t, kind) => {
  for (const time of [500, 1000, 5000]) {
    const { f, server, client } = await still(t, kind, time)
    // Just before a tick, whose stamp is nearly a second old then.
    f.clock.advance(999)
    await client.send(get('/slow'))
    await until('it is there', () => server.requests.length === 1)
    f.clock.advance(time - 1)
    t.equal(sum(f, 'slow', active), 1, 'not before its time')
    f.clock.advance(2000)
    await client.until((text) => text.includes('\r\n\r\n'))
    t.match(client.text, /^HTTP\/1\.1 504 .*error=connection_read_timeout; details="idle-timeout/s)
    t.equal(await (await server.connection(0)).over(), 'ECONNRESET')
    t.same([sum(f, 'slow', idleTimeouts), sum(f, 'slow', active)], [1, 0])
    await client.send(get('/now'))
    await client.until((text) => text.endsWith(ok('x')))
  }
})

onBoth(t, 'stream idle: every byte of either message begins it anew', async (t, kind) => {
  const { f, server, client } = await still(t, kind, 2000)
  const upload = post('abcdef', '', '/slow')
  await client.send(upload.slice(0, -6))
  const connection = await server.connection(0)
  let sent = upload.length - 6
  for (const byte of 'abcdef') {
    await connection.until((text) => text.length === sent)
    f.clock.advance(2000)
    await client.send(byte)
    sent += 1
  }
  await connection.until((text) => text.length === sent)
  const answer = ok('123456')
  for (let at = 0; at < answer.length; at += 1) {
    f.clock.advance(at % 10 === 0 ? 2000 : 0)
    connection.write(answer.charAt(at))
    // The head is passed on when it is whole.
    if (at >= answer.length - 7) await client.until((text) => text.length === at + 1)
    else await until('it was read', () => bytesFrom(f) > at)
  }
  t.equal(client.text, answer)
  f.clock.advance(60_000)
  await client.send(get('/now'))
  await client.until((text) => text === answer + ok('x'))
  t.equal(sum(f, 'slow', idleTimeouts), 0, 'nor does it hold between requests')
})

/** Bytes that endpoints have sent. */
function bytesFrom(f: L7): number {
  return [...f.counters.all()].reduce((all, { sent }) => all + sent, 0)
}

onBoth(t, 'stream idle: a response that has begun is reset', async (t, kind) => {
  const { f, server, client } = await still(t, kind, 1000)
  await client.send(get('/slow'))
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('\r\n\r\n'))
  connection.write(ok('123456').slice(0, -3))
  await client.until((text) => text.endsWith('123'))
  f.clock.advance(3000)
  t.equal(await client.over(), 'ECONNRESET')
  await f.settled()
  t.equal(sum(f, 'slow', idleTimeouts), 1)
})

onBoth(t, 'stream idle: other routes have as long as they like', async (t, kind) => {
  const { f, server, client } = await still(t, kind, 1000)
  f.destination.route = makeRoute('default', DEFAULT_RULES)
  await client.send(get('/usual'))
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('\r\n\r\n'))
  f.clock.advance(1_000_000)
  connection.write(ok('late'))
  await client.until((text) => text === ok('late'))
})
