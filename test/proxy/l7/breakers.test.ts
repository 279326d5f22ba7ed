// A service of several backends of which one fails, stalls, is slow and comes back: what clients and backends see of it,
// through the whole proxy.

import t, { type Test } from 'tap'
import { DEFAULT_OUTLIER, type Outlier } from '../../../src/api/resources.ts'
import { HeaderAffinity } from '../../../src/proxy/balance/affinity.ts'
import { OutlierDetection } from '../../../src/proxy/resilience/outlier-detection.ts'
import type { Picker } from '../../../src/proxy/stack/destination.ts'
import type { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { PLAIN_ROUTE } from '../../../src/proxy/stack/route.ts'
import { answering, type RawBackend, type Script } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'
import {
  backend,
  CONNECT_TIMEOUT,
  get,
  L7,
  onBoth,
  type Place,
  post,
  refusingPort,
} from './fixture.ts'

const ERROR = 'HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n'

interface Watching {
  readonly f: L7
  readonly health: OutlierDetection
  readonly lines: Record<string, unknown>[]
  readonly first: Endpoint
}

async function watching(
  t: Test,
  places: readonly Place[],
  options: Parameters<typeof L7.start>[2],
  change: Partial<Outlier> = {},
): Promise<Watching> {
  const f = await L7.start(t, places, options)
  // Every failure is to be seen: nothing is sent again.
  f.destination.route = PLAIN_ROUTE
  const { log, lines } = logLines()
  const rule = { ...DEFAULT_OUTLIER, slowStart: 0, ...change }
  const health = new OutlierDetection(f.destination, rule, {
    ...{ clock: f.clock, random: () => 0, log },
  })
  health.watch(f.destination.picker.endpoints)
  f.destination.health = health
  f.sessions.eachTick((now) => {
    health.sweep(now)
  })
  const [first] = f.destination.picker.endpoints
  if (first === undefined) throw new Error()
  return { f, health, lines, first }
}

/** The statuses of so many requests, one after the other over one connection. */
async function statuses(f: L7, count: number): Promise<Record<string, number>> {
  const client = await f.client()
  const all: Record<string, number> = {}
  for (let turn = 0; turn < count; turn += 1) {
    await client.send(get(`/${turn}`))
    await client.until((text) => messages(text).length > turn, `answer ${turn}`)
    const status = messages(client.text)[turn]?.slice(9, 12) ?? ''
    all[status] = (all[status] ?? 0) + 1
  }
  return all
}

async function good(t: Test): Promise<RawBackend> {
  return await backend(t, answering(ok('x')))
}

onBoth(t, 'breakers: one of three answers 500, is left out, and comes back', async (t, kind) => {
  let answer = ERROR
  const bad = await backend(
    t,
    answering(() => answer),
  )
  const places = [bad, await good(t), await good(t)]
  const { f, health, lines, first } = await watching(t, places, { kind })
  t.same(await statuses(f, 60), { 200: 55, 500: 5 })
  t.equal(bad.requests.length, 5)
  f.clock.advance(1000)
  t.same(await statuses(f, 30), { 200: 29, 500: 1 }, 'one probe, and it is out for longer')
  t.equal(first.ejectedUntil, f.clock.now() + 2000)
  answer = ok('again')
  f.clock.advance(2000)
  t.same(await statuses(f, 30), { 200: 30 })
  t.equal(bad.requests.length, 6 + 10, 'it has its third again')
  t.equal(health.ejected, 0)
  t.same(
    lines.map(({ to }) => to),
    ['open', 'half-open', 'open', 'half-open', 'closed'],
  )
  await until('nothing is under way', () => f.underWay['active'] === 0)
})

onBoth(t, 'breakers: one of three accepts, and never answers', async (t, kind) => {
  const silent = await backend(t, () => undefined)
  const options = { kind, idleTimeout: 3000 }
  const { f, first } = await watching(t, [silent, await good(t), await good(t)], options)
  const clients = await Promise.all(Array.from({ length: 15 }, async () => await f.client()))
  for (const client of clients) await client.send(get())
  await until('the others have answered', () => f.underWay['active'] === 5)
  f.clock.advance(3000)
  await until('all have been answered', () =>
    clients.every(({ text }) => messages(text).length > 0),
  )
  t.equal(clients.filter(({ text }) => text.startsWith('HTTP/1.1 504')).length, 5)
  t.ok(first.ejectedUntil > f.clock.now())
  t.same(await statuses(f, 20), { 200: 20 })
  t.equal(silent.requests.length, 5)
})

onBoth(
  t,
  'breakers: one of three is slow, and goes until it is as fast as the others',
  async (t, kind) => {
    const held = (): Script => (connection) => {
      connection.next()
    }
    const places = [await backend(t, held()), await backend(t, held()), await backend(t, held())]
    const { f, health, lines, first } = await watching(t, places, { kind }, { slowerThanPeers: 5 })
    const client = await f.client()
    let slow = 90
    const round = async (): Promise<boolean[]> => {
      const before = places.map(({ requests }) => requests.length)
      const answered = messages(client.text).length
      await client.send(get())
      const asked = await until('somebody is asked', () => {
        const at = places.findIndex(({ requests }, index) => requests.length > (before[index] ?? 0))
        return at < 0 ? undefined : { at }
      })
      f.clock.advance(asked.at === 0 ? slow : 10)
      places[asked.at]?.connections.at(-1)?.write(ok('x'))
      await client.until((text) => messages(text).length > answered)
      return places.map((_, at) => at === asked.at)
    }
    for (let turn = 0; turn < 18; turn += 1) await round()
    f.clock.advance(1000)
    t.equal(health.view(first, f.clock.now()).state, 'open')
    t.match(lines[0], { reason: 'latency', latencyMilliseconds: 90, peersLatencyMilliseconds: 10 })
    const asked = places[0]?.requests.length
    for (let turn = 0; turn < 20; turn += 1) await round()
    t.equal(places[0]?.requests.length, asked)
    f.clock.advance(900)
    for (let turn = 0; turn < 3; turn += 1) await round()
    t.equal(health.view(first, f.clock.now()).state, 'open', 'its probe was slow')
    slow = 12
    f.clock.advance(2000)
    for (let turn = 0; turn < 3; turn += 1) await round()
    t.equal(health.view(first, f.clock.now()).state, 'closed')
  },
)

onBoth(t, 'breakers: nobody is ejected for tiring of uploads that stall', async (t, kind) => {
  const tired = await backend(t, (connection) => {
    connection.end()
  })
  const { f, health, first } = await watching(t, [tired, tired], { kind })
  for (let turn = 0; turn < 10; turn += 1) {
    const upload = 'POST / HTTP/1.1\r\nHost: shop\r\nContent-Length: 9\r\n\r\nx'
    t.match(await f.exchange(upload), /^HTTP\/1\.1 502 /)
  }
  t.match(health.view(first, f.clock.now()), { state: 'closed', consecutiveFailures: 0 })
})

onBoth(t, 'breakers: while the probe is out, nobody else is sent there', async (t, kind) => {
  let isBack = false
  const bad = await backend(t, (connection) => {
    if (connection.next() !== undefined && !isBack) connection.write(ERROR)
  })
  const { f, health, first } = await watching(t, [bad, await good(t)], { kind })
  await statuses(f, 10)
  isBack = true
  f.clock.advance(1000)
  const clients = await Promise.all(Array.from({ length: 8 }, async () => await f.client()))
  for (const client of clients) await client.send(get())
  await until('seven are answered', () => f.underWay['active'] === 1)
  t.equal(bad.requests.length, 6)
  const probing = clients.find(({ text }) => text === '')
  probing?.socket.resetAndDestroy()
  await until('it is gone', () => f.underWay['active'] === 0)
  t.equal(health.view(first, f.clock.now()).state, 'half-open')
  await clients.find((client) => client !== probing)?.send(get('/next') + get('/next'))
  await until('another one goes at once', () => bad.requests.length === 7)
  bad.connections.at(-1)?.write(ok('x'))
  await until('it is back', () => health.view(first, f.clock.now()).state === 'closed')
})

onBoth(t, 'breakers: a probe that cannot connect is a bad one', async (t, kind) => {
  const bad = await backend(t, (connection) => {
    if (connection.next() === undefined) return
    connection.write(ERROR)
    connection.end()
  })
  const { f, lines, first } = await watching(t, [bad, await good(t)], { kind })
  await statuses(f, 10)
  await bad.close()
  f.clock.advance(1000)
  t.same(await statuses(f, 4), { 200: 4 })
  t.match(lines.at(-1), { from: 'half-open', to: 'open', reason: 'probe' })
  t.equal(first.failures, 1)
})

onBoth(t, 'breakers: connects in vain count, and are tried elsewhere', async (t, kind) => {
  const places = [await refusingPort(), await good(t), await good(t)]
  const { f, health } = await watching(t, places, { kind })
  for (let turn = 0; turn < 5; turn += 1) {
    f.clock.advance(60_000)
    t.same(await statuses(f, 3), { 200: 3 })
  }
  t.equal(health.ejected, 1)
})

onBoth(t, 'breakers: a connection closed in its idleness is no failure', async (t, kind) => {
  const closing = await backend(t, (connection) => {
    // The second request on a connection finds it closed.
    if (connection.requests.length > 1) connection.reset()
    else if (connection.next() !== undefined) connection.write(ok('x'))
  })
  const { f, health, first } = await watching(t, [closing, closing], { kind })
  t.same(await statuses(f, 20), { 200: 20 })
  t.match(health.view(first, f.clock.now()), { state: 'closed', consecutiveFailures: 0 })
})

onBoth(t, 'breakers: all of them fail: in a panic all are asked', async (t, kind) => {
  let answer = ERROR
  const script = answering(() => answer)
  const places = [await backend(t, script), await backend(t, script)]
  const change = { maxEjectedPercent: 100 }
  const { f, health } = await watching(t, places, { kind }, change)
  t.same(await statuses(f, 20), { 500: 20 })
  t.ok(health.isPanicking)
  t.same(
    places.map(({ requests }) => requests.length),
    [10, 10],
  )
  answer = ok('x')
  t.same(await statuses(f, 10), { 200: 10 }, 'and nobody waits when they are well again')
  f.clock.advance(1000)
  await statuses(f, 2)
  t.same([health.isPanicking, health.ejected], [false, 0])
})

onBoth(
  t,
  'breakers: where the policy knows no panic, nobody is asked but a probe',
  async (t, kind) => {
    let answer = ERROR
    const script = answering(() => answer)
    const places = [await backend(t, script), await backend(t, script)]
    const change = { maxEjectedPercent: 100, panicPercent: 0 }
    const { f, health } = await watching(t, places, { kind }, change)
    t.same(await statuses(f, 20), { 500: 10, 503: 10 })
    t.same(f.failures, { 'circuit-open': 10 })
    t.same([...f.destination.resilience.shed], [['circuit-open', 10]])
    const refused = await f.exchange(get())
    t.match(
      refused,
      /^HTTP\/1\.1 503 .*\r\nProxy-Status: underpass; error=destination_unavailable; details="circuit-open: shop/s,
    )
    f.clock.advance(1000)
    t.same(await statuses(f, 10), { 500: 2, 503: 8 }, 'one probe each')
    answer = ok('x')
    f.clock.advance(2000)
    t.same(await statuses(f, 10), { 200: 10 })
    t.equal(health.ejected, 0)
  },
)

onBoth(
  t,
  'breakers: after a failed attempt that is the answer, not the open circuit',
  async (t, kind) => {
    const bad = await backend(t, answering(ERROR))
    const change = { maxEjectedPercent: 100, panicPercent: 0, consecutiveFailures: 1 }
    const { f, first } = await watching(t, [bad, await refusingPort()], { kind }, change)
    t.same(await statuses(f, 1), { 500: 1 })
    t.ok(first.ejectedUntil > f.clock.now())
    t.same(await statuses(f, 1), { 502: 1 })
    t.same(f.failures, { 'endpoint-refused': 1 })
  },
)

onBoth(
  t,
  'breakers: a sidecar that did not reach its endpoint has not proved it',
  async (t, kind) => {
    const gone = await backend(
      t,
      answering((_, { socket }) => {
        const status = `underpass; error=connection_refused; details="endpoint-refused: a"; next-hop="127.0.0.1:${socket.localPort ?? 0}"`
        return `HTTP/1.1 502 X\r\nProxy-Status: ${status}\r\nContent-Length: 4\r\n\r\ngone`
      }),
    )
    const { f, health, first } = await watching(t, [gone, await good(t)], { kind })
    // So large that it is not kept.
    t.match(await f.exchange(post('x'.repeat(300_000))), /^HTTP\/1\.1 502 X/)
    t.equal(first.failures, 1)
    t.equal(first.avoidUntil, f.clock.now() + 1000)
    t.equal(health.view(first, f.clock.now()).consecutiveFailures, 1)
    f.clock.advance(1000)
    t.same(await statuses(f, 4), { 200: 4 })
    t.equal(first.failures, 2, 'also where it is taken back')
    t.equal(health.view(first, f.clock.now()).consecutiveFailures, 2)
    f.clock.advance(2000)
    for (let turn = 0; turn < 2; turn += 1) await f.exchange(post('x'.repeat(300_000)))
    t.equal(first.avoidUntil, f.clock.now() + 4000, 'each time for longer')
  },
)

onBoth(t, 'breakers: after failed connects one request at a time finds out', async (t, kind) => {
  const silent = await backend(t, () => undefined)
  const { f, first } = await watching(t, [silent, await good(t)], { kind })
  first.connectFailed(f.clock.now())
  f.clock.advance(1000)
  const clients = await Promise.all(Array.from({ length: 6 }, async () => await f.client()))
  for (const client of clients) await client.send(get())
  await until('five are answered', () => f.underWay['active'] === 1)
  t.equal(silent.requests.length, 1)
  t.equal(first.avoidUntil, f.clock.now() + CONNECT_TIMEOUT)
  silent.connections[0]?.write(ok('x'))
  await until('it has answered', () => f.underWay['active'] === 0)
  t.equal(first.failures, 0)
  t.ok(first.avoidUntil < f.clock.now())
})

t.test(
  'breakers: a lot is drawn only while somebody comes back; for a client that stays, always the same',
  async (t) => {
    const { f, health } = await watching(t, [await good(t), await good(t)], {})
    const lots: number[] = []
    const { picker } = f.destination
    const seeing: Picker = {
      endpoints: picker.endpoints,
      pick: (choice) => {
        lots.push(choice.lot)
        return picker.pick(choice)
      },
      answered: () => undefined,
    }
    f.destination.picker = seeing
    await statuses(f, 3)
    t.ok(lots.every((lot) => Number.isNaN(lot)))
    lots.length = 0
    health.isRamping = true
    await statuses(f, 3)
    t.ok(lots.every((lot) => lot >= 0 && lot < 1))
    t.equal(new Set(lots).size, 3)
    lots.length = 0
    f.destination.affinity = new HeaderAffinity('x-user')
    for (const user of ['ann', 'ann', 'bob', 'ann'])
      await f.exchange(get('/', `X-User: ${user}\r\n`))
    t.ok(lots.every((lot) => lot >= 0 && lot < 1))
    t.same([lots[1], lots[3]], [lots[0], lots[0]])
    t.not(lots[2], lots[0])
  },
)
