// Which protocol a client speaks, and what is taken of it: the preface of HTTP/2, in pieces and in part, on ports that
// are looked at and on those that are declared to be HTTP; and what a client that breaks the rules is told.

import t from 'tap'
import {
  CLIENT_START,
  END_HEADERS,
  frame,
  headers,
  ping,
  request,
  Type,
} from '../../support/h2-wire.ts'
import { answering, type RawClient } from '../../support/http-peer.ts'
import { ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { singly } from '../http/h1/transcript.ts'
import { backend, get, L7, onBoth } from './fixture.ts'

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
const GET = headers(1, request())

/** Frames that a client has received, by type. */
function framesOf({
  text,
}: RawClient): { type: number; flags: number; stream: number; payload: Buffer }[] {
  const bytes = Buffer.from(text, 'latin1')
  const found = []
  for (let at = 0; at + 9 <= bytes.length; ) {
    const end = at + 9 + bytes.readUIntBE(at, 3)
    if (end > bytes.length) break
    const [type = 0, flags = 0] = bytes.subarray(at + 3)
    found.push({
      type,
      flags,
      stream: bytes.readUInt32BE(at + 5),
      payload: bytes.subarray(at + 9, end),
    })
    at = end
  }
  return found
}

const find = (client: RawClient, type: number) =>
  framesOf(client).find((frame) => frame.type === type)

onBoth(t, 'http2 first bytes: in one piece and singly, declared and looked at', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const start = Buffer.concat([CLIENT_START, GET])
  for (const protocol of ['http', ''] as const) {
    const f = await L7.start(t, [server], { kind, protocol })
    f.destination.wire = 'http1'
    for (const pieces of [[start], singly(start)]) {
      const client = await f.client()
      await client.send(...pieces)
      await until('the answer', () => find(client, Type.data) !== undefined)
      t.equal(find(client, Type.data)?.payload.toString(), 'x')
      client.end()
      await client.over()
    }
    await f.settled()
    t.same([f.statuses, f.connected], [{ 200: 2 }, 1], 'what was dialled beforehand is given up')
  }
})

onBoth(t, 'http2 first bytes: HTTP/1.1 that begins alike', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  for (const text of [
    'PRI /a HTTP/1.1\r\nHost: a\r\n\r\n',
    'PUT /b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n',
    get('/c'),
  ]) {
    const client = await f.client()
    await client.send(...singly(Buffer.from(text)))
    await client.until((all) => all === ok('x'), JSON.stringify(text))
  }
  const wrong = await f.exchange('PRI * HTTP/2.0\r\n\r\nSM\r\n\rno\r\n\r\n')
  t.match(wrong, /^HTTP\/1\.1 (400|505) /)
  const cut = await f.client()
  await cut.send(PREFACE.slice(0, 10))
  cut.end()
  await cut.over()
  t.match(cut.text, /^HTTP\/1\.1 400 /)
})

onBoth(t, 'http2 first bytes: half a preface and then nothing', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind, idleTimeout: 3_600_000 })
  const client = await f.client()
  await client.send(PREFACE.slice(0, 10))
  f.clock.advance(59_000)
  t.notOk(client.closed)
  f.clock.advance(2000)
  t.equal(await client.over(), '')
  t.match(client.text, /^HTTP\/1\.1 408 .*details="request-timeout"/s)
  client.end()
  await f.settled()
  t.same([f.refusals, f.failures], [{ 'request request-timeout': 1 }, { 'request-timeout': 1 }])
})

onBoth(t, 'http2 first bytes: nothing at all, until it is idle or drained', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  const idle = await f.client()
  await until('the proxy has it', () => f.sessions.size === 1)
  f.clock.advance(61_000)
  t.equal(await idle.over(), '')
  idle.end()
  const [fresh, half, gone] = await Promise.all([f.client(), f.client(), f.client()])
  await half.send(PREFACE.slice(0, 5))
  await until('the proxy has them', () => f.sessions.size === 3)
  gone.reset()
  await until('one is gone', () => f.sessions.size === 2)
  f.reception.drain()
  const drained = f.sessions.drain(30_000)
  t.equal(await fresh.over(), '')
  fresh.end()
  await until('one is left', () => f.sessions.size === 1)
  f.clock.advance(30_000)
  t.equal(await half.over(), 'ECONNRESET')
  await drained
  t.same([f.refusals, f.failures], [{}, {}])
})

