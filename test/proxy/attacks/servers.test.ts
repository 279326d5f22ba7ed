// What a hostile server can do over HTTP/2 to a proxy in a process of its own, to those who asked for it, and to those
// who asked for something else: every request gets an answer, the server is asked a few times and no more.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { PREFACE } from '../../../src/proxy/http/h2/protocol.ts'
import { H2Client } from '../../support/h2-client.ts'
import {
  continuation,
  data,
  END_HEADERS,
  END_STREAM,
  type Frame,
  frame,
  goaway,
  headers,
  liar,
  literal,
  ping,
  priority,
  pushPromise,
  request,
  response,
  rstStream,
  SETTINGS_ACK,
  settings,
  Type,
  windowUpdate,
} from '../../support/h2-wire.ts'
import { serve } from '../../support/tcp.ts'
import { until } from '../../support/until.ts'
import { Attacker } from './attacker.ts'
import { Bystander, Victim } from './victim.ts'

const MAX_CONCURRENT = 3
const INITIAL_WINDOW = 4
const MOST_GROWTH = 96
const REQUESTS = 10
/** Of one request: the first and two more by the policy, each of them twice on a new connection if it was refused. */
const MOST_TRIES = 9 * REQUESTS

const OK = response(200)
const OPEN = END_HEADERS

type Manner = (server: Attacker, frame: Frame) => void

interface Asked {
  /** What the requests are answered with, or `reset`. */
  readonly answers: RegExp
  /** What the proxy says to the server at the end, if it ends it. */
  readonly goaway?: RegExp
  /** The limit that is counted. */
  readonly limit?: string
  readonly body?: Buffer
}

function many(count: number, bytes: Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => bytes))
}

