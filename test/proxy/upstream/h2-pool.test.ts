// Connections of HTTP/2 to real servers: shared, opened when more are needed, left when they are to end.

import t from 'tap'
import { until } from '../../support/until.ts'
import { get, onBoth, post, refusingPort, server, Way } from './h2-fixture.ts'

onBoth(
  t,
  'h2 pool: requests share one connection, and answers come in any order',
  async (t, kind) => {
    const s = await server(t, () => undefined)
    const way = new Way(t, [s], { kind })
    const callers = Array.from({ length: 50 }, (_, at) => way.send(get(`/${at}`)))
    await until('all are asked', () => s.asked.length === 50)
    for (const asked of [...s.asked].reverse()) asked.ok(`you asked ${asked.path}`)
    for (const [at, caller] of callers.entries()) {
      await caller.done()
      t.same([caller.outcome, caller.status, caller.text], ['', 200, `you asked /${at}`])
    }
    t.same([s.sessions.length, way.connected, way.destination.open], [1, 1, 1])
    t.equal(way.endpoint().open, 0)
  },
)

onBoth(
  t,
  'h2 pool: another connection when all have as many streams as they may',
  async (t, kind) => {
    const s = await server(t, () => undefined, { maxConcurrentStreams: 2 })
    const way = new Way(t, [s], { kind })
    const first = way.send(get('/first'))
    await until('it is asked', () => s.asked.length === 1)
    const callers = Array.from({ length: 4 }, (_, at) => way.send(get(`/${at}`)))
    await until('all are asked', () => s.asked.length === 5)
    t.equal(s.sessions.length, 3)
    for (const asked of s.asked) asked.ok('x')
    for (const caller of [first, ...callers]) t.equal((await caller.done()).outcome, '')
    // With room on the first, the others grow old.
    const next = way.send(get('/next'))
    await until('it is asked', () => s.asked.length === 6)
    t.equal(s.asked[5]?.session, s.asked[0]?.session)
    s.asked[5]?.ok('x')
    await next.done()
    t.equal(way.resends, 0)
  },
)

onBoth(
  t,
  'h2 pool: what an endpoint refuses before it has said how many is sent again',
  async (t, kind) => {
    const s = await server(
      t,
      (asked) =>
        setTimeout(() => {
          asked.ok('x')
        }, 20),
      {
        maxConcurrentStreams: 3,
      },
    )
    const way = new Way(t, [s], { kind })
    const callers = Array.from({ length: 9 }, (_, at) => way.send(post('body', `/${at}`)))
    for (const caller of callers) t.equal((await caller.done()).outcome, '')
    t.equal(s.asked.length, 9, 'each was processed once')
    t.ok(s.asked.every(({ body }) => body === 'body'))
    t.ok(way.resends >= 6)
    t.ok(s.sessions.length <= 4)
    t.equal(way.endpoint().failures, 0)
  },
)

onBoth(t, 'h2 pool: with no more connections to be had requests wait for room', async (t, kind) => {
  const s = await server(t, () => undefined, { maxConcurrentStreams: 2 })
  const way = new Way(t, [s], { kind, maxConnections: 1 })
  const first = way.send(get('/0'))
  await until('it is asked', () => s.asked.length === 1)
  const callers = [first, ...[1, 2, 3, 4].map((at) => way.send(get(`/${at}`)))]
  await until('two are asked', () => s.asked.length === 2)
  t.equal(way.destination.pending.length, 3)
  for (let at = 0; at < 5; at += 1) {
    await until(`${at} is asked`, () => s.asked.length > at)
    t.equal(s.asked[at]?.path, `/${at}`, 'in the order in which they came')
    t.ok(s.asked.filter(({ isClosed }) => !isClosed).length <= 2)
    s.asked[at]?.ok('x')
    await callers[at]?.done()
  }
  t.same([s.sessions.length, way.destination.open, way.destination.pending.length], [1, 1, 0])
})

onBoth(t, 'h2 pool: an idle connection makes room for one to another endpoint', async (t, kind) => {
  const one = await server(t, (asked) => {
    asked.ok('one')
  })
  const other = await server(t, (asked) => {
    asked.ok('other')
  })
  const way = new Way(t, [one, other], { kind, maxConnections: 1 })
  for (const expected of ['one', 'other', 'one', 'other']) {
    t.equal((await way.send(post('x')).done()).text, expected)
    t.equal(way.destination.open, 1)
  }
  await until('they were told', () => one.goaways.length === 2)
})

onBoth(t, 'h2 pool: room that is of no use to a request leaves it waiting', async (t, kind) => {
  const s = await server(t, () => undefined)
  const way = new Way(t, [s], { kind, maxConnections: 1 })
  const callers = [way.send(get('/0'))]
  await until('it is asked', () => s.asked.length === 1)
  const plain = way.caller(get('/plain'))
  plain.exchange.speaks = 'http1'
  way.send(plain)
  callers.push(way.send(get('/1')), way.send(get('/2')))
  await until('all are asked', () => s.asked.length === 3)
  t.equal(way.destination.pending.length, 1)
  for (const [at, caller] of callers.entries()) {
    t.equal(plain.outcome, undefined)
    s.asked[at]?.ok('x')
    await caller.done()
  }
  // The connection that is idle now made room for another one; that it is of no use either is another matter.
  t.equal((await plain.done()).outcome, 'response-refused')
  t.same([way.connected, way.destination.open, way.destination.pending.length], [0, 0, 0])
})