onBoth(t, 'http2 first bytes: a client that breaks the rules is told so', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  f.destination.wire = 'http1'
  const client = await f.client()
  await client.send(CLIENT_START, headers(1, request([], 'POST'), END_HEADERS))
  await until('the request', () => server.received.startsWith('POST'))
  // DATA on stream 0; what comes behind it must not turn the answer into a reset.
  await client.send(Buffer.concat([frame(Type.data, 0, 0, Buffer.from('x')), ping(), ping()]))
  await client.send(ping())
  t.equal(await client.over(), '')
  t.equal(find(client, Type.goaway)?.payload.readUInt32BE(4), 1, 'PROTOCOL_ERROR')
  client.end()
  await f.settled()
  t.same(f.failures, { 'downstream-reset': 1 })
  t.match(f.events('http2-failed'), [{ error: 'http2-error' }])
  t.same(
    [...f.counters.errors()].map(({ reason, count }) => [reason, count]),
    [['http2-error', 1]],
  )
  const counters = f.counters.http2Of('outbound', 'downstream')
  t.same([counters.openConnections, counters.openStreams], [0, 0])
  t.same(counters.goaways('sent'), [[1, 1]])
})

onBoth(t, 'http2 first bytes: a malformed request costs its stream alone', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  f.destination.wire = 'http1'
  const client = await f.client()
  const wrong = headers(1, request([['Upper', 'case']]))
  const short = headers(3, request([['content-length', '5']]), END_HEADERS)
  await client.send(CLIENT_START, wrong, short, frame(Type.data, 1, 3, Buffer.from('abc')))
  await until(
    'both are reset',
    () => framesOf(client).filter(({ type }) => type === Type.rstStream).length === 2,
  )
  await client.send(headers(5, request()))
  await until('the answer', () => find(client, Type.data) !== undefined)
  t.same(
    framesOf(client)
      .filter(({ type }) => type === Type.rstStream)
      .map(({ stream, payload }) => [stream, payload.readUInt32BE(0)]),
    [
      [1, 1],
      [3, 1],
    ],
  )
  t.equal(
    Object.values(f.refusals).reduce((sum, count) => sum + count, 0),
    2,
  )
  t.same(f.failures, { 'request-refused': 2 })
  t.equal(f.underWay['active'], 0)
  await until(
    'nothing is open',
    () => f.counters.http2Of('outbound', 'downstream').openStreams === 0,
  )
})

onBoth(t, 'http2 first bytes: a limit that is reached', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(CLIENT_START)
  client.write(Buffer.concat(Array.from({ length: 3000 }, () => ping())))
  t.equal(await client.over(), '')
  const goaway = find(client, Type.goaway)
  t.equal(goaway?.payload.readUInt32BE(4), 11, 'ENHANCE_YOUR_CALM')
  client.end()
  await f.settled()
  t.match(f.events('http2-failed'), [{ error: 'http2-limit', reason: 'control-frames' }])
  t.same([...f.counters.http2Of('outbound', 'downstream').limits], [['control-frames', 1]])
})

onBoth(t, 'http2 first bytes: what is neither, where HTTP/2 is spoken', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  for (const [wire, expected] of [
    ['http2', /^(?!HTTP)/],
    ['http1', /^HTTP\/1\.1 400 /],
  ] as const) {
    const f = await L7.start(t, [server], { kind })
    f.destination.protocol = 'http'
    f.destination.wire = wire
    const client = await f.client()
    await client.send('INVALID CONNECTION PREFACE\r\n\r\n')
    t.equal(await client.over(), '')
    t.match(client.text, expected, wire)
    if (wire === 'http2') {
      const goaway = find(client, Type.goaway)
      t.equal(goaway?.payload.readUInt32BE(4), 1, 'PROTOCOL_ERROR')
    }
    client.end()
    await f.settled()
  }
})
