// RFC 9113 section 5.2 and 6.9: flow control in both directions, and what SETTINGS change while streams are open.

import t from 'tap'
import { H2Rig } from '../../../support/h2-rig.ts'
import {
  data,
  END_HEADERS,
  END_STREAM,
  type Frame,
  headers,
  padded,
  request,
  rstStream,
  settings,
  Type,
  windowUpdate,
} from '../../../support/h2-wire.ts'
import { answered } from './conform.ts'

const FIRST = 65_535

function get(id: number): Buffer {
  return headers(id, request())
}

function post(id: number): Buffer {
  return headers(id, request([], 'POST'), END_HEADERS)
}

/** Sum of DATA on a stream. */
function sent(frames: readonly Frame[], id: number): number {
  return sum(
    frames.filter(({ type, stream }) => type === Type.data && stream === id),
    (frame) => frame.payload.length,
  )
}

function granted(frames: readonly Frame[], id: number): number {
  return sum(
    frames.filter(({ type, stream }) => type === Type.windowUpdate && stream === id),
    (frame) => frame.payload.readUInt32BE(0),
  )
}

function sum(frames: readonly Frame[], of: (frame: Frame) => number): number {
  return frames.reduce((total, frame) => total + of(frame), 0)
}

function server(length: number, limits = {}): H2Rig {
  return new H2Rig({ limits, manners: { body: Buffer.alloc(length, 'x') } })
}

t.test('http2: RFC 9113 section 6.9.1: DATA ends where the window does', async (t) => {
  const rig = server(2)
  rig.feed(settings([4, 1]))
  rig.feed(get(1))
  t.strictSame(rig.told(), ['SETTINGS ACK', 'HEADERS 1 200', 'DATA 1 "x"'])
  rig.feed(windowUpdate(1, 1))
  t.strictSame(rig.told(), ['DATA 1 "x" END'])
})

t.test('http2: RFC 9113 section 6.9.1: an end without bytes needs no window', async (t) => {
  const rig = server(FIRST)
  rig.feed(get(1))
  t.strictSame(rig.told(), ['HEADERS 1 200', `DATA 1 (${FIRST}) END`])
  const trailers = new H2Rig({ manners: { body: Buffer.alloc(FIRST, 'x'), hasTrailers: true } })
  trailers.feed(get(1))
  t.strictSame(trailers.told(), ['HEADERS 1 200', `DATA 1 (${FIRST})`, 'HEADERS 1 {x-sum} END'])
})

t.test(
  'http2: RFC 9113 section 6.9.1: heads and trailers need no window, but keep their place',
  async (t) => {
    const rig = new H2Rig({ manners: { body: Buffer.from('abc'), hasTrailers: true } })
    rig.feed(settings([4, 0]))
    rig.feed(get(1))
    t.strictSame(rig.told(), ['SETTINGS ACK', 'HEADERS 1 200'])
    rig.feed(windowUpdate(1, 2))
    t.strictSame(rig.told(), ['DATA 1 "xx"'.replace('xx', 'ab')])
    rig.feed(windowUpdate(1, 1))
    t.strictSame(rig.told(), ['DATA 1 "c"', 'HEADERS 1 {x-sum} END'])
  },
)

t.test('http2: RFC 9113 section 6.9.1: the window of the connection is shared', async (t) => {
  const rig = server(50_000)
  rig.feed(get(1), get(3))
  const first = rig.take()
  t.equal(sent(first, 1) + sent(first, 3), FIRST, 'no more than it')
  rig.feed(windowUpdate(0, 10_000))
  const second = rig.take()
  t.equal(sent(second, 1) + sent(second, 3), 10_000)
  rig.feed(windowUpdate(0, 100_000))
  const third = rig.take()
  t.equal(sent(first, 1) + sent(second, 1) + sent(third, 1), 50_000)
  t.equal(sent(first, 3) + sent(second, 3) + sent(third, 3), 50_000)
})

t.test('http2: RFC 9113 section 6.9.2: SETTINGS change the windows of open streams', async (t) => {
  const rig = server(100)
  rig.feed(settings([4, 0]))
  rig.feed(get(1))
  rig.take()
  rig.feed(settings([4, 10]))
  t.strictSame(rig.told(), ['SETTINGS ACK', 'DATA 1 "xxxxxxxxxx"'])
  rig.feed(settings([4, 12]))
  t.strictSame(rig.told(), ['SETTINGS ACK', 'DATA 1 "xx"'])
})

