// What is bounded on a connection of HTTP/2 besides floods (floods.test.ts): header blocks, what waits, and silence.

import t from 'tap'
import { H2Rig } from '../../../support/h2-rig.ts'
import {
  block,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  headers,
  integer,
  literal,
  ping,
  request,
  response,
  settings,
  windowUpdate,
} from '../../../support/h2-wire.ts'

import { CALM, post, rounds } from './flood.ts'

t.test('http2: limits: CONTINUATION without end', async (t) => {
  for (const [name, part] of [
    ['empty', Buffer.alloc(0)],
    ['small', block([['x', 'y']])],
    ['large', Buffer.alloc(16_384)],
  ] as const) {
    const rig = new H2Rig({ limits: { maxContinuations: 8 } })
    rig.feed(headers(1, request(), END_STREAM))
    const taken = rounds(rig, 20, (rig) => {
      rig.feed(continuation(1, part, 0))
    })
    t.ok(taken <= 8, `${name}: ended after ${taken}`)
    t.strictSame(rig.failures, [CALM], name)
    t.match(rig.limited, [/^(continuations|header-list)$/], name)
    t.strictSame(rig.app.take(), [], 'nothing is acted on')
  }
})

t.test('http2: limits: as many CONTINUATION frames as are allowed', async (t) => {
  const rig = new H2Rig({ limits: { maxContinuations: 8 } })
  rig.feed(headers(1, request(), END_STREAM))
  for (let i = 0; i < 7; i++) rig.feed(continuation(1, block([['x', 'y']]), 0))
  rig.feed(continuation(1, block([['x', 'y']])))
  t.strictSame(rig.app.take(), ['1 head GET /', '1 end'])
  t.strictSame(rig.failures, [])
})

t.test('http2: limits: a header list that is too long', async (t) => {
  const rig = new H2Rig({ limits: { maxHeaderListSize: 2000 } })
  rig.feed(headers(1, request([['x-long', 'y'.repeat(2000)]])))
  t.strictSame(rig.app.take(), ['1 reset PROTOCOL_ERROR by us'], 'is not acted on')
  t.ok(rig.refused.length + rig.limited.length > 0, 'is told of')
  t.strictSame(rig.failures, [], 'and concerns no other stream')
  rig.take()
  rig.feed(headers(3, request([['x-long', 'y'.repeat(1500)]])))
  t.strictSame(rig.app.take(), ['3 head GET /', '3 end'])
})

t.test('http2: limits: too many fields', async (t) => {
  const rig = new H2Rig({ limits: { maxHeaderFields: 50 } })
  const fields = Array.from({ length: 51 }, () => ['x', ''] as const)
  rig.feed(headers(1, request(fields)))
  t.strictSame(rig.app.take(), ['1 reset PROTOCOL_ERROR by us'])
  rig.feed(headers(3, request(Array.from({ length: 60 }, () => ['cookie', 'a=b'] as const))))
  t.strictSame(rig.app.take(), ['3 reset PROTOCOL_ERROR by us'], 'crumbs of cookies count')
  t.strictSame(rig.failures, [])
})

t.test('http2: limits: a header block of few bytes that stands for many', async (t) => {
  const rig = new H2Rig()
  const large = literal(0x40, 'x-bomb', 'y'.repeat(4000))
  rig.feed(headers(1, Buffer.concat([request(), large])))
  t.strictSame(rig.app.take(), ['1 head GET /', '1 end'])
  rig.take()
  const before = process.memoryUsage()
  for (let id = 3; id < 100; id += 2) {
    rig.feed(headers(id, Buffer.concat([request(), Buffer.alloc(16_000, 0xbe)])))
    if (rig.failures.length > 0) break
  }
  t.notMatch(rig.app.take(), [/head/], 'none of them is acted on')
  const after = process.memoryUsage()
  t.ok(after.arrayBuffers - before.arrayBuffers < 64 * 1024 * 1024, 'and none takes much')
})

t.test('http2: limits: a table that changes its size without end', async (t) => {
  const rig = new H2Rig()
  const sizes = Buffer.concat(
    Array.from({ length: 4000 }, (_, i) => integer(0x20, 5, i % 2 === 0 ? 0 : 4096)),
  )
  rig.feed(headers(1, Buffer.concat([sizes, request()])))
  t.match([...rig.failures, ...rig.app.take()], /./, 'is read or refused, at once')
})

t.test('http2: limits: SETTINGS with more values than anyone has', async (t) => {
  const values = Array.from({ length: 33 }, (_, i) => [0x100 + i, 1] as const)
  const rig = new H2Rig()
  rig.feed(settings(...values.slice(0, 32)))
  t.strictSame(rig.failures, [])
  rig.feed(settings(...values))
  t.strictSame(rig.failures, [CALM])
  t.strictSame(rig.limited, ['settings'])
})

