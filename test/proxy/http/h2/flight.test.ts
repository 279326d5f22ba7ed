// What was on its way when a stream was reset or a connection left (RFC 9113 sections 5.1 and 6.8): it is not acted on,
// but what all streams share is kept in step. And how a connection is left in two steps.

import t from 'tap'
import { H2Rig } from '../../../support/h2-rig.ts'
import {
  block,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  goaway,
  headers,
  literal,
  ping,
  priority,
  request,
  response,
  rstStream,
  settings,
  windowUpdate,
} from '../../../support/h2-wire.ts'
import { answered } from './conform.ts'

const PONG = 'PING 12345678 ACK'
const MOST = 2 ** 31 - 1

function post(id: number): Buffer {
  return headers(id, request([], 'POST'), END_HEADERS)
}

t.test('http2: RFC 9113 section 5.1: behind our RST_STREAM everything is ignored', async (t) => {
  const rig = new H2Rig({ manners: { answers: 'never' } })
  rig.feed(post(1))
  rig.app.cancel(1)
  rig.turn()
  t.strictSame(rig.told(), ['RST_STREAM 1 CANCEL'])
  rig.app.take()
  const trailers = Buffer.concat([literal(0x40, 'x-sum', 'one'), block([['x', 'y']])])
  rig.feed(data(1, 'abc'), priority(1, 0), windowUpdate(1, 5), data(1, 'abc'))
  rig.feed(headers(1, trailers.subarray(0, 4), END_STREAM), continuation(1, trailers.subarray(4)))
  rig.feed(rstStream(1, 8), ping())
  t.strictSame(rig.told(), [PONG])
  t.strictSame(rig.app.take(), [])
  rig.feed(headers(3, Buffer.concat([request(), Buffer.from([0xbe])])))
  const { head } = rig.app.stream(3)
  t.equal(head.valueAt(head.find('x-sum')), 'one', 'but the header table has what came')
})

t.test('http2: RFC 9113 section 5.1: behind a stream error everything is ignored', async (t) => {
  const rig = new H2Rig()
  const wrong = Buffer.concat([request(), literal(0x40, 'x-sum', 'one'), block([['X', 'y']])])
  rig.feed(headers(1, wrong, END_HEADERS))
  t.strictSame(rig.told(), ['RST_STREAM 1 PROTOCOL_ERROR'])
  rig.feed(data(1, 'abc'), data(1, 'abc', END_STREAM), ping())
  t.strictSame(rig.told(), [PONG])
  rig.feed(headers(3, Buffer.concat([request(), Buffer.from([0xbe])])))
  t.strictSame(rig.told(), answered(3), 'and the header table has what came')
})

t.test('http2: RFC 9113 section 5.1: many resets of ours are remembered', async (t) => {
  const rig = new H2Rig({ limits: { maxFaults: 1e9 }, manners: { answers: 'never' } })
  for (let id = 1; id < 200; id += 2) {
    rig.feed(post(id))
    rig.app.cancel(id)
  }
  rig.turn()
  rig.take()
  for (let id = 1; id < 200; id += 2) rig.feed(data(id, 'abc'))
  rig.feed(ping())
  t.strictSame(rig.told(), [PONG])
})

t.test(
  'http2: RFC 9113 section 8.1: an answer before the request is over, and the rest is not wanted',
  async (t) => {
    const rig = new H2Rig({ manners: { answers: 'head' } })
    rig.feed(post(1))
    t.strictSame(rig.told(), answered(1))
    rig.app.cancel(1, 0)
    rig.turn()
    t.strictSame(rig.told(), ['RST_STREAM 1 NO_ERROR'])
    rig.feed(data(1, 'abc', END_STREAM), ping())
    t.strictSame(rig.told(), [PONG])
    t.equal(rig.connection.open, 0)
  },
)