t.test('attacks of servers', async (t) => {
  let manner: Manner = () => undefined
  let start: Buffer = Buffer.concat([settings(), SETTINGS_ACK])
  const servers: Attacker[] = []
  let tries = 0
  const bad = await serve((socket) => {
    socket.on('end', () => socket.end())
    const server = new Attacker(socket, PREFACE)
    servers.push(server)
    if (start.length > 0) server.send(start)
    server.onFrame = (frame) => {
      if (frame.type === Type.headers) tries += 1
      manner(server, frame)
    }
  })
  t.teardown(bad.close)
  const victim = await Victim.start(
    t,
    [
      { name: 'web', port: await backend(t), appProtocol: 'http' },
      {
        name: 'bad',
        port: bad.port,
        appProtocol: 'http2',
        policy: 'timeouts: { request: 1s }, retries: { budget: { minPerSecond: 1000 } }',
      },
    ],
    { UNDERPASS_HTTP2_SETTINGS_TIMEOUT: '1s' },
  )
  await new Bystander(victim.port('web')).during(Promise.resolve())

  /** Asks a few times while that is how the server behaves. */
  async function attack(t: Test, how: Manner, asked: Asked, first?: Buffer): Promise<void> {
    manner = how
    start = first ?? Buffer.concat([settings(), SETTINGS_ACK])
    tries = 0
    servers.length = 0
    const { answers, limit, body } = asked
    const limits = limit === undefined ? 0 : await victim.limited(limit, 'upstream')
    const before = await victim.memory()
    const bystander = new Bystander(victim.port('web'))
    const client = await H2Client.connect(victim.port('bad'))
    await bystander.during(
      (async () => {
        const all = Array.from({ length: REQUESTS }, () =>
          body === undefined
            ? client.ask({ ':path': '/' })
            : client.ask({ ':path': '/', ':method': 'POST' }, body),
        )
        for (const one of all) await one.over()
        const got = new Set(
          all.map(({ status, code }) => (status === 0 ? `reset ${code}` : `${status} ${code}`)),
        )
        t.match([...got].join(', '), answers, `answered with ${[...got].join(', ')}`)
      })(),
    )
    bystander.judge(t)
    t.ok(tries <= MOST_TRIES, `sent ${tries} times`)
    t.ok(servers.length <= MOST_TRIES, `over ${servers.length} connections`)
    if (asked.goaway !== undefined) {
      await until('GOAWAY', () => servers.some(({ goaway }) => goaway !== ''))
      for (const { goaway } of servers) if (goaway !== '') t.match(goaway, asked.goaway)
    }
    if (limit !== undefined) {
      const more = (await victim.limited(limit, 'upstream')) - limits
      t.ok(more > 0, `${limit} is counted, ${more} times`)
    }
    const growth = (await victim.memory()) - before
    t.ok(growth < MOST_GROWTH, `memory has grown by ${growth.toFixed(0)} MiB`)
    client.destroy()
    for (const server of servers) server.close()
    await until('nothing is left open', async () => {
      return (await victim.isQuiet()) && (await victim.isQuiet('upstream'))
    })
  }

  const onRequest =
    (act: (server: Attacker, id: number) => void): Manner =>
    (server, { type, stream }) => {
      if (type === Type.headers) act(server, stream)
    }

  const floods: Record<string, Buffer> = {
    PING: ping(),
    SETTINGS: settings(),
    PRIORITY: priority(1, 0),
    WINDOW_UPDATE: windowUpdate(0, 1),
    'frames that nobody knows': frame(0x42, 0, 1, Buffer.alloc(16)),
  }
  for (const [name, bytes] of Object.entries(floods)) {
    t.test(`flood: ${name}`, async (t) => {
      const act = onRequest((server) => server.send(many(1500, bytes)))
      await attack(t, act, { answers: /^50\d 0$/, goaway: /CALM/, limit: 'control-frames' })
    })
  }

  t.test('flood: empty DATA', async (t) => {
    const act = onRequest((server, id) =>
      server.send(headers(id, OK, OPEN), many(1500, data(id, ''))),
    )
    await attack(t, act, { answers: /^(reset|200|50\d)/, goaway: /CALM/, limit: 'control-frames' })
  })

  t.test('flood: CONTINUATION', async (t) => {
    const act = onRequest((server, id) =>
      server.send(headers(id, OK, 0), many(50, continuation(id, Buffer.alloc(0), 0))),
    )
    await attack(t, act, { answers: /^50\d 0$/, goaway: /CALM/, limit: 'continuations' })
  })

  t.test('flood: interim responses', async (t) => {
    const hints = response(103, [['link', 'x'.repeat(1000)]])
    const act = onRequest((server, id) => {
      void server.flood((n) => (n < 20 ? many(20, headers(id, hints, OPEN)) : undefined))
    })
    await attack(t, act, { answers: /^502 0$/ })
  })

  const wrong: Record<string, [act: (server: Attacker, id: number) => void, goaway: RegExp]> = {
    PUSH_PROMISE: [(server, id) => server.send(pushPromise(id, 2, request())), /PROTOCOL_ERROR/],
    'a response that nobody waits for': [
      (server) => server.send(headers(9999, OK)),
      /PROTOCOL_ERROR/,
    ],
    'a stream of its own': [(server) => server.send(headers(2, request())), /PROTOCOL_ERROR/],
    'HEADERS without a stream': [(server) => server.send(headers(0, OK)), /PROTOCOL_ERROR/],
    'DATA without a stream': [(server) => server.send(data(9999, 'x')), /PROTOCOL_ERROR/],
    'a frame too large': [
      (server, id) => server.send(liar(Type.data, 0, id, 16_385, Buffer.alloc(100))),
      /FRAME_SIZE_ERROR/,
    ],
    'a block that is none': [
      (server, id) => server.send(headers(id, Buffer.from([0xff, 0xff, 0xff, 0xff]))),
      /COMPRESSION_ERROR/,
    ],
    'a window beyond all': [(server) => server.send(windowUpdate(0, 0x7fff_ffff)), /FLOW_CONTROL/],
    'a table larger than ours': [
      (server, id) =>
        server.send(headers(id, Buffer.concat([Buffer.from([0x3f, 0xff, 0xff, 0x7f]), OK]))),
      /COMPRESSION_ERROR/,
    ],
  }
  for (const [name, [act, goaway]] of Object.entries(wrong)) {
    t.test(`wrong: ${name}`, async (t) => {
      await attack(t, onRequest(act), { answers: /^50\d 0$/, goaway })
    })
  }

  const refused: Record<string, (id: number) => Buffer[]> = {
    'DATA before the head': (id) => [data(id, 'x', END_STREAM)],
    'a name in capitals': (id) => [headers(id, response(200, [['Bad', 'name']]))],
    'a field of a connection': (id) => [
      headers(id, response(200, [['transfer-encoding', 'chunked']])),
    ],
    'a value with a line in it': (id) => [
      headers(id, response(200, [['x', 'a\r\nset-cookie: b']])),
    ],
    'a status that is none': (id) => [headers(id, response('20x'))],
    'a switch of protocols': (id) => [headers(id, response(101), OPEN)],
    'two lengths': (id) => [
      headers(
        id,
        response(200, [
          ['content-length', '1'],
          ['content-length', '2'],
        ]),
        OPEN,
      ),
      data(id, 'x', END_STREAM),
    ],
    'a bomb': (id) => [
      headers(
        id,
        Buffer.concat([OK, literal(0x40, 'x', 'a'.repeat(4000)), Buffer.alloc(5000, 0xbe)]),
      ),
    ],
    'more than the length': (id) => [
      headers(id, response(200, [['content-length', '1']]), OPEN),
      data(id, 'xy', END_STREAM),
    ],
  }
  for (const [name, make] of Object.entries(refused)) {
    t.test(`refused: ${name}`, async (t) => {
      const act = onRequest((server, id) => server.send(...make(id)))
      await attack(t, act, { answers: /^502 0$/ })
    })
  }

  t.test('less than the length', async (t) => {
    const act = onRequest((server, id) =>
      server.send(
        headers(id, response(200, [['content-length', '5']]), OPEN),
        data(id, 'xy', END_STREAM),
      ),
    )
    await attack(t, act, { answers: /^(502 0|reset \d|200 [1-9])$/ })
  })

  t.test('a second response', async (t) => {
    const act = onRequest((server, id) => server.send(headers(id, OK), headers(id, OK)))
    await attack(t, act, { answers: /200 0/, goaway: /STREAM_CLOSED/ })
  })

  t.test('REFUSED_STREAM for ever', async (t) => {
    const act = onRequest((server, id) => server.send(rstStream(id, 7)))
    await attack(t, act, { answers: /^50\d 0$/ })
  })

  t.test('resets of all kinds', async (t) => {
    const act = onRequest((server, id) => server.send(rstStream(id, id % 16)))
    await attack(t, act, { answers: /^50\d 0/ })
  })

  t.test('GOAWAY for ever', async (t) => {
    const act = onRequest((server) => server.send(goaway(0, 0)))
    await attack(t, act, { answers: /^50\d 0$/ })
  })

  t.test('GOAWAY at once', async (t) => {
    const first = Buffer.concat([settings(), SETTINGS_ACK, goaway(0, 0)])
    await attack(t, () => undefined, { answers: /^50\d 0$/ }, first)
  })

  t.test('no streams allowed', async (t) => {
    const first = Buffer.concat([settings([MAX_CONCURRENT, 0]), SETTINGS_ACK])
    await attack(t, () => undefined, { answers: /^50\d 0$/ }, first)
  })

  t.test('no streams allowed, and those that come refused', async (t) => {
    const first = Buffer.concat([settings([MAX_CONCURRENT, 0]), SETTINGS_ACK])
    const act = onRequest((server, id) => server.send(rstStream(id, 7)))
    await attack(t, act, { answers: /^50\d 0$/ }, first)
  })

  t.test('no streams allowed, one request after the other', async (t) => {
    start = Buffer.concat([settings([MAX_CONCURRENT, 0]), SETTINGS_ACK])
    manner = onRequest((server, id) => server.send(rstStream(id, 7)))
    servers.length = 0
    const client = await H2Client.connect(victim.port('bad'))
    for (let i = 0; i < 10; i++) await client.get()
    await until('few are left', () => servers.filter(({ isClosed }) => !isClosed).length <= 2)
    t.pass(`of ${servers.length} connections few are open`)
    client.destroy()
    for (const server of servers) server.close()
  })

  t.test('no window for uploads', async (t) => {
    const first = Buffer.concat([settings([INITIAL_WINDOW, 0]), SETTINGS_ACK])
    await attack(t, () => undefined, { answers: /^50\d 0$/, body: Buffer.alloc(200_000) }, first)
  })

  t.test('no SETTINGS', async (t) => {
    await attack(
      t,
      () => undefined,
      { answers: /^50\d 0$/, goaway: /SETTINGS_TIMEOUT|NO_ERROR/ },
      Buffer.alloc(0),
    )
  })

  t.test('something else than SETTINGS', async (t) => {
    await attack(t, () => undefined, { answers: /^50\d 0$/, goaway: /PROTOCOL_ERROR/ }, ping())
  })
})

async function backend(t: Test): Promise<number> {
  const server = createServer((asked, response) => {
    asked.resume()
    response.end('ok')
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}
