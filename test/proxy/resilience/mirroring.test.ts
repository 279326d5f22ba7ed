// Which requests are copied, when, and what becomes of copies; the stage by itself, with a mirror that the test plays.

import t from 'tap'
import { Mirroring } from '../../../src/proxy/resilience/mirroring.ts'
import type { Destination } from '../../../src/proxy/stack/destination.ts'
import { Exchange, type Upstream } from '../../../src/proxy/stack/exchange.ts'
import type { FindService } from '../../../src/proxy/stack/route.ts'
import { streamedRequest } from '../http/streamed.ts'
import { destination, exchange, FakeWorld, Notes } from './bare-way.ts'

const MIRROR = { service: 'next.default', port: 80, share: 0.5 }
const GET = 'GET /a HTTP/1.1\r\nHost: shop:80\r\n\r\n'
const post = (fields: string, body = ''): string =>
  `POST /a HTTP/1.1\r\nHost: shop:80\r\n${fields}\r\n\r\n${body}`

class Way {
  readonly world: FakeWorld = new FakeWorld()
  readonly above: Notes = new Notes(this.world)
  readonly below: Notes = new Notes(this.world)
  readonly shop: Destination = destination()
  readonly next: Destination = destination('next.default:80')
  /** Copies that have reached the mirror. */
  readonly copies: Exchange[] = []
  readonly mirroring: Mirroring

  constructor(find?: FindService) {
    this.next.requests = {
      open: (copy) => this.copies.push(copy),
      headers: () => undefined,
      ended: () => undefined,
    }
    const named: FindService = (service, port) =>
      service === MIRROR.service && port === MIRROR.port ? this.next : undefined
    this.mirroring = new Mirroring(this.world, this.above, this.shop, find ?? named)
    this.mirroring.above(this.below)
  }

  /** A request that has come to the stage. */
  open(text = GET, lot = 0): Exchange {
    const made = exchange(this.world, { mirror: MIRROR }, text, this.shop)
    this.world.lots.push(lot)
    this.mirroring.open(made)
    return made
  }

  /** The same, sent whole in one write. */
  sent(): Exchange {
    const made = this.open()
    made.kept = Buffer.from(GET)
    made.requestEnded = true
    return made
  }

  /** Mirrored, dropped, failed. */
  get counts(): number[] {
    const { mirrored, mirrorsDropped, mirrorFailures } = this.shop.resilience
    return [mirrored, mirrorsDropped, mirrorFailures]
  }
}

/** Takes what a copy sends. */
class Taker implements Upstream {
  text = ''
  ends = 0

  body(bytes: Buffer, start: number, end: number): void {
    this.text += bytes.toString('latin1', start, end)
  }

  trailers(): void {
    // None are sent here.
  }

  end(): void {
    this.ends += 1
  }

  flush(): boolean {
    return false
  }

  resume(): void {}
  cancel(): void {}
  abandon(): void {}
}

t.test('mirroring: a copy of a call fails by its code', async (t) => {
  for (const [status, grpcStatus, isBad] of [
    [200, 0, false],
    [200, 5, false],
    [200, 14, true],
    [200, -1, true],
    [503, 0, true],
  ] as const) {
    const f = new Way()
    const call = f.open()
    call.isGrpc = true
    call.kept = Buffer.from(GET)
    call.requestEnded = true
    f.mirroring.ended(call, undefined)
    f.world.clock.advance(1)
    const [copy] = f.copies
    if (copy === undefined) throw new Error('no copy')
    t.ok(copy.isGrpc)
    copy.status = status
    copy.grpcStatus = grpcStatus
    copy.downstream.over()
    t.same(f.counts, [1, 0, isBad ? 1 : 0], `${status} ${grpcStatus}`)
  }
})

t.test('mirroring: a route without it is left alone', async (t) => {
  const way = new Way()
  const made = exchange(way.world, {}, GET, way.shop)
  way.mirroring.open(made)
  made.kept = Buffer.from(GET)
  way.mirroring.headers(made)
  way.mirroring.ended(made, undefined)
  t.equal(way.world.draws, 0)
  t.same(way.above.seen, ['0 headers', '0 ended well'])
  t.same([way.copies.length, ...way.counts], [0, 0, 0, 0])
})

t.test('mirroring: a share of the requests is copied, when the response is there', async (t) => {
  const way = new Way()
  t.notOk(way.open(GET, 0.5).isMirrored)
  const made = way.sent()
  t.ok(made.isMirrored)
  t.equal(made.replay, undefined, 'what leaves in one write is kept anyway')
  t.equal(way.copies.length, 0)
  way.mirroring.headers(made)
  t.same(way.above.seen, ['0 headers'])
  t.equal(way.copies.length, 1)
  way.mirroring.ended(made, undefined)
  t.equal(way.copies.length, 1, 'once')
  t.same(way.counts, [1, 0, 0])
  const copy = way.copies[0]
  t.equal(copy?.request.authority, 'shop-shadow:80')
  t.same([copy?.speaks, copy?.isGrpc], ['http1', false])
  t.same([copy?.source, copy?.depth, copy?.destination], ['10.0.0.1', 2, way.next])
})