t.test('http2: RFC 9113 section 6.8: a server leaves in two steps', async (t) => {
  const rig = new H2Rig({ manners: { answers: 'never' } })
  rig.feed(headers(1, request()))
  rig.connection.drain()
  rig.turn()
  const [first, ...more] = rig.told()
  t.equal(first, `GOAWAY ${MOST} NO_ERROR`, 'first it says so')
  rig.feed(headers(3, request()))
  t.strictSame(rig.app.take().at(-1), '3 end', 'what was on its way is served')
  const asked = more.find((line) => line.startsWith('PING'))
  if (asked === undefined) rig.pass(2)
  else rig.feed(ping(asked.slice(5), 1))
  t.strictSame(rig.told(), ['GOAWAY 3 NO_ERROR'], 'then which was the last')
  rig.feed(
    headers(5, Buffer.concat([request([], 'POST'), literal(0x40, 'x-sum', 'one')]), END_HEADERS),
  )
  rig.feed(data(5, 'abc'), data(5, '', END_STREAM), ping())
  t.strictSame(
    rig.told().filter((line) => line !== 'RST_STREAM 5 REFUSED_STREAM'),
    [PONG],
  )
  t.strictSame(rig.app.take(), [], 'a later one is not')
  for (const id of [1, 3]) rig.app.answer(rig.app.stream(id))
  rig.turn()
  t.strictSame(rig.told(), [...answered(1), ...answered(3)])
  t.equal(rig.connection.open, 0, 'all that was promised is done')
  t.ok(rig.closed > 0, 'the owner is told')
})

t.test('http2: RFC 9113 section 6.8: leaving twice says it once', async (t) => {
  const rig = new H2Rig()
  rig.connection.drain()
  rig.connection.drain()
  rig.turn()
  rig.connection.drain()
  rig.pass(5)
  const goaways = rig.told().filter((line) => line.startsWith('GOAWAY'))
  t.strictSame(goaways, [`GOAWAY ${MOST} NO_ERROR`, 'GOAWAY 0 NO_ERROR'])
})

t.test('http2: RFC 9113 section 6.8: a client leaves', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  rig.ask()
  rig.turn()
  rig.connection.drain()
  rig.turn()
  t.notOk(rig.connection.hasRoom, 'nothing new is begun')
  rig.feed(headers(1, response(200)))
  t.strictSame(rig.app.take(), ['1 head 200', '1 end'], 'what was begun is ended')
  t.equal(rig.connection.open, 0)
})

t.test('http2: RFC 9113 section 6.8: a server that leaves, as a client sees it', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  for (let i = 0; i < 3; i++) rig.ask()
  rig.turn()
  rig.feed(goaway(MOST, 0, 'soon'))
  t.notOk(rig.connection.hasRoom)
  t.strictSame(rig.app.take(), [], 'first nothing is lost')
  t.strictSame(rig.goaways, ['NO_ERROR GOAWAY NO_ERROR: soon'])
  rig.feed(goaway(3, 0))
  t.strictSame(rig.app.take(), ['5 reset NO_ERROR by peer unprocessed'])
  rig.feed(headers(3, response(200)), headers(1, response(200)))
  t.strictSame(rig.app.take(), ['3 head 200', '3 end', '1 head 200', '1 end'])
  t.equal(rig.connection.open, 0)
})

t.test('http2: RFC 9113 section 6.8: a server that fails, as a client sees it', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  rig.ask()
  rig.ask()
  rig.turn()
  rig.feed(goaway(1, 11, 'too much'))
  t.strictSame(rig.goaways, ['ENHANCE_YOUR_CALM GOAWAY ENHANCE_YOUR_CALM: too much'])
  t.strictSame(rig.app.take(), ['3 reset ENHANCE_YOUR_CALM by peer unprocessed'])
  rig.connection.lost('ECONNRESET')
  t.strictSame(rig.app.take(), ['1 reset NO_ERROR by connection'])
})

