// Attacks that keep to the letter of RFC 9113 (section 10.5): each comes to an end, by the limit that is meant for it,
// and who is busy but well-behaved does not notice that there is one.

import t from 'tap'
import { H2Rig, type RigOptions } from '../../../support/h2-rig.ts'
import {
  block,
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  integer,
  literal,
  ping,
  priority,
  request,
  response,
  rstStream,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from '../../../support/h2-wire.ts'

type Step = (rig: H2Rig, round: number) => void
const CALM = 'ENHANCE_YOUR_CALM'

function post(id: number): Buffer {
  return headers(id, request([], 'POST'), END_HEADERS)
}

/** How many rounds of it, without a pause, are taken before the connection is ended. */
function rounds(rig: H2Rig, most: number, step: Step): number {
  for (let round = 0; round < most; round++) {
    step(rig, round)
    if (rig.failures.length > 0) return round
  }
  return most
}

interface Flood {
  readonly name: string
  readonly limit: string
  readonly options: RigOptions
  readonly step: Step
  /** It is over between these. */
  readonly from: number
  readonly to: number
  /** So many rounds a second are taken for ever. */
  readonly calm: number
}

function floods(flood: Flood): void {
  const { name, limit, options, step, from, to, calm } = flood
  t.test(`http2: limits: ${name}`, async (t) => {
    const rig = new H2Rig(options)
    const taken = rounds(rig, to + 1, step)
    t.ok(taken >= from && taken <= to, `ended after ${taken} rounds`)
    t.strictSame(rig.failures, [CALM])
    t.strictSame(rig.limited, [limit])
    t.match(rig.told().at(-1), new RegExp(`^GOAWAY \\d+ ${CALM}$`))
  })
  t.test(`http2: limits: ${name}, seldom`, async (t) => {
    const rig = new H2Rig(options)
    rig.pass(1)
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < calm; i++) step(rig, second * calm + i)
      rig.pass(1)
    }
    t.strictSame(rig.failures, [])
    t.strictSame(rig.limited, [])
  })
}

const NEVER = { answers: 'never' } as const
const FAST = { limits: { minResets: 50, maxResetShare: 0.5 }, manners: NEVER }

floods({
  name: 'streams that are reset at once',
  limit: 'reset-share',
  options: FAST,
  step: (rig, round) => {
    rig.feed(headers(1 + 2 * round, request()), rstStream(1 + 2 * round, 8))
  },
  from: 45,
  to: 60,
  calm: 40,
})

floods({
  name: 'streams that are reset in the read that opened them',
  limit: 'reset-share',
  options: FAST,
  step: (rig, round) => {
    const id = 1 + 20 * round
    const ids = Array.from({ length: 10 }, (_, i) => id + 2 * i)
    rig.feed(Buffer.concat(ids.flatMap((id) => [headers(id, request()), rstStream(id, 8)])))
  },
  from: 4,
  to: 6,
  calm: 4,
})

t.test('http2: limits: resets that are the smaller part of many', async (t) => {
  const rig = new H2Rig({
    limits: { minResets: 50, maxResetShare: 0.5 },
    manners: { answers: 'never' },
  })
  let id = 1
  for (let i = 0; i < 1000; i++, id += 6) {
    rig.feed(headers(id, request()), headers(id + 2, request()), headers(id + 4, request()))
    rig.app.answer(rig.app.stream(id))
    rig.app.answer(rig.app.stream(id + 2))
    rig.feed(rstStream(id + 4, 8))
    if (i % 100 === 0) rig.pass(1)
  }
  t.strictSame(rig.failures, [])
})

t.test(
  'http2: limits: an answer that is reset behind its head is no reset before it',
  async (t) => {
    const rig = new H2Rig({ ...FAST, manners: { answers: 'head', body: Buffer.alloc(70_000) } })
    rig.feed(settings([4, 0]))
    for (let id = 1; id < 1000; id += 2) rig.feed(headers(id, request()), rstStream(id, 8))
    t.strictSame(rig.failures, [])
  },
)

t.test('http2: limits: a deadline that ends all requests of a second', async (t) => {
  const rig = new H2Rig({ limits: { minResets: 100 }, manners: { answers: 'never' } })
  for (let id = 1; id < 180; id += 2) rig.feed(headers(id, request()))
  for (let id = 1; id < 180; id += 2) rig.feed(rstStream(id, 8))
  t.strictSame(rig.failures, [], 'as many as a few')
})

/** What makes us reset a stream, as MadeYouReset does. */
const FAULTS: Readonly<Record<string, (id: number) => Buffer>> = {
  'WINDOW_UPDATE by nothing': (id) => Buffer.concat([post(id), windowUpdate(id, 0)]),
  'a window above the most': (id) => Buffer.concat([post(id), windowUpdate(id, 2 ** 31 - 1)]),
  'DATA behind the end': (id) => Buffer.concat([headers(id, request()), data(id, 'a')]),
  'HEADERS behind the end': (id) => Buffer.concat([headers(id, request()), headers(id, request())]),
  'a dependency on itself': (id) => Buffer.concat([post(id), priority(id, id)]),
  'more than content-length': (id) =>
    Buffer.concat([
      headers(id, request([['content-length', '1']], 'POST'), END_HEADERS),
      data(id, 'ab'),
    ]),
  'a malformed request': (id) => headers(id, request([['connection', 'close']])),
}

