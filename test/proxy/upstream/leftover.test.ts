// What is left of a response that a stage has sent back: read to its end and the connection used again, or not.

import t, { type Test } from 'tap'
import { RequestReader } from '../../../src/proxy/http/h1/request-reader.ts'
import { DEFAULT_H2_LIMITS } from '../../../src/proxy/http/h2/h2-limits.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { PENDING } from '../../../src/proxy/net/connection.ts'
import { Turn } from '../../../src/proxy/net/turn.ts'
import type { Destination } from '../../../src/proxy/stack/destination.ts'
import { type Downstream, Exchange, type Stage } from '../../../src/proxy/stack/exchange.ts'
import { H1Pool } from '../../../src/proxy/upstream/h1-pool.ts'
import type { PoolHost } from '../../../src/proxy/upstream/pool-host.ts'
import type { FakeConnection } from '../../support/fake-sockets.ts'
import { Fixture } from './fixture.ts'

const GET = 'GET /first HTTP/1.1\r\nHost: a\r\nX-Kept: yes\r\n\r\n'
/** As it is sent again. */
const again = (text: string): string =>
  text.replace('\r\n\r\n', '\r\nx-envoy-attempt-count: 2\r\n\r\n')
const OTHER = 'PUT /another-one HTTP/1.1\r\nHost: other\r\nContent-Length: 9\r\n\r\nsomething'
const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const busy = (fields: string, body = ''): string => `HTTP/1.1 503 Busy\r\n${fields}\r\n\r\n${body}`

/** A client that has sent all of its request, or all but its end. */
class Client implements Downstream {
  readonly exchange: Exchange
  hasBegun = false
  isAnswered = false
  answer = ''
  readonly #bytes: Buffer
  readonly #isWhole: boolean