t.test('mirroring: of one that fails, when it has', async (t) => {
  const way = new Way()
  way.mirroring.ended(way.sent(), 'upstream-reset')
  t.same([way.copies.length, ...way.counts], [1, 1, 0, 0])
  t.same(way.above.seen, ['0 ended upstream-reset'])
})

t.test('mirroring: one that was never sent is not copied', async (t) => {
  const way = new Way()
  way.mirroring.ended(way.open(), 'no-endpoints')
  t.same([way.copies.length, ...way.counts], [0, 0, 1, 0])
})

t.test('mirroring: of one that is answered early, when it has come whole', async (t) => {
  const way = new Way()
  const made = way.open(post('Content-Length: 6'))
  made.replay?.add(Buffer.from('abc'), 0, 3)
  way.mirroring.headers(made)
  t.equal(way.copies.length, 0)
  made.replay?.add(Buffer.from('def'), 0, 3)
  made.requestEnded = true
  way.mirroring.ended(made, undefined)
  t.equal(way.copies.length, 1)
  const cut = way.open(post('Content-Length: 6'))
  way.mirroring.headers(cut)
  way.mirroring.ended(cut, undefined)
  t.same([way.copies.length, ...way.counts], [1, 1, 1, 0])
})

t.test('mirroring: bodies are kept up to 64 KiB', async (t) => {
  const way = new Way()
  t.ok(way.open(post('Content-Length: 65536')).isMirrored)
  t.notOk(way.open(post('Content-Length: 65537')).isMirrored)
  t.same(way.counts, [0, 1, 0])
  const made = way.open(post('Transfer-Encoding: chunked'))
  t.ok(made.isMirrored)
  made.replay?.add(Buffer.alloc(65_537), 0, 65_537)
  made.requestEnded = true
  way.mirroring.headers(made)
  way.mirroring.ended(made, undefined)
  t.same([way.copies.length, ...way.counts], [0, 0, 2, 0])
})

t.test('mirroring: what another stage keeps already is used', async (t) => {
  const way = new Way()
  const made = exchange(way.world, { mirror: MIRROR }, post('Content-Length: 1'), way.shop)
  made.keepForReplay()
  const { replay } = made
  way.mirroring.open(made)
  t.equal(made.replay, replay)
})

t.test('mirroring: what becomes something else than a request is never copied', async (t) => {
  const way = new Way()
  for (const text of [
    'CONNECT shop:80 HTTP/1.1\r\nHost: shop:80\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: shop\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
    post('Content-Length: 3\r\nExpect: 100-continue'),
  ]) {
    t.notOk(way.open(text).isMirrored, text)
  }
  t.same([way.world.draws, ...way.counts], [0, 0, 0, 0])
})

t.test('mirroring: a mirror that nobody knows, or that has no way', async (t) => {
  for (const found of [undefined, destination('next.default:80')]) {
    const way = new Way(() => found)
    way.mirroring.headers(way.sent())
    t.same(way.counts, [0, 1, 0])
    t.same(way.above.seen, ['0 headers'])
  }
})

t.test('mirroring: no demands of a route hold for a copy', async (t) => {
  const way = new Way()
  way.next.route = { ...way.next.route, name: 'other', mirror: { ...MIRROR, share: 1 } }
  way.mirroring.headers(way.sent())
  const copy = way.copies[0]
  t.ok(copy?.isCopy)
  t.same(
    [copy?.route.name, copy?.route.mirror, copy?.route.retry.attempts],
    ['default', undefined, 0],
  )
})

t.test('mirroring: a copy has what is left of the time, and 15 seconds at most', async (t) => {
  const way = new Way()
  way.world.clock.advance(1000)
  for (const [deadline, expected] of [
    [Number.POSITIVE_INFINITY, 16_000],
    [16_001, 16_000],
    [3000, 3000],
  ] as const) {
    const made = way.sent()
    made.deadline = deadline
    way.mirroring.headers(made)
    t.equal(way.copies.at(-1)?.deadline, expected)
  }
})

t.test('mirroring: a copy gives its request, and takes any response', async (t) => {
  const way = new Way()
  const made = way.open(post('Content-Length: 3'))
  made.replay?.add(Buffer.from('abc'), 0, 3)
  made.requestEnded = true
  way.mirroring.headers(made)
  const copy = way.copies[0]
  if (copy === undefined) throw new Error('no copy')
  const { downstream } = copy
  downstream.ready()
  const taker = new Taker()
  copy.upstream = taker
  downstream.ready()
  t.same([taker.text, taker.ends], ['abc', 1])
  downstream.interim(copy.request)
  downstream.head(copy.request)
  t.notOk(downstream.hasBegun)
  downstream.discard()
  t.ok(downstream.flush())
  t.notOk(downstream.hasBegun, 'what was discarded has not begun')
  downstream.head(copy.request)
  downstream.body(Buffer.from('x'), 0, 1)
  t.ok(downstream.flush(), 'it takes what comes')
  t.ok(downstream.hasBegun)
  downstream.end()
  downstream.resume()
})