for (const [name, fault] of Object.entries(FAULTS)) {
  floods({
    name: `faults: ${name}`,
    limit: 'faults',
    options: { limits: { maxFaults: 20 }, manners: NEVER },
    step: (rig, round) => {
      rig.feed(fault(1 + 2 * round))
    },
    from: 18,
    to: 22,
    calm: 15,
  })
}

const CONTROL: Readonly<Record<string, (round: number) => Buffer>> = {
  PING: () => ping(),
  'answers to no PING': () => ping('12345678', 1),
  SETTINGS: () => settings(),
  'SETTINGS with values': (round) => settings([4, 1000 + round], [1, round]),
  'acknowledgements of nothing': () => SETTINGS_ACK,
  PRIORITY: (round) => priority(3 + 2 * round, 0),
  'unknown frames': () => frame(0x55, 0, 0),
  'empty DATA': () => data(1, ''),
  'DATA of padding alone': () => data(1, '', 0, 0),
  'WINDOW_UPDATE of a stream': () => windowUpdate(1, 1),
  'WINDOW_UPDATE of the connection': () => windowUpdate(0, 1),
  'WINDOW_UPDATE of a closed stream': () => windowUpdate(3, 1),
  'RST_STREAM of a closed stream': () => rstStream(3, 8),
}

for (const [name, make] of Object.entries(CONTROL)) {
  floods({
    name: `frames that carry nothing: ${name}`,
    limit: 'control-frames',
    options: { limits: { maxControlFrames: 100 }, manners: NEVER },
    step: (rig, round) => {
      if (round === 0) rig.feed(post(1), headers(3, request()), rstStream(3, 8))
      rig.feed(make(round))
    },
    from: 90,
    to: 110,
    calm: 80,
  })
}

t.test('http2: limits: WINDOW_UPDATE for what was sent is no nuisance', async (t) => {
  const rig = new H2Rig({ limits: { maxControlFrames: 50 }, manners: { body: Buffer.alloc(1000) } })
  for (let id = 1; id < 2001; id += 2) {
    rig.feed(headers(id, request()))
    rig.feed(windowUpdate(id, 1000), windowUpdate(0, 1000))
  }
  t.strictSame(rig.failures, [])
})

t.test('http2: limits: a large answer, and WINDOW_UPDATE for each frame of it', async (t) => {
  const limits = { maxControlFrames: 100 }
  const rig = new H2Rig({ limits, manners: { body: Buffer.alloc(50_000_000) } })
  rig.feed(settings([4, 1_048_576]), windowUpdate(0, 1_048_576 - 65_535))
  rig.take()
  rig.feed(headers(1, request()))
  let left = 50_000_000
  while (left > 0 && rig.failures.length === 0) {
    const frames = rig.take().filter(({ type }) => type === 0)
    if (frames.length === 0) break
    for (const { payload } of frames) {
      left -= payload.length
      rig.give(windowUpdate(0, payload.length), windowUpdate(1, payload.length))
    }
    rig.turn()
  }
  t.strictSame(rig.failures, [])
  t.equal(left, 0)
})

floods({
  name: 'streams beyond those that may be open',
  limit: 'faults',
  options: { limits: { maxConcurrentStreams: 2, maxFaults: 20 }, manners: NEVER },
  step: (rig, round) => {
    rig.feed(headers(1 + 2 * round, request()))
  },
  from: 18,
  to: 26,
  calm: 15,
})

t.test('http2: limits: answers without a body that nobody reads', async (t) => {
  const rig = new H2Rig({ manners: { body: Buffer.alloc(0) } })
  const { heads } = rig.connection
  const lines = Buffer.from(`x-long: ${'y'.repeat(10_000)}\r\n`)
  const plain = heads.status.bind(heads)
  heads.status = (status) => {
    plain(status)
    heads.addLines(lines)
  }
  rig.takes = false
  const taken = rounds(rig, 5000, (rig, round) => {
    rig.feed(headers(1 + 2 * round, request()))
  })
  t.ok(taken < 1000, `ended after ${taken}`)
  t.strictSame(rig.limited, ['control-queue'])
})

t.test(
  'http2: limits: a busy client that pings, resizes and prioritises now and then',
  async (t) => {
    const rig = new H2Rig()
    let id = 1
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < 300; i++, id += 2) {
        rig.feed(post(id), data(id, 'body'), priority(id, 0), data(id, '', END_STREAM))
        if (i % 50 === 0) rig.feed(ping(), settings([4, 65_535 + i]))
        rig.feed(windowUpdate(0, 2))
      }
      rig.pass(1)
    }
    t.strictSame(rig.failures, [])
    t.strictSame(rig.limited, [])
  },
)

t.test('http2: limits: gRPC ends its messages with an empty DATA', async (t) => {
  const rig = new H2Rig({ limits: { maxControlFrames: 100 } })
  for (let id = 1; id < 3001; id += 2)
    rig.feed(post(id), data(id, 'body'), data(id, '', END_STREAM))
  t.strictSame(rig.failures, [])
})

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
