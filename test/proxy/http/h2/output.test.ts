// How frames leave: those of a turn in one write, none while the peer does not read, and large bodies side by side.

import t from 'tap'
import { H2Rig } from '../../../support/h2-rig.ts'
import {
  data,
  END_HEADERS,
  type Frame,
  headers,
  ping,
  request,
  rstStream,
  settings,
  Type,
  windowUpdate,
} from '../../../support/h2-wire.ts'

const BIG = 2 ** 31 - 1

function get(id: number): Buffer {
  return headers(id, request())
}

function ids(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 1 + 2 * i)
}

function bytes(frames: readonly Frame[], id: number): number {
  const own = frames.filter(({ type, stream }) => type === Type.data && stream === id)
  return own.reduce((total, { payload }) => total + payload.length, 0)
}

function server(length: number, limits = {}): H2Rig {
  const rig = new H2Rig({ limits, manners: { body: Buffer.alloc(length, 'x') } })
  rig.writes.length = 0
  return rig
}

t.test('http2: output: the frames of a turn are one write', async (t) => {
  const rig = server(2)
  rig.feed(...ids(20).map(get), ping())
  t.equal(rig.writes.length, 1)
  t.equal(rig.told().length, 41)
  rig.turn()
  t.equal(rig.writes.length, 1, 'and a turn without frames none')
})

t.test('http2: output: requests of a turn are one write', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  rig.writes.length = 0
  for (let i = 0; i < 20; i++) rig.ask()
  t.equal(rig.writes.length, 0)
  rig.turn()
  t.strictSame(rig.writes, [20])
})

t.test('http2: output: a small answer is few frames', async (t) => {
  const rig = server(2)
  rig.feed(get(1))
  t.strictSame(
    rig.take().map(({ type }) => type),
    [Type.headers, Type.data],
    'the end is not one of its own',
  )
})

t.test('http2: output: while the peer does not read, one write waits', async (t) => {
  const rig = server(1000)
  rig.takes = false
  for (const id of ids(200)) rig.feed(get(id))
  t.ok(rig.isWaiting)
  t.strictSame(rig.take(), [])
  rig.open()
  rig.feed(windowUpdate(0, BIG - 100_000))
  const frames = rig.take()
  for (const id of ids(200)) t.equal(bytes(frames, id), 1000)
})

t.test('http2: output: a large body waits in its place while the peer does not read', async (t) => {
  const rig = new H2Rig({ manners: { body: Buffer.alloc(10_000_000, 'x') } })
  rig.feed(settings([4, BIG]), windowUpdate(0, BIG - 65_535))
  rig.take()
  rig.takes = false
  const before = process.memoryUsage().arrayBuffers
  rig.feed(get(1))
  t.ok(process.memoryUsage().arrayBuffers - before < 2_000_000, 'little of it is copied')
  t.notOk(rig.app.stream(1).isWritable)
  for (let i = 0; i < 10_000 && rig.app.streams.size > 0; i++) rig.openOnce()
  rig.open()
  t.equal(bytes(rig.take(), 1), 10_000_000)
})

t.test('http2: output: a reset overtakes what waits', async (t) => {
  const rig = server(1_000_000)
  rig.feed(settings([4, BIG]), windowUpdate(0, BIG - 65_535))
  rig.takes = false
  rig.feed(get(1), get(3))
  rig.app.cancel(1)
  rig.feed(rstStream(3, 8))
  rig.open()
  const frames = rig.take()
  t.equal(frames.at(-1)?.type, Type.rstStream)
  t.ok(bytes(frames, 1) < 1_000_000 && bytes(frames, 3) < 1_000_000)
  t.equal(rig.connection.open, 0)
  rig.feed(get(5))
  t.ok(bytes(rig.take(), 5) > 0)
})

t.test('http2: output: answers to control frames do not wait for bodies', async (t) => {
  const rig = server(10_000_000)
  rig.feed(settings([4, BIG]), windowUpdate(0, BIG - 65_535))
  rig.takes = false
  rig.feed(get(1))
  rig.feed(ping())
  rig.openOnce()
  rig.openOnce()
  const frames = rig.take()
  const at = frames.findIndex(({ type }) => type === Type.ping)
  t.ok(at >= 0, 'it has left')
  t.ok(bytes(frames.slice(0, at), 1) < 1_000_000, `behind ${bytes(frames.slice(0, at), 1)} bytes`)
})

