// Requests that came over HTTP/2, as they leave for an endpoint over HTTP/1.1.

import t from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { PENDING } from '../../../src/proxy/net/connection.ts'
import { httpParserJs } from '../../fuzz/references.ts'
import { readRequests } from '../http/h1/transcript.ts'
import { streamedRequest, trailersOf } from '../http/streamed.ts'
import { Way } from './streams.ts'

const HEAD = 'POST /a HTTP/1.1\r\nhost: shop\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
/** An endpoint is told that it is not the first. */
const again = (text: string): string =>
  text.replace('\r\n\r\n', '\r\nx-envoy-attempt-count: 2\r\n\r\n')
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'

t.test('streamed requests: a small one leaves in one write, and is kept', async (t) => {
  const way = new Way(streamedRequest())
  way.client.isReady = () => {
    way.stage('abc', 'defg')
    way.end(trailersOf([['x-sum', '7']]))
  }
  way.upstream.carry(way.exchange)
  const all = `${HEAD}${CHUNKED}\r\n7\r\nabcdefg\r\n0\r\nx-sum: 7\r\n\r\n`
  t.same(way.wire.writes, [all])
  t.equal(way.exchange.kept?.toString('latin1'), all)
  t.ok(way.exchange.requestEnded)
})

t.test('streamed requests: what leaves together is one chunk, and none is empty', async (t) => {
  const way = new Way(streamedRequest())
  t.ok(way.carry())
  t.same(way.wire.take(), [`${HEAD}${CHUNKED}\r\n`], 'the head alone')
  t.ok(way.give())
  t.same(way.wire.take(), [], 'nothing to say')
  t.ok(way.give('ab', 'c', 'de'))
  t.same(way.wire.take(), ['5\r\nabcde\r\n'])
  const large = 'x'.repeat(70_000)
  t.ok(way.give(large))
  t.same(way.wire.take(), [`11170\r\n${large}\r\n`])
  t.ok(way.end())
  t.same(way.wire.take(), ['0\r\n\r\n'])
  t.ok(way.upstream.flush())
  t.same(way.wire.take(), [], 'once')
  t.equal(way.exchange.kept, undefined, 'it did not leave as a whole')
})

t.test('streamed requests: the end comes with what was left', async (t) => {
  const way = new Way(streamedRequest())
  way.carry('abc')
  t.same(way.wire.take(), [`${HEAD}${CHUNKED}\r\n3\r\nabc\r\n`])
  way.stage('d')
  way.end(trailersOf([]))
  t.same(way.wire.take(), ['1\r\nd\r\n0\r\n\r\n'])
})

t.test('streamed requests: content that turned out empty', async (t) => {
  const way = new Way(streamedRequest())
  way.client.isReady = () => {
    way.end()
  }
  way.upstream.carry(way.exchange)
  t.same(way.wire.take(), [`${HEAD}${CHUNKED}\r\n0\r\n\r\n`])
})

t.test('streamed requests: fields that no trailer section may have do not leave', async (t) => {
  const way = new Way(streamedRequest({ fields: ['te: trailers'] }))
  const head = trailersOf([
    ['x-a', '1'],
    ['content-length', '5'],
    ['host', 'b'],
    ['x-b', '2'],
    ['connection', 'x-b'],
  ])
  way.carry('a')
  t.match(way.wire.take()[0], '\r\nTE: trailers\r\nConnection: TE\r\n\r\n1\r\na\r\n')
  way.end(head)
  t.same(way.wire.take(), ['0\r\nx-a: 1\r\nx-b: 2\r\n\r\n'])
})

t.test('streamed requests: a length that was given is enough', async (t) => {
  const way = new Way(streamedRequest({ fields: ['content-length: 5'] }))
  way.carry('ab')
  way.stage('c', 'de')
  way.end(trailersOf([['x-sum', '7']]))
  t.same(way.wire.take(), [`${HEAD}content-length: 5\r\n\r\nab`, 'cde'], 'which leaves no room')
})

t.test('streamed requests: without content, where a server would wait to be told', async (t) => {
  for (const [line, fields, expected] of [
    ['POST /a', [], 'Content-Length: 0\r\n'],
    ['PUT /a', [], 'Content-Length: 0\r\n'],
    ['PATCH /a', [], 'Content-Length: 0\r\n'],
    ['POST /a', ['content-length: 0'], 'content-length: 0\r\n'],
    ['GET /a', [], ''],
    ['DELETE /a', [], ''],
  ] as const) {
    const way = new Way(streamedRequest({ line, fields, hasBody: false }))
    way.upstream.carry(way.exchange)
    way.end()
    t.same(way.wire.writes, [`${line} HTTP/1.1\r\nhost: shop\r\n${expected}\r\n`])
    t.ok(way.exchange.rewind())
    way.next(way.exchange.request)
    way.wire.receive(OK)
    way.upstream.carry(way.exchange)
    way.end()
    t.equal(way.wire.writes[1], way.wire.writes[0], 'and the same again')
  }
})