t.test('http2: RFC 9113 section 6.9.2: a window may become negative', async (t) => {
  const rig = server(10)
  rig.feed(settings([4, 3]))
  rig.feed(get(1))
  t.strictSame(rig.told(), ['SETTINGS ACK', 'HEADERS 1 200', 'DATA 1 "xxx"'])
  rig.feed(settings([4, 2]))
  t.strictSame(rig.told(), ['SETTINGS ACK'], '-1')
  rig.feed(windowUpdate(1, 1))
  t.strictSame(rig.told(), [], '0')
  rig.feed(windowUpdate(1, 1))
  t.strictSame(rig.told(), ['DATA 1 "x"'], '1')
  rig.feed(settings([4, 8]))
  t.strictSame(rig.told(), ['SETTINGS ACK', 'DATA 1 "xxxxxx" END'])
})

t.test(
  'http2: RFC 9113 section 6.9.2: SETTINGS do not change the window of the connection',
  async (t) => {
    const rig = server(70_000)
    rig.feed(settings([4, 1_000_000]))
    rig.feed(get(1))
    t.equal(sent(rig.take(), 1), FIRST)
    rig.feed(windowUpdate(0, 10_000))
    t.strictSame(rig.told(), [`DATA 1 (${70_000 - FIRST}) END`])
  },
)

t.test(
  'http2: RFC 9113 section 6.9.2: a window within reach of the most is not an error',
  async (t) => {
    const rig = server(2)
    rig.feed(settings([4, 0]))
    rig.feed(post(1), windowUpdate(1, 2 ** 31 - 1))
    rig.feed(data(1, '', END_STREAM))
    t.strictSame(rig.told(), ['SETTINGS ACK', 'HEADERS 1 200', 'DATA 1 "xx" END'])
  },
)

t.test('http2: RFC 9113 section 6.5.2: frames as large as the peer takes them', async (t) => {
  for (const size of [16_384, 16_385, 1_000_000]) {
    const rig = server(60_000)
    rig.feed(settings([5, size]))
    rig.feed(get(1))
    const frames = rig.take()
    t.ok(
      frames.every(({ payload }) => payload.length <= size),
      `${size}`,
    )
    t.equal(sent(frames, 1), 60_000)
    rig.feed(settings([5, 16_384]))
    rig.feed(windowUpdate(0, 100_000), get(3))
    const more = rig.take()
    t.ok(
      more.every(({ payload }) => payload.length <= 16_384),
      'and smaller again',
    )
    t.equal(sent(more, 3), 60_000)
  }
})

t.test(
  'http2: RFC 9113 section 6.5.2: our header table is no larger than the peer wants it',
  async (t) => {
    const rig = server(2)
    rig.feed(get(1), get(3))
    let id = 5
    for (const size of [0, 4096, 100, 50, 65_536]) {
      rig.feed(settings([1, size]))
      for (let i = 0; i < 3; i++, id += 2) rig.feed(get(id))
      rig.take()
    }
    rig.feed(settings([1, 0], [1, 4096]))
    rig.take()
    rig.feed(get(101), get(103))
    t.strictSame(
      rig.told(),
      [...answered(101), ...answered(103)].map((line) => line.replace('ok', 'xx')),
    )
  },
)

t.test('http2: RFC 9113 section 5.2: what is read is credited, whole', async (t) => {
  const rig = new H2Rig()
  rig.feed(post(1))
  const frames: Frame[] = []
  let [own, shared] = [FIRST, 1_048_576]
  let left = 4_000_000
  while (left > 0) {
    const size = Math.min(left, 16_384, own, shared)
    if (!(size > 0)) throw new Error('held up')
    rig.feed(data(1, Buffer.alloc(size)))
    left -= size
    const some = rig.take()
    own += granted(some, 1) - size
    shared += granted(some, 0) - size
    frames.push(...some)
  }
  rig.feed(data(1, '', END_STREAM))
  t.strictSame(rig.told(), answered(1))
  t.ok(frames.filter(({ type }) => type === Type.windowUpdate).length < 400, 'not for every frame')
})

t.test(
  'http2: RFC 9113 section 6.1: padding counts for flow control, and is credited',
  async (t) => {
    const rig = new H2Rig()
    rig.feed(post(1))
    let window = FIRST
    for (let i = 0; i < 2000; i++) {
      if (!(window >= 257)) throw new Error('held up')
      rig.feed(data(1, 'a', 0, 255))
      window += granted(rig.take(), 1) - 257
    }
    rig.feed(data(1, '', END_STREAM))
    t.equal(rig.app.received(1).length, 2000)
  },
)