t.test('mirroring: what was kept of a copy is what it gives when it is sent again', async (t) => {
  const way = new Way()
  const made = way.open(post('Content-Length: 3'))
  made.kept = Buffer.from(post('Content-Length: 3', 'abc'))
  way.mirroring.headers(made)
  const copy = way.copies[0]
  if (copy === undefined) throw new Error('no copy')
  copy.kept = Buffer.from(post('X-Longer: than before\r\nContent-Length: 3', 'abc'))
  t.ok(copy.rewind())
  const taker = new Taker()
  copy.upstream = taker
  copy.downstream.ready()
  t.same([taker.text, taker.ends], ['abc', 1])
})

t.test('mirroring: a copy goes in the protocol of its original, with its own bytes', async (t) => {
  const way = new Way()
  const client = exchange(way.world, {}, GET, way.shop)
  const request = streamedRequest()
  const made = new Exchange(way.shop, client.downstream, request, '10.0.0.1', 2)
  made.speaks = 'http2'
  for (const body of ['abc', 'xyzxyz']) {
    made.begin(0)
    made.isGrpc = true
    made.route = { ...made.route, mirror: { ...MIRROR, share: 1 } }
    way.mirroring.open(made)
    t.ok(made.isMirrored)
    made.replay?.add(Buffer.from(body), 0, body.length)
    made.requestEnded = true
    way.mirroring.headers(made)
    // The original is over, and its memory is the next one's, before the copy is sent.
    made.replay?.body.fill(0)
  }
  const texts = way.copies.map((copy) => {
    t.same([copy.speaks, copy.isGrpc], ['http2', true])
    const taker = new Taker()
    copy.upstream = taker
    copy.downstream.ready()
    return `${copy.request.contentLength} ${taker.text}`
  })
  t.same(texts, ['3 abc', '6 xyzxyz'])
})

t.test('mirroring: how copies end is counted, and nothing of them stays', async (t) => {
  const way = new Way()
  for (const end of [
    (copy: Exchange): void => {
      copy.status = 404
      copy.downstream.over()
    },
    (copy: Exchange): void => {
      copy.status = 500
      copy.downstream.over()
    },
    (copy: Exchange): void => {
      copy.downstream.fail('upstream-reset')
    },
  ]) {
    way.mirroring.headers(way.sent())
    const copy = way.copies.at(-1)
    if (copy === undefined) throw new Error('no copy')
    way.world.wheel.set(copy.deadlineAlarm, 1000, 0, { rang: () => t.fail('it rang') })
    end(copy)
  }
  t.same(way.counts, [3, 0, 2])
  t.equal(way.world.wheel.size, 0)
})

t.test('mirroring: 1,024 copies at once, and 16 MiB of them', async (t) => {
  const way = new Way()
  const late = way.sent()
  for (let count = 0; count < 1024; count += 1) way.mirroring.headers(way.sent())
  t.same(way.counts, [1024, 0, 0])
  t.notOk(way.open().isMirrored, 'nothing is kept for it')
  way.mirroring.headers(late)
  t.same(way.counts, [1024, 2, 0])
  way.copies[0]?.downstream.over()
  way.mirroring.headers(way.sent())
  t.same(way.counts, [1025, 2, 0])

  const large = new Way()
  const body = Buffer.alloc(65_000)
  for (let count = 0; count < 300; count += 1) {
    const made = large.open(post('Content-Length: 65000'))
    made.replay?.add(body, 0, body.length)
    made.requestEnded = true
    large.mirroring.headers(made)
    large.mirroring.ended(made, undefined)
  }
  t.equal(large.copies.length, Math.ceil((16 * 1_048_576) / (65_000 + 60)))
  for (const copy of large.copies) copy.downstream.over()
  t.ok(large.open(post('Content-Length: 65000')).isMirrored)
})

t.test('mirroring: a tunnel that nobody asked for is closed', async (t) => {
  const way = new Way()
  way.mirroring.headers(way.sent())
  const copy = way.copies[0]
  if (copy === undefined) throw new Error('no copy')
  const told: string[] = []
  const lowest = new Notes(way.world)
  copy.lowest = lowest
  const connection = { reset: () => told.push('reset') }
  const end = { connection, counters: { received: 0, sent: 0 }, closed: () => told.push('closed') }
  copy.downstream.tunnel(end as never, undefined)
  t.same(told, ['reset', 'closed'])
  t.same(lowest.seen, ['0 ended response-refused'])
})