t.test('streamed requests: one that waits to be asked', async (t) => {
  const way = new Way(streamedRequest({ fields: ['expect: 100-continue'] }))
  t.ok(way.exchange.request.expectsContinue)
  way.carry()
  t.same(way.wire.take(), [`${HEAD}expect: 100-continue\r\n${CHUNKED}\r\n`])
  way.wire.receive('HTTP/1.1 100 Continue\r\n\r\n')
  t.equal(way.client.said[0], 'interim 100')
  way.stage('abc')
  way.end()
  t.same(way.wire.take(), ['3\r\nabc\r\n0\r\n\r\n'])
})

t.test('streamed requests: an endpoint that does not read holds the client back', async (t) => {
  const way = new Way(streamedRequest())
  way.carry()
  way.wire.answers.push(PENDING)
  t.notOk(way.give('abc', 'def'))
  const pending = way.wire.last
  t.notOk(way.give('ghi'), 'what comes all the same waits')
  t.same(pending.toString(), '6\r\nabcdef\r\n', 'and what is being written stays as it is')
  way.wire.drain()
  t.same(way.client.said, ['resume'])
  t.same(way.wire.take().slice(1), ['6\r\nabcdef\r\n', '3\r\nghi\r\n'])
})

t.test('streamed requests: what was kept is given again as it was framed', async (t) => {
  const way = new Way(streamedRequest({ fields: ['te: trailers', 'x-a: b'] }))
  way.client.isReady = () => {
    way.stage('abc')
    way.end(trailersOf([['x-sum', '7']]))
  }
  way.upstream.carry(way.exchange)
  const [first = ''] = way.wire.take()
  t.ok(way.exchange.rewind())
  way.wire.receive(OK)
  const { kept } = way.exchange
  way.client.isReady = () => {
    if (kept === undefined) throw new Error('nothing was kept')
    const { request } = way.exchange
    way.upstream.body(kept, request.end, kept.length)
    // They stand behind the chunks already.
    way.end(trailersOf([['x-sum', '7']]))
  }
  way.upstream.carry(way.exchange)
  t.same(way.wire.take(), [again(first)])
})

t.test(
  'streamed requests: what was given in vain over HTTP/2 is given over HTTP/1.1',
  async (t) => {
    const way = new Way(streamedRequest())
    const { exchange, upstream } = way
    exchange.keepForReplay()
    exchange.replay?.add(Buffer.from('abc'), 0, 3)
    exchange.sent = 1
    t.ok(exchange.rewind())
    exchange.attempt = 2
    way.client.isReady = () => {
      exchange.replay?.giveTo(upstream, exchange.attempt)
      way.stage('d')
      way.end()
    }
    upstream.carry(exchange)
    t.same(way.wire.take(), [again(`${HEAD}${CHUNKED}\r\n4\r\nabcd\r\n0\r\n\r\n`)])
    t.ok(exchange.rewind(), 'and from then on it is the bytes that were sent')
    t.equal(exchange.kept?.toString('latin1', exchange.request.end), '4\r\nabcd\r\n0\r\n\r\n')
  },
)

t.test('streamed requests: read again they have the same content and trailers', async (t) => {
  const seed = 20_260_729
  const random = seededRandom(seed)
  const upTo = (most: number): number => Math.floor(random() * most)
  let turns = 0
  for (; turns < 400; turns += 1) {
    const fields = random() < 0.5 ? ['te: trailers', 'x-a: b'] : ['trailer: x-t0']
    const way = new Way(streamedRequest({ fields }))
    const trailers = Array.from({ length: upTo(4) }, (_, i): [string, string] => [
      `x-t${i}`,
      letters(upTo(20), random),
    ])
    let content = ''
    way.upstream.carry(way.exchange)
    for (let flushes = upTo(5); flushes > 0; flushes -= 1) {
      const most = random() < 0.1 ? 40_000 : 40
      const pieces = Array.from({ length: upTo(4) }, () => letters(upTo(most), random))
      content += pieces.join('')
      way.stage(...pieces)
      if (random() < 0.9) way.upstream.flush()
    }
    const hasTrailers = random() < 0.8
    way.end(hasTrailers ? trailersOf(trailers) : undefined)
    const bytes = Buffer.from(way.wire.sent, 'latin1')
    const { messages, refusal } = readRequests([bytes], { decode: true })
    const [read] = messages
    const [other] = httpParserJs(bytes, { request: true, head: false }).readings
    const isSame =
      refusal === undefined &&
      messages.length === 1 &&
      read?.complete === true &&
      read.body === content &&
      String(read.trailers) === String(hasTrailers ? trailers : []) &&
      other?.complete === true &&
      other.body === content
    if (!isSame) {
      t.fail(`seed ${seed}, turn ${turns}`, { refusal, sent: way.wire.sent.slice(0, 2000) })
      break
    }
  }
  t.equal(turns, 400, `seed ${seed}`)
})

function letters(length: number, random: () => number): string {
  return Array.from({ length }, () => String.fromCharCode(97 + Math.floor(random() * 26))).join('')
}
