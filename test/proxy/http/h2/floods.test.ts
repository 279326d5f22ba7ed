// Floods that keep to the letter of RFC 9113 (section 10.5): each comes to an end, by the limit that is meant for it,
// and who is busy but well-behaved does not notice that there is one.

import t from 'tap'
import { H2Rig } from '../../../support/h2-rig.ts'
import {
  data,
  END_HEADERS,
  END_STREAM,
  frame,
  headers,
  ping,
  priority,
  request,
  rstStream,
  SETTINGS_ACK,
  settings,
  windowUpdate,
} from '../../../support/h2-wire.ts'

import { floods, post, rounds } from './flood.ts'

const NEVER = { answers: 'never' } as const
const FAST = { limits: { minResets: 50, maxResetShare: 0.5 }, manners: NEVER }

floods(t, {
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

floods(t, {
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
  floods(t, {
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
  floods(t, {
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

floods(t, {
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