t.test('http2: RFC 9113 section 5.1.2: a client keeps to the limit of the server', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  rig.feed(settings([3, 2]))
  t.equal(rig.connection.peerStreams, 2)
  rig.ask()
  t.ok(rig.connection.hasRoom)
  rig.ask()
  t.notOk(rig.connection.hasRoom)
  rig.turn()
  const before = rig.closed
  rig.feed(headers(1, response(200)))
  t.ok(rig.connection.hasRoom)
  t.ok(rig.closed > before, 'the owner is told')
  rig.feed(settings([3, 1]))
  t.notOk(rig.connection.hasRoom, 'the limit may become smaller')
  rig.feed(settings([3, 0]), headers(3, response(200)))
  t.notOk(rig.connection.hasRoom)
})

t.test('http2: RFC 9113 section 5.4: a lost connection resets all streams', async (t) => {
  const rig = new H2Rig({ manners: { answers: 'never' } })
  rig.feed(headers(1, request()), post(3))
  rig.app.take()
  rig.connection.lost('ECONNRESET')
  t.equal(rig.app.take().filter((line) => line.endsWith('by connection')).length, 2)
  t.equal(rig.connection.open, 0)
})

t.test('http2: RFC 9113 section 5.1: an answer to what was given up long ago', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  rig.ask()
  rig.ask()
  rig.app.cancel(1)
  for (let id = 5; id < 2000; id += 2) {
    rig.ask()
    rig.feed(headers(id, response(200)))
  }
  rig.take()
  rig.feed(headers(1, response(200), END_HEADERS), data(1, 'late', END_STREAM), ping())
  t.strictSame(rig.told(), [PONG], 'is ignored')
  rig.feed(headers(3, response(200)))
  t.strictSame(rig.app.take().slice(-2), ['3 head 200', '3 end'])
})

t.test('http2: RFC 9113 section 6.8: the last stream of a GOAWAY does not grow', async (t) => {
  const rig = new H2Rig({ manners: { answers: 'never' } })
  rig.feed(headers(1, request()))
  rig.connection.drain()
  rig.pass(3)
  rig.feed(headers(3, request()))
  rig.feed(windowUpdate(0, 0))
  t.strictSame(
    rig.told().filter((line) => line.startsWith('GOAWAY')),
    [`GOAWAY ${MOST} NO_ERROR`, 'GOAWAY 1 NO_ERROR', 'GOAWAY 1 PROTOCOL_ERROR'],
  )
})

t.test('http2: RFC 9113 section 5.1: a request that was never sent is not reset', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  const stream = rig.connection.openStream(rig.app.receiver(), 0)
  stream.reset(8)
  stream.release()
  rig.turn()
  t.strictSame(rig.told(), [], 'the server has never heard of it')
  t.equal(rig.connection.open, 0)
  rig.ask()
  rig.turn()
  t.match(rig.told(), [/^HEADERS \d+ GET \/ END$/])
})

t.test(
  'http2: RFC 9113 section 8.1: a response, and that the rest of the request is not wanted, in one read',
  async (t) => {
    const rig = new H2Rig({ role: 'client' })
    rig.ask('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n', false)
    rig.turn()
    const whole = [
      headers(1, response(200), END_HEADERS),
      data(1, 'test', END_STREAM),
      rstStream(1, 0),
    ]
    rig.feed(Buffer.concat(whole))
    t.strictSame(
      rig.app.take().slice(0, 3),
      ['1 head 200', '1 body "test"', '1 end'],
      'the response is whole',
    )
  },
)

t.test(
  'http2: RFC 9113 section 8.1: a response, and that the rest is not wanted, before it was read',
  async (t) => {
    const rig = new H2Rig({ role: 'client', manners: { reads: false } })
    rig.ask('POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n', false)
    rig.turn()
    rig.feed(headers(1, response(200), END_HEADERS), data(1, 'test', END_STREAM))
    rig.feed(rstStream(1, 0))
    t.strictSame(rig.app.take(), ['1 head 200', '1 reset NO_ERROR by peer'])
    rig.app.takeBody(rig.app.stream(1))
    t.strictSame(rig.app.take(), ['1 body "test"', '1 end'], 'the response is whole')
  },
)
