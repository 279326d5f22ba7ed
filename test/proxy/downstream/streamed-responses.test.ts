// Responses that came over HTTP/2, as they leave for clients that speak HTTP/1.1 and HTTP/1.0.

import t, { type Test } from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { H1Downstream } from '../../../src/proxy/downstream/h1-downstream.ts'
import type { DownstreamHost } from '../../../src/proxy/downstream/host.ts'
import { HeadWriter } from '../../../src/proxy/http/h1/head-writer.ts'
import { Asked } from '../../../src/proxy/http/h1/response-rules.ts'
import { DEFAULT_H2_LIMITS } from '../../../src/proxy/http/h2/h2-limits.ts'
import type { Head } from '../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { PENDING } from '../../../src/proxy/net/connection.ts'
import { Ticker } from '../../../src/proxy/net/ticker.ts'
import { Turn } from '../../../src/proxy/net/turn.ts'
import type { Exchange, Upstream } from '../../../src/proxy/stack/exchange.ts'
import { Http2Counters } from '../../../src/proxy/stack/http2-counters.ts'
import { httpParserJs } from '../../fuzz/references.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { readResponses } from '../http/h1/transcript.ts'
import { streamedResponse, trailersOf, Wire } from '../http/streamed.ts'
import { destination } from '../resilience/bare-way.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const WELCOME = 'GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n'
const OLD = 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n'
const HEAD = 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const SUM = [['x-sum', '7']] as const

/** The endpoint's side, which is played by the test. */
const UPSTREAM: Upstream = {
  body: () => undefined,
  trailers: () => undefined,
  end: () => undefined,
  flush: () => true,
  resume: () => undefined,
  cancel: () => undefined,
  abandon: () => undefined,
}

interface Client {
  readonly wire: Wire
  readonly exchange: Exchange
}

/** Makes clients that share what clients of one proxy share; each has sent a request. */
function clients(t: Test): (request: string) => Client {
  const clock = new FakeClock()
  const ticker = new Ticker(clock, () => undefined)
  t.teardown(() => {
    ticker.stop()
  })
  const host: DownstreamHost = {
    ...{ clock, ticker, writer: new HeadWriter(), limits: DEFAULT_LIMITS, isDraining: false },
    ...{ h2Limits: DEFAULT_H2_LIMITS, turn: new Turn(), http2Of: () => new Http2Counters() },
    refused: () => undefined,
    answered: () => undefined,
    broken: () => undefined,
    closed: () => undefined,
  }
  return (request) => {
    const to = destination()
    const opened: Exchange[] = []
    to.requests = {
      open: (exchange) => opened.push(exchange),
      headers: () => undefined,
      ended: () => undefined,
    }
    const wire = new Wire()
    new H1Downstream(wire, to, '10.0.0.1', 1, host).start(Buffer.from(request))
    const [exchange] = opened
    if (exchange === undefined) throw new Error(`refused: ${request}`)
    exchange.upstream = UPSTREAM
    exchange.downstream.ready()
    return { wire, exchange }
  }
}

function give({ downstream }: Exchange, ...pieces: readonly string[]): void {
  for (const piece of pieces) {
    const bytes = Buffer.from(`-${piece}-`, 'latin1')
    downstream.body(bytes, 1, bytes.length - 1)
  }
}

function end({ downstream }: Exchange, trailers?: Head): boolean {
  if (trailers !== undefined) downstream.trailers(trailers)
  downstream.end()
  return downstream.flush()
}

t.test('streamed responses: a small one leaves in one write', async (t) => {
  const { wire, exchange } = clients(t)(GET)
  exchange.downstream.head(streamedResponse(200, ['x-a: b']))
  give(exchange, 'abc', 'de')
  t.ok(end(exchange))
  t.same(wire.writes, [`HTTP/1.1 200 X\r\nx-a: b\r\n${CHUNKED}\r\n5\r\nabcde\r\n0\r\n\r\n`])
  exchange.downstream.over()
  wire.take()
  wire.receive(GET)
  exchange.downstream.head(streamedResponse(200, ['content-length: 3']))
  give(exchange, 'abc')
  end(exchange)
  t.same(wire.writes, ['HTTP/1.1 200 X\r\ncontent-length: 3\r\n\r\nabc'], 'and the next as it came')
})