onBoth(t, 'h2 pool: a busy connection elsewhere is better than none', async (t, kind) => {
  const one = await server(t, () => undefined)
  const other = await server(t, () => undefined)
  const way = new Way(t, [one, other], { kind, maxConnections: 1 })
  const callers = [way.send(get('/0')), way.send(get('/1')), way.send(get('/2'))]
  await until('all are asked', () => one.asked.length === 3)
  for (const asked of one.asked) asked.ok('x')
  for (const caller of callers) await caller.done()
  t.equal(way.destination.open, 1)
})

onBoth(
  t,
  'h2 pool: who waits for a connection that is refused goes elsewhere, or fails',
  async (t, kind) => {
    const s = await server(t, (asked) => {
      asked.ok('x')
    })
    const gone = await refusingPort()
    const way = new Way(t, [gone, s], { kind })
    const callers = Array.from({ length: 6 }, () => way.send(post('x')))
    way.clock.advance(1)
    for (const caller of callers) t.equal((await caller.done()).outcome, '')
    t.equal(s.asked.length, 6)
    t.equal(way.endpoint().failures, 1)

    const alone = new Way(t, [gone], { kind })
    const failed = Array.from({ length: 3 }, () => alone.send(post('x')))
    for (const caller of failed) t.equal((await caller.done()).outcome, 'endpoint-refused')
    t.equal(alone.lines.filter(({ event }) => event === 'connect-failed').length, 1)
    t.same([alone.destination.open, alone.endpoint().open], [0, 0])
  },
)

onBoth(t, 'h2 pool: GOAWAY loses nothing', async (t, kind) => {
  const s = await server(t, () => undefined)
  const way = new Way(t, [s], { kind })
  const callers = [0, 1, 2, 3].map((at) => way.send(post('body', `/${at}`)))
  await until('all are asked', () => s.asked.length === 4)
  const [old] = s.sessions
  // Streams 1 and 3 are processed, 5 and 7 are not.
  old?.goaway(0, 3)
  await until('two are asked again', () => s.asked.length === 6)
  t.equal(s.sessions.length, 2)
  t.same(
    s.asked.slice(4).map(({ path, body }) => [path, body]),
    [
      ['/2', 'body'],
      ['/3', 'body'],
    ],
  )
  const next = way.send(get('/next'))
  await until('the next one is asked', () => s.asked.length === 7)
  t.equal(s.asked[6]?.session, s.sessions[1])
  for (const at of [0, 1, 4, 5, 6]) s.asked[at]?.ok(`${at}`)
  for (const caller of [...callers, next]) t.equal((await caller.done()).outcome, '')
  t.same(
    callers.map(({ text }) => text),
    ['0', '1', '4', '5'],
  )
  await until('the old one is closed', () => way.connected === 1)
  t.equal(way.destination.open, 1)
})

onBoth(t, 'h2 pool: a GOAWAY of an idle connection closes it', async (t, kind) => {
  const s = await server(t, (asked) => {
    asked.ok('x')
  })
  const way = new Way(t, [s], { kind })
  await way.send(get()).done()
  s.sessions[0]?.goaway()
  await until('it is closed', () => way.connected === 0)
  t.equal(way.destination.open, 0)
  t.equal((await way.send(post('x')).done()).outcome, '')
  t.equal(s.sessions.length, 2)
})

onBoth(t, 'h2 pool: an idle connection ends after a minute, with a GOAWAY', async (t, kind) => {
  const s = await server(t, (asked) => {
    asked.ok('x')
  })
  const way = new Way(t, [s], { kind })
  await way.send(get()).done()
  way.clock.advance(59_000)
  t.equal(way.connected, 1)
  way.clock.advance(1000)
  t.equal(way.connected, 0)
  await until('it was told', () => s.goaways.length === 1)
  t.same(s.goaways, [0])
  t.equal(way.destination.open, 0)
})

onBoth(
  t,
  'h2 pool: an endpoint that is gone keeps what is under way, and no more',
  async (t, kind) => {
    const s = await server(t, () => undefined)
    const way = new Way(t, [s], { kind })
    const caller = way.send(get())
    await until('it is asked', () => s.asked.length === 1)
    const endpoint = way.endpoint()
    endpoint.retirePools()
    t.ok(endpoint.streams?.isRetired)
    await until('it was told', () => s.goaways.length === 1)
    s.asked[0]?.ok('late')
    t.equal((await caller.done()).text, 'late')
    await until('it is closed', () => way.connected === 0)
    // Discovery gave it back: it begins anew.
    const next = way.send(get())
    await until('it is asked', () => s.asked.length === 2)
    s.asked[1]?.ok('new')
    t.equal((await next.done()).text, 'new')
    t.notOk(endpoint.streams?.isRetired)
  },
)

onBoth(
  t,
  'h2 pool: what is spoken is what the port is said to speak, else what the client does',
  async (t, kind) => {
    const s = await server(t, (asked) => {
      asked.ok('x')
    })
    const way = new Way(t, [s], { kind })
    const ask = (speaks: 'http1' | 'http2', fields = ''): void => {
      const caller = way.caller(get('/', fields))
      caller.exchange.speaks = speaks
      way.send(caller)
    }
    const endpoint = way.endpoint()
    ask('http1')
    t.same([endpoint.requests?.constructor.name, endpoint.streams], ['H1Pool', undefined])
    endpoint.forgetPools()
    ask('http2')
    t.same([endpoint.requests, endpoint.streams?.constructor.name], [undefined, 'H2Pool'])
    endpoint.forgetPools()
    way.destination.wire = 'http2'
    ask('http1')
    t.equal(endpoint.requests, undefined)
    ask('http2', 'Connection: upgrade\r\nUpgrade: websocket\r\n')
    t.equal(endpoint.requests?.constructor.name, 'H1Pool', 'an upgrade goes over HTTP/1.1')
  },
)
