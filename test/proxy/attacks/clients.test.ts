// What a hostile client can do over HTTP/2 to a proxy in a process of its own, and to whoever else uses it: floods,
// bombs and resets end its connection with the right word, and cost the others nothing.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
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
  rstStream,
  SETTINGS_ACK,
  settings,
  settingsPayload,
  Type,
  windowUpdate,
} from '../../support/h2-wire.ts'
import { serve } from '../../support/tcp.ts'
import { until } from '../../support/until.ts'
import { Attacker } from './attacker.ts'
import { Bystander, quiet, Victim } from './victim.ts'

const GET = request()
const POST = request([], 'POST')
const HANG = path('/hang')
const CALM = /ENHANCE_YOUR_CALM/
const INITIAL_WINDOW = 4
/** What the proxy may grow by in one attack, in MiB. */
const MOST_GROWTH = 96

function path(path: string, more: readonly (readonly [string, string])[] = [], method = 'GET') {
  return block([
    [':method', method],
    [':scheme', 'http'],
    [':path', path],
    [':authority', 'a.test'],
    ...more,
  ])
}

const BIG = Buffer.alloc(256 * 1024, 'x')

async function backend(t: Test): Promise<number> {
  const server: Server = createServer((asked, response) => {
    asked.on('error', () => undefined)
    if (asked.url === '/hang') return
    asked.resume()
    response.end(asked.url === '/big' ? BIG : 'ok')
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const id = (i: number): number => 2 * i + 1

/** So many frames in one piece. */
function many(count: number, make: (i: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, (_, i) => make(i)))
}

t.test('attacks of clients', async (t) => {
  const victim = await Victim.start(t, [
    { name: 'web', port: await backend(t), appProtocol: 'http' },
  ])
  const port = victim.port('web')
  // What it grows by when it is first used is no attack's.
  await new Bystander(port).during(Promise.resolve())

  async function attack(t: Test, act: () => Promise<unknown>): Promise<void> {
    const before = await victim.memory()
    const bystander = new Bystander(port)
    await bystander.during(act())
    bystander.judge(t)
    const growth = (await victim.memory()) - before
    t.ok(growth < MOST_GROWTH, `memory has grown by ${growth.toFixed(0)} MiB`)
    await quiet(t, victim)
  }

  /** One that is ended for a limit. */
  async function limited(
    t: Test,
    limit: string,
    act: (attacker: Attacker) => Promise<unknown>,
    values: readonly (readonly [number, number])[] = [],
  ): Promise<void> {
    const before = await victim.limited(limit)
    await attack(t, async () => {
      const attacker = await Attacker.client(port, values)
      await act(attacker)
      t.match(await attacker.over(), CALM)
    })
    t.equal((await victim.limited(limit)) - before, 1, `${limit} is counted`)
  }

  t.test('rapid reset', async (t) => {
    await limited(t, 'reset-share', async (attacker) => {
      await attacker.flood((n) =>
        many(50, (i) =>
          Buffer.concat([headers(id(50 * n + i), GET), rstStream(id(50 * n + i), 8)]),
        ),
      )
    })
  })

  const faults: Record<string, (id: number) => Buffer[]> = {
    'WINDOW_UPDATE of 0': (id) => [headers(id, HANG), windowUpdate(id, 0)],
    'WINDOW_UPDATE beyond 2^31': (id) => [headers(id, HANG), windowUpdate(id, 0x7fffffff)],
    'a length that is not kept': (id) => [
      headers(id, request([['content-length', '5']], 'POST'), END_HEADERS),
      data(id, 'x', END_STREAM),
    ],
    'DATA behind the end': (id) => [headers(id, HANG), data(id, 'x')],
    'HEADERS behind the end': (id) => [headers(id, HANG), headers(id, GET)],
    'a stream that depends on itself': (id) => [headers(id, HANG), priority(id, id)],
    'PRIORITY of a wrong size': (id) => [
      headers(id, HANG),
      frame(Type.priority, 0, id, Buffer.alloc(4)),
    ],
    'a head that is refused': (id) => [headers(id, request([['Bad', 'name']]))],
  }
  for (const [name, make] of Object.entries(faults)) {
    t.test(`made-you-reset: ${name}`, async (t) => {
      await limited(t, 'faults', async (attacker) => {
        await attacker.flood((n) => many(20, (i) => Buffer.concat(make(id(20 * n + i)))))
        t.ok(attacker.resetsReceived <= 101, `${attacker.resetsReceived} resets at most`)
      })
    })
  }

  for (const [name, piece] of Object.entries({
    small: Buffer.from([0x82]),
    empty: Buffer.alloc(0),
  })) {
    t.test(`CONTINUATION flood: ${name}`, async (t) => {
      await limited(t, 'continuations', async (attacker) => {
        attacker.send(headers(1, GET, END_STREAM))
        await attacker.flood((n) => (n < 5 ? many(10, () => continuation(1, piece, 0)) : undefined))
      })
    })
  }

  t.test('a header list too large for its frames', async (t) => {
    await limited(t, 'header-list', async (attacker) => {
      attacker.send(headers(1, GET, END_STREAM))
      await attacker.flood(() => continuation(1, literal(0, 'x-a', 'a'.repeat(16_000)), 0))
    })
  })

  const nuisances: Record<string, Buffer> = {
    SETTINGS: settings(),
    'SETTINGS ACK': frame(Type.settings, 1, 0),
    PING: ping(),
    'PING ACK': ping('12345678', 1),
    'empty DATA': data(1, ''),
    'padded empty DATA': data(1, '', 0, 200),
    PRIORITY: priority(3, 0),
    WINDOW_UPDATE: windowUpdate(0, 1),
    'frames that nobody knows': frame(0x42, 0, 1, Buffer.alloc(64)),
    'late RST_STREAM': rstStream(3, 8),
  }
  for (const [name, bytes] of Object.entries(nuisances)) {
    t.test(`flood: ${name}`, async (t) => {
      await limited(t, 'control-frames', async (attacker) => {
        attacker.send(headers(3, GET), headers(5, POST, END_HEADERS))
        const one = name.includes('DATA') ? retarget(bytes, 5) : bytes
        await attacker.flood((n) => (n < 30 ? many(100, () => one) : undefined))
      })
    })
  }

  t.test('PING flood of a client that does not read', async (t) => {
    await limited(
      t,
      'control-queue',
      async (attacker) => {
        attacker.send(windowUpdate(0, 0x7fff_0000))
        attacker.send(many(60, (i) => headers(id(i), path('/big'))))
        attacker.socket.pause()
        attacker.send(headers(201, POST, END_HEADERS))
        // What carries something pays for what does not. It is not seen before it reads again.
        const before = await victim.limited('control-queue')
        await until('enough of it', async () => {
          await attacker.flood((n) =>
            n < 20 ? many(50, () => Buffer.concat([data(201, 'x'), ping()])) : undefined,
          )
          return (await victim.limited('control-queue')) > before
        })
        attacker.socket.resume()
      },
      [[INITIAL_WINDOW, 0x7fff_ffff]],
    )
  })

  t.test('HPACK: a large field, told by one byte', async (t) => {
    await limited(t, 'faults', async (attacker) => {
      const first = Buffer.concat([GET, literal(0x40, 'x', 'a'.repeat(4000))])
      attacker.send(headers(1, first))
      const bomb = Buffer.concat([GET, Buffer.alloc(200, 0xbe)])
      await attacker.flood((n) => many(10, (i) => headers(id(10 * n + i + 1), bomb)))
      t.equal(attacker.resets.get('PROTOCOL_ERROR'), attacker.resetsReceived)
    })
  })

  t.test('HPACK: crumbs of a cookie', async (t) => {
    await limited(t, 'faults', async (attacker) => {
      attacker.send(headers(1, Buffer.concat([GET, literal(0x40, 'cookie', 'a=b')])))
      const bomb = Buffer.concat([GET, Buffer.alloc(200, 0xbe)])
      await attacker.flood((n) => many(10, (i) => headers(id(10 * n + i + 1), bomb)))
    })
  })

  t.test('HPACK: the size of the table, again and again', async (t) => {
    await attack(t, async () => {
      const attacker = await Attacker.client(port)
      const games = Buffer.concat(
        Array.from({ length: 3000 }, (_, i) => integer(0x20, 5, i % 2 === 0 ? 0 : 4096)),
      )
      const bytes = Buffer.concat([games, GET, literal(0x40, 'x', 'y')])
      await attacker.flood((n) => (n < 300 ? headers(id(n), bytes) : undefined))
      t.equal(attacker.goaway, '')
      attacker.close()
    })
  })

  t.test('HPACK: heads as large as may be, on all streams', async (t) => {
    await attack(t, async () => {
      const attacker = await Attacker.client(port)
      attacker.send(headers(1, Buffer.concat([GET, literal(0x40, 'x', 'a'.repeat(4000))])))
      const bytes = Buffer.concat([HANG, Buffer.alloc(15, 0xbe)])
      await attacker.flood((n) => (n < 990 ? headers(id(n + 1), bytes) : undefined))
      await attacker.flood(() => ping(), 300)
      attacker.close()
    })
  })

  t.test('streams beyond the limit', async (t) => {
    await limited(t, 'faults', async (attacker) => {
      await attacker.flood((n) =>
        n < 150 ? many(10, (i) => headers(id(10 * n + i), HANG)) : undefined,
      )
      await attacker.over()
      t.ok((attacker.resets.get('REFUSED_STREAM') ?? 0) > 0)
    })
  })

  t.test('windows: none at first, and a byte at a time', async (t) => {
    await attack(t, async () => {
      const attacker = await waiting(port)
      await attacker.flood(
        (n) => (n < 300 ? many(300, (i) => windowUpdate(id((n * 300 + i) % 1000), 1)) : undefined),
        800,
      )
      attacker.close()
    })
  })

  t.test('windows: widened for all streams by one SETTINGS', async (t) => {
    await attack(t, async () => {
      const attacker = await waiting(port)
      const all = Array.from({ length: 32 }, (_, i) => [INITIAL_WINDOW, i % 2] as const)
      const bytes = frame(Type.settings, 0, 0, settingsPayload(all))
      await attacker.flood(() => many(20, () => bytes))
      t.match(await attacker.over(), CALM)
    })
  })

  t.test('windows: a byte more for all streams by each SETTINGS', async (t) => {
    await attack(t, async () => {
      const attacker = await waiting(port)
      let window = 0
      await attacker.flood(() => many(20, () => settings([INITIAL_WINDOW, ++window])))
      t.match(await attacker.over(), CALM)
      t.ok(attacker.received < 500_000, `${attacker.received} frames of a byte`)
    })
  })

  t.test('responses that nobody reads', async (t) => {
    await attack(t, async () => {
      const attackers = []
      for (let i = 0; i < 5; i++) {
        const attacker = await Attacker.client(port, [[INITIAL_WINDOW, 0x7fff_ffff]])
        attacker.socket.pause()
        attacker.send(
          windowUpdate(0, 0x7fff_0000),
          many(100, (i) => headers(id(i), path('/big'))),
        )
        attackers.push(attacker)
      }
      await new Promise((resolve) => setTimeout(resolve, 500))
      for (const attacker of attackers) attacker.close()
    })
  })

  t.test('heads a byte at a time', async (t) => {
    await attack(t, async () => {
      const attackers: Attacker[] = []
      for (let i = 0; i < 100; i++) attackers.push(await Attacker.client(port))
      const head = headers(1, GET)
      for (const [at] of head.entries()) {
        if (at === head.length - 1) break
        for (const attacker of attackers) attacker.send(head.subarray(at, at + 1))
        await new Promise(setImmediate)
      }
      t.ok(attackers.every(({ isOver }) => !isOver))
      for (const attacker of attackers) attacker.close()
    })
  })

  t.test('prefaces that do not come to their end', async (t) => {
    await attack(t, async () => {
      const attackers: Attacker[] = []
      for (let i = 0; i < 100; i++) attackers.push(await Attacker.dumb(port))
      for (const attacker of attackers) attacker.send(Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n'))
      await new Promise((resolve) => setTimeout(resolve, 100))
      for (const attacker of attackers) attacker.close()
    })
  })
})

t.test('attacks: a thousand uploads to a server that takes nothing', async (t) => {
  const server = await serve((socket) => {
    // A window of nothing, and never another word.
    socket.write(Buffer.concat([settings([INITIAL_WINDOW, 0]), SETTINGS_ACK]))
    socket.resume()
  })
  t.teardown(server.close)
  const victim = await Victim.start(t, [
    { name: 'web', port: await backend(t), appProtocol: 'http' },
    { name: 'stalled', port: server.port, appProtocol: 'http2' },
  ])
  const bystander = new Bystander(victim.port('web'))
  await bystander.during(Promise.resolve())
  const before = await victim.memory()
  const beside = new Bystander(victim.port('web'))
  const attacker = await Attacker.client(victim.port('stalled'))
  const upload = async (): Promise<void> => {
    attacker.send(many(1000, (i) => headers(id(i), POST, END_HEADERS)))
    await until('all are on their way', async () => {
      return (await victim.metric('underpass_http2_open_streams', { role: 'upstream' })) === 1000
    })
    // As much as each may send, as long as all together may: a window for the connection comes with what it takes.
    let room = 1_048_576
    attacker.onFrame = ({ type, stream, payload }) => {
      if (type === Type.windowUpdate && stream === 0) room += payload.readUInt32BE(0)
    }
    const piece = Buffer.alloc(16_000)
    await attacker.flood((n) => {
      if (n >= 4000) return undefined
      const isAllowed = room >= piece.length
      if (isAllowed) room -= piece.length
      else if (attacker.socket.writableLength === 0) stuck += 1
      if (stuck > 2000) return undefined
      return isAllowed ? data(id(n % 1000), piece) : Buffer.alloc(0)
    }, 3000)
  }
  let stuck = 0
  await beside.during(upload())
  beside.judge(t)
  const growth = (await victim.memory()) - before
  t.equal(attacker.goaway, '')
  // What a stream's window lets a client send, for as many streams as there may be.
  t.ok(growth < 64 + MOST_GROWTH, `${attacker.socket.bytesWritten} bytes: ${growth.toFixed(0)} MiB`)
  attacker.close()
  await quiet(t, victim)
})

/** One that has asked for a thousand large responses, and takes nothing of them. */
async function waiting(port: number): Promise<Attacker> {
  const attacker = await Attacker.client(port, [[INITIAL_WINDOW, 0]])
  attacker.send(
    windowUpdate(0, 0x7fff_0000),
    many(1000, (i) => headers(id(i), path('/big'))),
  )
  await until('all heads', () => attacker.count(Type.headers) === 1000)
  return attacker
}

/** The same frame on another stream. */
function retarget(bytes: Buffer, stream: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt32BE(stream, 5)
  return copy
}