t.test('http2: output: a stream without a window does not hold up others', async (t) => {
  const rig = server(100)
  rig.feed(settings([4, 0]))
  rig.feed(get(1), get(3), get(5))
  rig.take()
  rig.feed(windowUpdate(5, 100))
  t.strictSame(rig.told(), ['DATA 5 (100) END'])
  rig.feed(windowUpdate(1, 100))
  t.strictSame(rig.told(), ['DATA 1 (100) END'])
})

t.test('http2: output: large bodies share the window of the connection', async (t) => {
  const rig = server(200_000)
  rig.feed(settings([4, BIG]))
  rig.feed(...ids(4).map(get))
  let frames = [...rig.take()]
  for (let i = 0; i < 20; i++) {
    rig.feed(windowUpdate(0, 16_384))
    frames = [...frames, ...rig.take()]
  }
  const shares = ids(4).map((id) => bytes(frames, id))
  t.ok(Math.min(...shares) > 0.5 * Math.max(...shares), `evenly: ${shares.join(', ')}`)
})

t.test('http2: output: large bodies share what the peer reads', async (t) => {
  const rig = server(1_000_000)
  rig.feed(settings([4, BIG]), windowUpdate(0, BIG - 65_535))
  rig.takes = false
  rig.feed(...ids(4).map(get))
  for (let i = 0; i < 30; i++) rig.openOnce()
  const frames = rig.take()
  const shares = ids(4).map((id) => bytes(frames, id))
  t.ok(Math.min(...shares) > 0.3 * Math.max(...shares), `evenly: ${shares.join(', ')}`)
})

t.test('http2: output: a small answer is not held up by a large one', async (t) => {
  const rig = server(10_000_000)
  rig.feed(settings([4, BIG]), windowUpdate(0, BIG - 65_535))
  rig.takes = false
  rig.feed(get(1))
  rig.app.manners = { ...rig.app.manners, body: Buffer.from('small') }
  rig.feed(get(3))
  for (let i = 0; i < 4; i++) rig.openOnce()
  t.ok(rig.told().includes('DATA 3 "small" END'))
})

t.test(
  'http2: output: bodies that were queued leave when windows open, and then more is asked for',
  async (t) => {
    const rig = server(300_000)
    rig.feed(get(1), get(3))
    let frames = [...rig.take()]
    for (let i = 0; i < 100; i++) {
      rig.feed(windowUpdate(0, 10_000), windowUpdate(1, 5000), windowUpdate(3, 5000))
      frames = [...frames, ...rig.take()]
    }
    t.equal(bytes(frames, 1), 300_000)
    t.equal(bytes(frames, 3), 300_000)
    t.equal(rig.connection.open, 0)
  },
)

t.test('http2: output: a body that is sent while it comes', async (t) => {
  const rig = new H2Rig({ manners: { answers: 'head', body: Buffer.from('early') } })
  rig.feed(headers(1, request([], 'POST'), END_HEADERS))
  t.strictSame(rig.told(), ['HEADERS 1 200', 'DATA 1 "early" END'])
  rig.feed(data(1, 'abc', 1))
  t.equal(rig.app.received(1).toString(), 'abc')
  t.equal(rig.connection.open, 0)
})

t.test('http2: output: one read for many streams, held while it is waited for', async (t) => {
  const rig = new H2Rig({ manners: { reads: false } })
  const post = (id: number): Buffer => headers(id, request([], 'POST'), END_HEADERS)
  rig.feed(Buffer.concat(ids(5).flatMap((id) => [post(id), data(id, `body ${id}`, 1)])))
  rig.feed(ping('scribble'))
  for (const id of ids(5)) rig.app.takeBody(rig.app.stream(id))
  for (const id of ids(5)) t.equal(rig.app.received(id).toString(), `body ${id}`)
})

t.test('http2: output: a client sends a body with its request', async (t) => {
  const rig = new H2Rig({ role: 'client' })
  const stream = rig.ask('POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\n', false)
  stream.sendData(Buffer.from('test'), 0, 4)
  stream.sendEnd()
  rig.turn()
  t.strictSame(rig.told(), ['HEADERS 1 POST /', 'DATA 1 "test" END'])
})