  constructor(text: string, isWhole: boolean, to: Destination, chooser: Stage) {
    this.#bytes = Buffer.from(text)
    this.#isWhole = isWhole
    const reader = new RequestReader(DEFAULT_LIMITS)
    reader.read(this.#bytes, 0, this.#bytes.length)
    this.exchange = new Exchange(to, this, reader.head, '', 0)
    this.exchange.begin(0)
    this.exchange.chooser = chooser
  }

  ready(): void {
    const { upstream, request, kept } = this.exchange
    const bytes = kept ?? this.#bytes
    upstream?.body(bytes, request.end, bytes.length)
    if (this.#isWhole) upstream?.end()
    upstream?.flush()
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.answer += bytes.toString('latin1', start, end)
  }

  flush(): boolean {
    return true
  }

  interim(): void {}
  head(): void {}
  trailers(): void {
    // Not looked at.
  }

  end(): void {}
  discard(): void {}
  resume(): void {}
  over(): void {}
  fail(): void {}
  tunnel(): void {}
}

/** A pool whose first response is not wanted. */
class Way implements Stage {
  readonly f: Fixture
  readonly pool: H1Pool
  readonly to: Destination
  readonly refusals: string[] = []
  readonly ends: string[] = []
  /** Responses that are sent back. */
  unwanted = 1

  constructor(t: Test) {
    this.f = new Fixture(t)
    this.to = this.f.destination(1)
    const [endpoint] = this.to.picker.endpoints
    if (endpoint === undefined) throw new Error('no endpoint')
    const host: PoolHost = {
      clock: this.f.clock,
      limits: DEFAULT_LIMITS,
      h2Limits: DEFAULT_H2_LIMITS,
      turn: new Turn(),
      connect: (address, dialer) => this.f.sockets.connect(address, dialer),
      connecting: () => undefined,
      disconnected: () => undefined,
      connectFailed: () => undefined,
      refused: (_, reason) => this.refusals.push(reason),
      brokeRules: () => undefined,
      roomMade: () => undefined,
    }
    this.pool = new H1Pool(endpoint, host)
  }

  client(text = GET, isWhole = true): Client {
    return new Client(text, isWhole, this.to, this)
  }

  /** Sends it on a new connection. */
  send(client: Client): FakeConnection {
    this.pool.open(client.exchange)
    return this.f.sockets.last.succeed()
  }

  open(): void {}

  headers({ upstream }: Exchange): void {
    if (this.unwanted === 0) return
    this.unwanted -= 1
    upstream?.abandon()
  }

  ended(_: Exchange, error: string | undefined): void {
    this.ends.push(error ?? 'well')
  }
}

/** What was written to a connection from the call `from` on. */
function written({ calls }: FakeConnection, from = 0): string {
  const writes = calls.slice(from).filter((call) => call.startsWith('write '))
  return writes.map((call) => call.slice('write '.length)).join('')
}

/** Another request goes over the same connection and is answered. */
function isGood(t: Test, way: Way, connection: FakeConnection): void {
  t.equal(connection.closed, '')
  t.ok(way.pool.hasIdle)
  const before = connection.calls.length
  const next = way.client(OTHER)
  next.exchange.now = way.f.clock.now()
  way.pool.open(next.exchange)
  t.equal(written(connection, before), OTHER)
  connection.arrive(ANSWER)
  t.same([next.answer, next.exchange.status, way.ends], ['ok', 200, ['well']])
  t.ok(way.pool.hasIdle)
  t.same(way.refusals, [])
}

t.test('leftover: a connection is used again when the rest has come with the head', async (t) => {
  for (const response of [
    'HTTP/1.1 204 No\r\n\r\n',
    busy('Content-Length: 0'),
    busy('Content-Length: 4', 'gone'),
    busy('Transfer-Encoding: chunked', '4\r\ngone\r\n0\r\nX-T: 1\r\n\r\n'),
    busy('Content-Length: 65536', 'x'.repeat(65_536)),
  ]) {
    const way = new Way(t)
    const client = way.client()
    const connection = way.send(client)
    connection.arrive(response)
    t.equal(client.exchange.upstream, undefined)
    t.equal(client.answer, '', 'the client gets nothing of it')
    t.equal(client.exchange.responseBytes, response.indexOf('\r\n\r\n') + 4)
    isGood(t, way, connection)
    t.equal(way.to.open, 1)
  }
})

t.test('leftover: a connection is used again when the rest comes byte by byte', async (t) => {
  for (const body of [
    ['Content-Length: 4', 'gone'],
    ['Transfer-Encoding: chunked', '4\r\ngone\r\n0\r\nX-T: 1\r\n\r\n'],
  ] as const) {
    const way = new Way(t)
    const connection = way.send(way.client())
    connection.arrive(busy(body[0]))
    for (const byte of body[1]) {
      t.notOk(way.pool.hasIdle)
      connection.arrive(byte)
    }
    isGood(t, way, connection)
    const head = busy(body[0]).length
    t.equal(way.pool.counters.sent, head + body[1].length + ANSWER.length, 'all bytes are counted')
  }
})

t.test('leftover: a client of HTTP/1.0 makes no difference', async (t) => {
  const way = new Way(t)
  const client = way.client()
  client.exchange.plainBody = true
  const connection = way.send(client)
  connection.arrive(busy('Transfer-Encoding: chunked', '4\r\ngo'))
  connection.arrive('ne\r\n0\r\n\r\n')
  isGood(t, way, connection)
})

t.test('leftover: who waits for a connection gets it', async (t) => {
  const way = new Way(t)
  const connection = way.send(way.client())
  const next = way.client(OTHER)
  way.pool.open(next.exchange)
  connection.arrive(busy('Content-Length: 4', 'go'))
  const before = connection.calls.length
  connection.arrive('ne')
  t.equal(written(connection, before), OTHER)
  connection.arrive(ANSWER)
  t.equal(next.answer, 'ok')
})

t.test(
  'leftover: the first request is as it was after its connection carried another',
  async (t) => {
    const way = new Way(t)
    const client = way.client()
    const first = way.send(client)
    first.arrive(busy('Content-Length: 4', 'gone'))
    for (let turn = 0; turn < 3; turn += 1) {
      way.pool.open(way.client(OTHER).exchange)
      first.arrive(ANSWER)
    }
    t.equal(client.exchange.kept?.toString(), GET)
    t.ok(client.exchange.rewind())
    client.exchange.needsNew = true
    const second = way.send(client)
    t.equal(written(second), again(GET))
    second.arrive(ANSWER)
    t.equal(client.answer, 'ok')
  },
)

t.test('leftover: the same with a body, while the other request is under way', async (t) => {
  const way = new Way(t)
  const text = `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\n${'b'.repeat(900)}`
  const client = way.client(text)
  const first = way.send(client)
  first.arrive(busy('Content-Length: 4', 'gone'))
  const other = way.client(OTHER.replaceAll('o', '0'))
  way.pool.open(other.exchange)
  t.ok(client.exchange.rewind())
  client.exchange.needsNew = true
  t.equal(written(way.send(client)), again(text))
})

t.test('leftover: a rest that is too long costs the connection', async (t) => {
  for (const [head, ...rest] of [
    [busy('Content-Length: 65537')],
    [busy('Transfer-Encoding: chunked'), '10001\r\n', 'x'.repeat(65_530)],
    [busy('Transfer-Encoding: chunked'), ...Array<string>(6600).fill('5\r\nabcde\r\n')],
  ]) {
    const way = new Way(t)
    const connection = way.send(way.client())
    connection.arrive(head ?? '')
    for (const piece of rest) connection.arrive(piece)
    t.equal(connection.closed, 'reset')
    t.same([way.pool.size, way.to.open, way.refusals.length, way.ends.length], [0, 0, 0, 0])
  }
})

t.test('leftover: a rest that is refused costs the connection, and so does more', async (t) => {
  const cases: readonly (readonly [reason: string, head: string, ...rest: string[]])[] = [
    ['chunk-size', busy('Transfer-Encoding: chunked'), 'x\r\n'],
    ['chunk-size', busy('Transfer-Encoding: chunked', 'x\r\n')],
    ['response-unsolicited', busy('Content-Length: 4', 'goneHTTP/1.1 200 OK\r\n')],
    ['response-unsolicited', busy('Content-Length: 4'), 'gone', 'H'],
    ['response-unsolicited', 'HTTP/1.1 204 No\r\n\r\nH'],
    ['response-unsolicited', busy('Transfer-Encoding: chunked'), '0\r\n', '\r\nH'],
  ]
  for (const [reason, head, ...rest] of cases) {
    const way = new Way(t)
    const connection = way.send(way.client())
    connection.arrive(head)
    for (const piece of rest) connection.arrive(piece)
    t.not(connection.closed, '', head)
    t.match(way.refusals, [new RegExp(reason)], head)
    t.same([way.pool.size, way.to.open, way.pool.hasIdle], [0, 0, false])
  }
})

t.test('leftover: a rest that does not come costs the connection', async (t) => {
  const way = new Way(t)
  const connection = way.send(way.client())
  connection.arrive(busy('Content-Length: 10'))
  way.pool.sweep(1000)
  connection.arrive('slowly')
  way.pool.sweep(2000)
  t.equal(connection.closed, '')
  way.pool.sweep(3000)
  t.equal(connection.closed, 'reset')
  t.same([way.pool.size, way.to.open, way.ends.length], [0, 0, 0])
  way.pool.sweep(4000)
})

t.test('leftover: one that came in time is not looked for again', async (t) => {
  const way = new Way(t)
  const connection = way.send(way.client())
  connection.arrive(busy('Content-Length: 4'))
  way.pool.sweep(1000)
  way.pool.sweep(2000)
  connection.arrive('gone')
  way.pool.open(way.client(OTHER).exchange)
  for (let now = 3000; now < 9000; now += 1000) way.pool.sweep(now)
  t.equal(connection.closed, '')
  connection.arrive(ANSWER)
  t.same(way.ends, ['well'])
  way.unwanted = 1
  way.pool.open(way.client().exchange)
  connection.arrive(busy('Content-Length: 4'))
  way.pool.sweep(9000)
  way.pool.sweep(10_000)
  t.equal(connection.closed, '', 'each has its own time')
  way.pool.sweep(11_000)
  t.equal(connection.closed, 'reset')
})

t.test('leftover: a server that ends or breaks meanwhile', async (t) => {
  for (const end of [
    (connection: FakeConnection): void => {
      connection.arriveEnd()
    },
    (connection: FakeConnection): void => {
      connection.fail('ECONNRESET')
    },
  ]) {
    const way = new Way(t)
    const connection = way.send(way.client())
    connection.arrive(busy('Content-Length: 10', 'part'))
    end(connection)
    t.not(connection.closed, '')
    t.same([way.pool.size, way.to.open, way.ends.length, way.refusals.length], [0, 0, 0, 0])
    way.pool.sweep(1000)
  }
})

t.test('leftover: a pool that was retired closes it when it is through', async (t) => {
  const way = new Way(t)
  const connection = way.send(way.client())
  connection.arrive(busy('Content-Length: 4'))
  way.pool.retire()
  t.equal(connection.closed, '')
  t.notOk(way.pool.sweep(1000))
  connection.arrive('gone')
  t.equal(connection.closed, 'close')
  t.ok(way.pool.sweep(2000))
})

t.test('leftover: what cannot be used again is reset at once', async (t) => {
  for (const head of [
    busy('Connection: close\r\nContent-Length: 4'),
    busy('X-Until: the end'),
    'HTTP/1.0 503 Busy\r\nContent-Length: 4\r\n\r\n',
  ]) {
    const way = new Way(t)
    const connection = way.send(way.client())
    connection.arrive(head)
    t.equal(connection.closed, 'reset', head)
    t.equal(way.pool.size, 0)
  }
})

t.test('leftover: nor one that has not taken all of the request', async (t) => {
  const way = new Way(t)
  const text = `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab`
  const connection = way.send(way.client(text, false))
  connection.arrive(busy('Content-Length: 4', 'gone'))
  t.equal(connection.closed, 'reset', 'the client has not')

  const full = new Way(t)
  full.unwanted = 0
  const kept = full.send(full.client())
  kept.arrive(ANSWER)
  full.unwanted = 1
  kept.answers.push(PENDING)
  full.pool.open(full.client(OTHER).exchange)
  kept.arrive(busy('Content-Length: 4', 'gone'))
  t.equal(kept.closed, 'reset', 'the kernel has not')
})

t.test('leftover: without a head in hand nobody knows what is left', async (t) => {
  const way = new Way(t)
  way.unwanted = 0
  const silent = way.client()
  const first = way.send(silent)
  silent.exchange.upstream?.abandon()
  t.equal(first.closed, 'reset')
  const half = way.client()
  const second = way.send(half)
  second.arrive(busy('Content-Length: 4', 'go'))
  half.exchange.upstream?.abandon()
  t.equal(second.closed, 'reset')
  t.same([way.pool.size, way.to.open, half.exchange.upstream], [0, 0, undefined])
})
