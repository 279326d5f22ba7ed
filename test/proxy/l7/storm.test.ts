// Accounting under a storm: peers that do everything wrong at random, and afterwards nothing is left.
//
// The seed is printed; `STORM_SEED` repeats a run.

import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import type { Random } from '../../../src/lib/random.ts'
import { seededRandom } from '../../../src/lib/random.ts'
import type { BackendConnection, RawClient, Script } from '../../support/http-peer.ts'
import { ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, L7, onBoth, post, refusingPort } from './fixture.ts'

const CLIENTS = 250
const AT_ONCE = 20

function oneOf<T>(random: Random, all: readonly T[]): T {
  return all[Math.floor(random() * all.length)] as T
}

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'

const ANSWERS: readonly ((connection: BackendConnection) => void)[] = [
  ...Array.from({ length: 8 }, () => (connection: BackendConnection) => {
    connection.write(ok('fine'))
  }),
  (connection) => {
    connection.write(ok('x'.repeat(200_000)))
  },
  (connection) => {
    connection.write(`${CHUNKED}3\r\nabc\r\n0\r\nX: y\r\n\r\n`)
  },
  (connection) => {
    connection.write('HTTP/1.1 103 Hints\r\n\r\n')
    setImmediate(() => {
      connection.write(ok('late'))
    })
  },
  (connection) => {
    connection.write(ok('bye', 'Connection: close\r\n'))
    connection.end()
  },
  (connection) => {
    connection.write('HTTP/1.1 200 OK\r\n\r\nuntil the end')
    connection.end()
  },
  (connection) => {
    connection.write(ok('one') + ok('two'))
  },
  (connection) => {
    connection.write('SSH-2.0-garbage\r\n')
  },
  (connection) => {
    connection.write(`${CHUNKED}3\r\nabcd\r\n`)
  },
  (connection) => {
    connection.write(`${CHUNKED}3\r\nab`)
    connection.reset()
  },
  (connection) => {
    connection.reset()
  },
  (connection) => {
    connection.end()
  },
  () => undefined,
]

function stormy(random: Random): Script {
  return (connection, text) => {
    // Before the request is whole, at times.
    if (random() < 0.02 && text.length > 0 && !connection.closed) connection.reset()
    while (connection.next() !== undefined) oneOf(random, ANSWERS)(connection)
  }
}

function requestOf(random: Random): string {
  const n = random()
  if (n < 0.5) return get(`/${n}`)
  if (n < 0.7) return post('abc')
  if (n < 0.8) return post('y'.repeat(100_000))
  if (n < 0.85)
    return 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
  if (n < 0.9) return get('/', 'Connection: close\r\n')
  if (n < 0.93) return 'GET / HTTP/1.0\r\n\r\n'
  if (n < 0.96) return 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'
  return 'GET / HTTP/1.1\r\nHost: a\r\nX : bad\r\n\r\n'
}

async function act(random: Random, client: RawClient): Promise<void> {
  const { socket } = client
  for (let turn = 0; turn < 4; turn += 1) {
    if (client.closed) return
    const count = 1 + Math.floor(random() * 3)
    const text = Array.from({ length: count }, () => requestOf(random)).join('')
    const at = Math.floor(random() * text.length)
    for (const piece of random() < 0.5 ? [text] : [text.slice(0, at), text.slice(at)]) {
      if (socket.writable) socket.write(piece, 'latin1')
      if (random() < 0.3) await setTimeout(1)
    }
    if (random() < 0.1) client.pause()
    await setTimeout(random() * 6)
    client.resume()
    const way = random()
    if (way < 0.1) client.reset()
    else if (way < 0.2) client.end()
  }
  if (random() < 0.5) client.reset()
  else client.end()
}

for (const limit of [undefined, 3]) {
  onBoth(t, `storm: nothing is left, ${limit ?? 'any number of'} connections`, async (t, kind) => {
    const seed = Number(process.env['STORM_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
    t.comment(`STORM_SEED=${seed}`)
    const random = seededRandom(seed)
    const servers = await Promise.all([1, 2, 3].map(async () => backend(t, stormy(random))))
    const places = [...servers, await refusingPort()]
    const options = {
      kind,
      idleTimeout: 5000,
      protocol: random() < 0.5 ? ('' as const) : ('http' as const),
    }
    const f = await L7.start(
      t,
      places,
      limit === undefined ? options : { ...options, maxConnections: limit },
    )
    f.destination.maxPendingRequests = 10
    const ticking = setInterval(() => {
      f.clock.advance(100)
    }, 5)
    const worker = async (): Promise<void> => {
      for (let turn = 0; turn < CLIENTS / AT_ONCE; turn += 1) {
        const client = await f.client()
        await act(random, client)
        await setTimeout(5)
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
    await until(
      'everything is over',
      // A connection that nobody waits for any more may still be being dialled.
      () =>
        Object.values(f.underWay).every((count) => count === 0) &&
        f.destination.open === f.connected,
      20_000,
    ).catch(() => undefined)
    clearInterval(ticking)
    t.same(f.underWay, { endpoints: 0, active: 0, pending: 0, sessions: 0 })
    t.equal(f.destination.open, f.connected, 'what is open is counted as open')
    t.ok(Object.values(f.statuses).reduce((sum, count) => sum + count, 0) > CLIENTS / 2)
    f.reception.stop()
    t.equal(f.connected, 0, 'opened and closed alike')
    t.equal(f.destination.open, 0)
  })
}