t.test('streamed responses: each flush is a chunk, and none is empty', async (t) => {
  const { wire, exchange } = clients(t)(WELCOME)
  exchange.downstream.head(streamedResponse(200, ['trailer: x-sum']))
  t.ok(exchange.downstream.flush())
  t.same(wire.take(), [`HTTP/1.1 200 X\r\ntrailer: x-sum\r\n${CHUNKED}\r\n`])
  t.ok(exchange.downstream.hasBegun)
  t.ok(exchange.downstream.flush())
  give(exchange, 'a', 'bc')
  t.ok(exchange.downstream.flush())
  const large = 'x'.repeat(50_000)
  give(exchange, large.slice(1), 'x')
  t.ok(exchange.downstream.flush())
  t.same(wire.take(), ['3\r\nabc\r\n', `c350\r\n${large}\r\n`])
  t.ok(end(exchange, trailersOf(SUM)))
  t.same(wire.take(), ['0\r\nx-sum: 7\r\n\r\n'])
})

t.test('streamed responses: trailers are for those who asked for them', async (t) => {
  const { wire, exchange } = clients(t)(GET)
  exchange.downstream.head(streamedResponse(200, ['trailer: x-sum']))
  give(exchange, 'a')
  end(exchange, trailersOf(SUM))
  t.same(wire.writes, [`HTTP/1.1 200 X\r\n${CHUNKED}\r\n1\r\na\r\n0\r\n\r\n`])
})

t.test('streamed responses: a client of HTTP/1.0 reads up to the end', async (t) => {
  const { wire, exchange } = clients(t)(OLD)
  exchange.downstream.head(streamedResponse(200, ['trailer: x-sum']))
  give(exchange, 'ab', 'c')
  end(exchange, trailersOf(SUM))
  t.same(wire.writes, ['HTTP/1.1 200 X\r\nConnection: close\r\n\r\nabc'])
  exchange.downstream.over()
  t.ok(wire.ended)
})

t.test('streamed responses: a client of HTTP/1.0 that is given a length stays', async (t) => {
  const { wire, exchange } = clients(t)(OLD)
  exchange.downstream.head(streamedResponse(200, ['content-length: 3']))
  give(exchange, 'abc')
  end(exchange)
  exchange.downstream.over()
  t.same(wire.writes, ['HTTP/1.1 200 X\r\ncontent-length: 3\r\nConnection: keep-alive\r\n\r\nabc'])
  t.notOk(wire.ended)
})

t.test('streamed responses: those without a body have none, whatever follows', async (t) => {
  const client = clients(t)
  for (const [request, status] of [
    [HEAD, 200],
    [GET, 204],
    [GET, 304],
    [OLD, 304],
  ] as const) {
    for (const hasBody of [false, true]) {
      const { wire, exchange } = client(request)
      exchange.downstream.head(streamedResponse(status, ['x-a: b'], hasBody))
      if (hasBody) give(exchange, 'HTTP/1.1 200 OK\r\n\r\n')
      end(exchange, hasBody ? trailersOf(SUM) : undefined)
      const stays = request === OLD ? 'Connection: keep-alive\r\n' : ''
      t.same(wire.writes, [`HTTP/1.1 ${status} X\r\nx-a: b\r\n${stays}\r\n`])
    }
  }
})

t.test('streamed responses: heads that come together do not mix', async (t) => {
  const client = clients(t)
  const both = [client(GET), client(WELCOME)]
  for (const [at, { exchange }] of both.entries()) {
    exchange.responseLines = Buffer.from(`x-line: ${at}\r\n`)
    exchange.downstream.head(streamedResponse(200 + at, [`x-a: ${at}`]))
    give(exchange, `body ${at}`)
  }
  both[1]?.exchange.downstream.interim(streamedResponse(103, ['x-b: 1'], false))
  for (const { exchange } of both) end(exchange)
  t.same(
    both.map(({ wire }) => wire.sent),
    [0, 1].map((at) => {
      const hint = at === 1 ? 'HTTP/1.1 103 X\r\nx-b: 1\r\n\r\n' : ''
      const head = `HTTP/1.1 ${200 + at} X\r\nx-a: ${at}\r\n${CHUNKED}x-line: ${at}\r\n\r\n`
      return `${hint}${head}6\r\nbody ${at}\r\n0\r\n\r\n`
    }),
  )
})