t.test('http2: limits: answers that nobody reads', async (t) => {
  for (const [name, make] of [
    ['PING', ping()],
    ['SETTINGS', settings()],
  ] as const) {
    const rig = new H2Rig({ limits: { maxControlFrames: 1e9, maxControlQueue: 10_000 } })
    rig.takes = false
    const taken = rounds(rig, 5000, (rig) => {
      rig.feed(make)
    })
    t.ok(taken < 1500, `${name}: ended after ${taken}`)
    t.strictSame(rig.failures, [CALM])
    t.strictSame(rig.limited, ['control-queue'])
    rig.open()
    t.match(rig.told().at(-1), /^GOAWAY 0 ENHANCE_YOUR_CALM$/, 'and it is said when it can be')
  }
})

t.test('http2: limits: resets that nobody reads', async (t) => {
  const rig = new H2Rig({
    limits: { maxFaults: 1e9, maxControlFrames: 1e9, maxControlQueue: 10_000, minResets: 1e9 },
  })
  rig.takes = false
  const taken = rounds(rig, 5000, (rig, round) => {
    rig.feed(post(1 + 2 * round), windowUpdate(1 + 2 * round, 0))
  })
  t.ok(taken < 1500, `ended after ${taken}`)
  t.strictSame(rig.limited, ['control-queue'])
})

t.test('http2: limits: SETTINGS of ours that are not acknowledged', async (t) => {
  const rig = new H2Rig({ isRaw: true, limits: { settingsTimeout: 10_000 } })
  rig.take()
  rig.pass(9)
  t.strictSame(rig.failures, [])
  rig.pass(3)
  t.strictSame(rig.failures, ['SETTINGS_TIMEOUT'])
  t.strictSame(rig.limited, ['settings-timeout'])
  t.strictSame(rig.told(), ['GOAWAY 0 SETTINGS_TIMEOUT'])
  const good = new H2Rig()
  good.pass(30)
  t.strictSame(good.failures, [])
})

t.test('http2: limits: a client that does not let its answer through', async (t) => {
  const rig = new H2Rig({
    limits: { stallTimeout: 10_000 },
    manners: { body: Buffer.alloc(100_000) },
  })
  rig.feed(settings([4, 0]))
  rig.feed(headers(1, request()), headers(3, request([], 'POST'), END_HEADERS))
  rig.pass(9)
  t.notMatch(rig.told(), ['RST_STREAM 1 CANCEL'])
  rig.pass(12)
  t.ok(rig.limited.includes('stalled-stream'))
  t.match(rig.told().at(-1), /^RST_STREAM 1 /)
  t.strictSame(rig.failures, [], 'the others go on')
  t.strictSame(
    rig.app.take().filter((line) => line.startsWith('3 reset')),
    [],
  )
})

t.test('http2: limits: one that lets it through byte by byte', async (t) => {
  const rig = new H2Rig({
    limits: { stallTimeout: 10_000 },
    manners: { body: Buffer.alloc(100_000) },
  })
  rig.feed(settings([4, 0]))
  rig.feed(headers(1, request()))
  for (let second = 0; second < 60 && rig.limited.length === 0; second++) {
    rig.feed(windowUpdate(1, 1))
    rig.pass(1)
  }
  t.strictSame(rig.limited, ['stalled-stream'])
})

t.test('http2: limits: one that lets it through slowly', async (t) => {
  const rig = new H2Rig({
    limits: { stallTimeout: 10_000 },
    manners: { body: Buffer.alloc(100_000) },
  })
  rig.feed(settings([4, 0]))
  rig.feed(headers(1, request()))
  for (let second = 0; second < 100; second++) {
    rig.feed(windowUpdate(1, 300))
    rig.pass(1)
  }
  t.strictSame(rig.limited, [])
})

t.test('http2: limits: a peer that does not answer', async (t) => {
  const limits = { pingInterval: 10_000, pingTimeout: 5000 }
  const rig = new H2Rig({ role: 'client', limits })
  rig.ask()
  rig.turn()
  rig.take()
  rig.pass(12)
  const [asked = ''] = rig.told()
  t.match(asked, /^PING/, 'is asked whether it is there')
  rig.feed(ping(asked.slice(5), 1))
  rig.pass(12)
  t.match(rig.told(), [/^PING/], 'and, if it is, again')
  rig.pass(7)
  t.strictSame(rig.limited, ['ping-timeout'])
  t.equal(rig.failures.length, 1)
  t.match(rig.app.take(), [/^1 reset .* by connection/])
})

t.test('http2: limits: a peer that is heard is not asked', async (t) => {
  const limits = { pingInterval: 10_000, pingTimeout: 5000 }
  const rig = new H2Rig({ role: 'client', limits })
  rig.pass(60)
  t.strictSame(rig.told(), [], 'nor while nothing is open')
  rig.ask()
  rig.turn()
  rig.take()
  rig.feed(headers(1, response(200), END_HEADERS))
  for (let second = 0; second < 60; second++) {
    rig.feed(data(1, 'a'))
    rig.pass(1)
  }
  t.strictSame(rig.told(), [])
})