t.test('http2: RFC 9113 section 6.1: padding counts against the window', async (t) => {
  const rig = new H2Rig({ manners: { reads: false } })
  rig.feed(post(1))
  for (let i = 0; i < 255; i++) rig.feed(data(1, 'a', 0, 255))
  t.strictSame(rig.told(), [], `255 * 257 = ${FIRST}`)
  rig.feed(data(1, 'a'))
  // An implementation may credit what is padding at once, for nobody has to read it.
  const [line = 'nothing'] = rig.told()
  t.match(line, /^(RST_STREAM 1 FLOW_CONTROL_ERROR|nothing)$/)
})

t.test(
  'http2: RFC 9113 section 6.9.1: what is not read is not credited, and no more is taken',
  async (t) => {
    const rig = new H2Rig({ manners: { reads: false } })
    rig.feed(post(1), post(3))
    for (let left = FIRST; left > 0; left -= 13_107) rig.feed(data(1, Buffer.alloc(13_107, 'y')))
    t.equal(granted(rig.take(), 1), 0)
    rig.feed(data(1, 'a'))
    t.strictSame(rig.told(), ['RST_STREAM 1 FLOW_CONTROL_ERROR'])
    t.strictSame(rig.app.take().at(-1), '1 reset FLOW_CONTROL_ERROR by us')
    rig.feed(data(3, 'abc', END_STREAM))
    rig.app.takeBody(rig.app.stream(3))
    t.equal(rig.app.received(3).toString(), 'abc', 'others are not concerned')
  },
)

t.test('http2: RFC 9113 section 6.9.1: what waits is given, and then credited', async (t) => {
  const rig = new H2Rig({ manners: { reads: false } })
  rig.feed(post(1))
  for (let i = 0; i < 5; i++) rig.feed(data(1, Buffer.alloc(13_107, `${i}`)))
  rig.take()
  rig.app.takeBody(rig.app.stream(1))
  rig.turn()
  t.equal(granted(rig.take(), 1), FIRST)
  const body = rig.app.received(1)
  t.equal(body.length, FIRST)
  for (let i = 0; i < 5; i++)
    t.equal(body.subarray(13_107 * i, 13_107 * (i + 1)).toString(), `${i}`.repeat(13_107))
})

t.test('http2: RFC 9113 section 6.9.1: all streams together take a bounded part', async (t) => {
  const bound = 200_000
  const rig = new H2Rig({ limits: { connectionWindow: bound }, manners: { reads: false } })
  let window = bound
  let taken = 0
  let id = 1
  for (; window > 0; id += 2) {
    rig.feed(post(id))
    for (let i = 0; i < 4 && window > 0; i++) {
      const size = Math.min(16_000, window)
      rig.feed(data(id, Buffer.alloc(size)))
      window += granted(rig.take(), 0) - size
      taken += size
    }
  }
  t.ok(taken <= 2 * bound, `${taken} bytes`)
  rig.feed(post(id), data(id, 'a'))
  t.match(rig.told(), [/^GOAWAY \d+ FLOW_CONTROL_ERROR/], 'and no more')
})

t.test(
  'http2: RFC 9113 section 5.1: DATA of streams that were reset is credited to the connection',
  async (t) => {
    for (const by of ['us', 'peer'] as const) {
      const limits = { connectionWindow: 100_000, maxFaults: 1e9, minResets: 1e9 }
      const rig = new H2Rig({ limits, manners: { reads: false, answers: 'never' } })
      let window = 100_000
      for (let id = 1; id < 200; id += 2) {
        if (!(window >= 60_000)) throw new Error(`${by}: held up`)
        rig.feed(post(id), data(id, Buffer.alloc(10_000)))
        if (by === 'peer') {
          rig.feed(rstStream(id, 8))
          window -= 10_000
        } else {
          rig.app.cancel(id)
          // Sent before our RST_STREAM came there.
          rig.feed(
            data(id, Buffer.alloc(10_000)),
            data(id, padded(Buffer.alloc(9_999), 200)),
            data(id, '', END_STREAM),
          )
          window -= 10_000 + 10_000 + 10_200
        }
        window += granted(rig.take(), 0)
      }
      t.equal(rig.connection.open, 0)
    }
  },
)

t.test('http2: RFC 9113 section 5.4.1: nothing follows a connection error', async (t) => {
  const rig = new H2Rig()
  rig.feed(post(1))
  for (let i = 0; i < 3; i++) rig.feed(data(1, Buffer.alloc(16_000)))
  rig.feed(Buffer.concat([data(1, Buffer.alloc(16_000)), windowUpdate(0, 0)]))
  t.strictSame(rig.told(), ['GOAWAY 1 PROTOCOL_ERROR'])
  rig.pass(3)
  rig.connection.drain()
  rig.turn()
  t.strictSame(rig.told(), [])
})