t.test('streamed responses: what is taken back leaves nothing behind', async (t) => {
  const { wire, exchange } = clients(t)(WELCOME)
  exchange.downstream.head(streamedResponse(503))
  give(exchange, 'no')
  exchange.downstream.trailers(trailersOf(SUM))
  exchange.downstream.discard()
  exchange.downstream.flush()
  t.same(wire.writes, [])
  t.notOk(exchange.downstream.hasBegun)
  exchange.downstream.head(streamedResponse(200))
  give(exchange, 'yes')
  end(exchange)
  t.same(wire.writes, [`HTTP/1.1 200 X\r\n${CHUNKED}\r\n3\r\nyes\r\n0\r\n\r\n`])
})

t.test('streamed responses: one that breaks off is never ended in order', async (t) => {
  for (const request of [GET, OLD]) {
    const { wire, exchange } = clients(t)(request)
    exchange.downstream.head(streamedResponse(200))
    give(exchange, 'abc')
    exchange.downstream.flush()
    exchange.downstream.fail('response-incomplete')
    t.equal(wire.closed, 'reset')
    t.notMatch(wire.sent, '\r\n0\r\n')
  }
})

t.test('streamed responses: a client that does not read holds its own back alone', async (t) => {
  const client = clients(t)
  const [slow, quick] = [client(GET), client(GET)]
  for (const { exchange } of [slow, quick]) {
    exchange.downstream.head(streamedResponse(200))
    exchange.downstream.flush()
  }
  slow.wire.take()
  slow.wire.answers.push(PENDING)
  give(slow.exchange, 'slow', 'er')
  t.notOk(slow.exchange.downstream.flush())
  const pending = slow.wire.last
  give(quick.exchange, 'quick', 'er')
  t.ok(quick.exchange.downstream.flush())
  t.equal(pending.toString(), '6\r\nslower\r\n', 'what is being written stays as it is')
  t.notOk(end(slow.exchange))
  slow.wire.drain()
  t.same(slow.wire.take(), ['6\r\nslower\r\n', '0\r\n\r\n'])
})

t.test('streamed responses: read again they have the same content and trailers', async (t) => {
  const seed = 20_260_730
  const random = seededRandom(seed)
  const upTo = (most: number): number => Math.floor(random() * most)
  const letters = (length: number): string =>
    Array.from({ length }, () => String.fromCharCode(97 + upTo(26))).join('')
  const client = clients(t)
  let turns = 0
  for (; turns < 400; turns += 1) {
    const { wire, exchange } = client(WELCOME)
    const trailers = Array.from({ length: upTo(4) }, (_, i): [string, string] => [
      `x-t${i}`,
      letters(upTo(20)),
    ])
    const hasTrailers = random() < 0.8
    let content = ''
    exchange.downstream.head(streamedResponse(200, ['x-a: b']))
    for (let flushes = upTo(5); flushes > 0; flushes -= 1) {
      const most = random() < 0.1 ? 40_000 : 40
      const pieces = Array.from({ length: upTo(4) }, () => letters(upTo(most)))
      content += pieces.join('')
      give(exchange, ...pieces)
      if (random() < 0.9) exchange.downstream.flush()
    }
    end(exchange, hasTrailers ? trailersOf(trailers) : undefined)
    const bytes = Buffer.from(wire.sent, 'latin1')
    const { messages, refusal } = readResponses([bytes], { decode: true, asked: [Asked.nothing] })
    const [read] = messages
    const [other] = httpParserJs(bytes, { request: false, head: false }).readings
    const isSame =
      refusal === undefined &&
      messages.length === 1 &&
      read?.complete === true &&
      read.body === content &&
      String(read.trailers) === String(hasTrailers ? trailers : []) &&
      other?.complete === true &&
      other.body === content
    if (!isSame) {
      t.fail(`seed ${seed}, turn ${turns}`, { refusal, sent: wire.sent.slice(0, 2000) })
      break
    }
  }
  t.equal(turns, 400, `seed ${seed}`)
})
