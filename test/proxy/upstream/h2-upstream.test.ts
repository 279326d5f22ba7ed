// One connection of HTTP/2 to an endpoint, call by call: what is written when, and what is said of requests that were
// not.

import t from 'tap'
import { FrameType, PREFACE } from '../../../src/proxy/http/h2/protocol.ts'
import { PENDING } from '../../../src/proxy/net/connection.ts'
import { type FakeConnection, FakeSockets } from '../../support/fake-sockets.ts'
import { get, post, Way } from './h2-fixture.ts'

const ENDPOINTS = [8001, 8002]

/** A frame without a payload. */
const frame = (type: number, flags = 0, id = 0): Buffer =>
  Buffer.from([0, 0, 0, type, flags, 0, 0, 0, id])
const SETTINGS = frame(FrameType.settings)
const GOAWAY = Buffer.from([0, 0, 8, FrameType.goaway, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])

const turned = async (): Promise<void> => {
  await new Promise(setImmediate)
}

const writes = ({ calls }: FakeConnection): string[] =>
  calls.filter((call) => call.startsWith('write '))

const arrive = (connection: FakeConnection, ...frames: readonly Buffer[]): void => {
  connection.receiver.onData(connection, Buffer.concat(frames))
}

t.test('h2 upstream: what begins a connection and the requests leave in one write', async (t) => {
  const sockets = new FakeSockets()
  const way = new Way(t, ENDPOINTS.slice(0, 1), { sockets })
  for (const path of ['/1', '/2', '/3']) way.send(get(path))
  t.equal(sockets.dials.length, 1)
  const connection = sockets.last.succeed()
  t.same(writes(connection), [])
  await turned()
  const [first = ''] = writes(connection)
  t.ok(first.startsWith(`write ${PREFACE.toString()}`))
  t.equal(writes(connection).length, 1, 'nobody waits for the SETTINGS of the server')
  t.ok(way.counters.of('outbound', 'shop.default:80', '127.0.0.1:8001').received > 100)
})

t.test('h2 upstream: while a write is pending nothing is written', async (t) => {
  const sockets = new FakeSockets()
  const way = new Way(t, ENDPOINTS.slice(0, 1), { sockets })
  way.send(post('x'.repeat(20_000)))
  const connection = sockets.last.succeed()
  connection.answers.push(PENDING)
  await turned()
  for (let turn = 0; turn < 3; turn += 1) {
    way.send(get())
    await turned()
  }
  t.equal(writes(connection).length, 1)
  connection.drain()
  t.equal(writes(connection).length, 2)
  way.send(get())
  await turned()
  t.equal(writes(connection).length, 3)
})

t.test('h2 upstream: nobody has seen what was not written', async (t) => {
  for (const how of ['end', 'error', 'goaway'] as const) {
    const sockets = new FakeSockets()
    const way = new Way(t, ENDPOINTS, { sockets })
    const caller = way.send(post('body'))
    const connection = sockets.last.succeed()
    if (how === 'end') connection.arriveEnd()
    else if (how === 'error') connection.fail('ECONNRESET')
    else arrive(connection, SETTINGS, GOAWAY)
    t.equal(caller.outcome, undefined, 'it goes to the other endpoint, although it is a POST')
    t.same(
      sockets.open.map(({ target }) => target),
      ['127.0.0.1:8002'],
    )
    t.same([way.resends, way.endpoint().failures, way.endpoint().open], [1, 0, 0])
    const other = sockets.last.succeed()
    await turned()
    t.match(writes(other)[0], /body$/)
    t.equal(connection.closed, 'close')
    t.equal(way.destination.open, 1)
  }
})

t.test('h2 upstream: what was written may have been acted on', async (t) => {
  const sockets = new FakeSockets()
  const way = new Way(t, ENDPOINTS, { sockets })
  const first = way.send(post('body'))
  const connection = sockets.last.succeed()
  await turned()
  // It is opened in the turn that shows that the connection is gone.
  way.destination.picker.pick(first.exchange)
  const late = way.send(post('late'))
  connection.fail('ECONNRESET')
  t.same([first.outcome, first.exchange.details], ['upstream-reset', 'ECONNRESET'])
  t.equal(late.outcome, undefined)
  t.same(
    sockets.open.map(({ target }) => target),
    ['127.0.0.1:8002'],
  )
})

t.test('h2 upstream: a server that breaks the rules is told so, and left', async (t) => {
  const sockets = new FakeSockets()
  const way = new Way(t, ENDPOINTS.slice(0, 1), { sockets })
  const caller = way.send(post('body'))
  const connection = sockets.last.succeed()
  await turned()
  // The first frame has to be SETTINGS.
  arrive(connection, frame(FrameType.ping))
  t.equal(caller.outcome, 'upstream-reset')
  t.equal(connection.closed, 'close')
  t.equal(writes(connection).length, 2, 'GOAWAY')
  t.equal(way.destination.open, 0)
  const [line] = way.lines.filter(({ event }) => event === 'http2-failed')
  t.match(line, { error: 'http2-error', endpoint: '127.0.0.1:8001' })
})

t.test('h2 upstream: a connection without a word gets no more requests', async (t) => {
  for (const [wait, isHeard, dials] of [
    [1000, false, 2],
    [999, false, 1],
    [5000, true, 1],
  ] as const) {
    const sockets = new FakeSockets()
    const way = new Way(t, ENDPOINTS.slice(0, 1), { sockets })
    const caller = way.send(get())
    const other = way.send(get('/other'))
    const connection = sockets.last.succeed()
    await turned()
    way.clock.advance(wait)
    if (isHeard) arrive(connection, SETTINGS)
    caller.exchange.upstream?.cancel()
    caller.exchange.lowest?.ended(caller.exchange, 'deadline-exceeded')
    await turned()
    way.send(get())
    t.equal(sockets.dials.length, dials)
    t.equal(other.outcome, undefined, 'what is under way goes on')
    t.equal(connection.closed, '')
  }
})

t.test('h2 upstream: ids of streams and time do not wear out the memory of a call', async (t) => {
  const sockets = new FakeSockets()
  const way = new Way(t, ENDPOINTS.slice(0, 1), { sockets })
  for (let turn = 0; turn < 1000; turn += 1) {
    const caller = way.send(get())
    if (turn === 0) sockets.last.succeed()
    await turned()
    caller.exchange.upstream?.cancel()
    caller.exchange.lowest?.ended(caller.exchange, 'downstream-reset')
    t.equal(caller.outcome, 'downstream-reset')
  }
  t.equal(sockets.dials.length, 1)
  t.equal(way.endpoint().open, 0)
})
