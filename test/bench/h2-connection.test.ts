// The client over HTTP/2 against Node's own server: what it takes for an answer, and what it does not.

import t, { type Test } from 'tap'
import { endless, H2Connection, SMALL } from '../../bench/clients/h2-connection.ts'
import { H2Loop } from '../../bench/clients/h2-loop.ts'
import { STREAM_WINDOW } from '../../bench/h2-frames.ts'
import { ANSWER_BODY, PATTERN } from '../../bench/protocol.ts'
import { Child } from '../../demo/pods/child.ts'
import { type H2Answer, H2Server } from '../support/h2-server.ts'
import { until } from '../support/until.ts'

async function serve(t: Test, answer: H2Answer): Promise<H2Server> {
  const server = await H2Server.listen(answer)
  t.teardown(async () => {
    await server.close()
  })
  return server
}

const small: H2Answer = (asked) => {
  asked.ok(ANSWER_BODY)
}

t.test('h2 loop: asks again and again on every stream, and counts', async (t) => {
  const server = await serve(t, small)
  const loop = new H2Loop(server.port, { connections: 2, streams: 3, most: 3 })
  const { count = 0, p99 = 0 } = await loop.phase(0.05)
  t.equal(server.sessions.length, 2)
  t.equal(server.asked.length, count)
  t.ok(count >= 6, `${count} answers`)
  t.ok(p99 > 0)
  const again = await loop.phase(0.05)
  t.equal(server.asked.length, count + (again['count'] ?? 0), 'a phase counts its own')
  for (const connection of loop.connections) connection.end()
})

t.test('h2 loop: what is never answered is stuck', async (t) => {
  const server = await serve(t, (asked) => {
    if (server.asked.length > 4) return
    asked.ok(ANSWER_BODY)
  })
  const loop = new H2Loop(server.port, { connections: 1, streams: 4, most: 4 })
  const { count, stuck } = await loop.lastPhase(0.01, 0.05)
  t.equal(count, 4)
  t.equal(stuck, 4)
  for (const connection of loop.connections) connection.end()
})

const WRONG: readonly (readonly [what: string, answer: H2Answer, reason: RegExp])[] = [
  [
    'another status',
    ({ stream }) => {
      stream.respond({ ':status': 503 }, { endStream: true })
    },
    /not 200: 8d|not 200: 48|not 200: 8/,
  ],
  [
    'no body',
    ({ stream }) => {
      stream.respond({ ':status': 200 }, { endStream: true })
    },
    /a body of 0 bytes/,
  ],
  [
    'a short body',
    (asked) => {
      asked.ok(ANSWER_BODY.slice(1, 9))
    },
    /wrong bytes after 0 /,
  ],
  [
    'half a body',
    (asked) => {
      asked.ok(ANSWER_BODY.slice(0, 9))
    },
    /a body of 9 bytes/,
  ],
  [
    'a longer body',
    (asked) => {
      asked.ok(`${ANSWER_BODY}!`)
    },
    /wrong bytes after 0 /,
  ],
  [
    'a reset',
    ({ stream }) => {
      stream.close(7)
    },
    /a stream was reset with 7/,
  ],
  [
    'an end',
    ({ session }) => {
      session.goaway(2)
    },
    /ended with 2/,
  ],
  [
    'a close',
    ({ session }) => {
      session.destroy()
    },
    /closed with 1 answers missing|ECONNRESET|ended with/,
  ],
]

for (const [what, answer, reason] of WRONG) {
  t.test(`h2 connection: ${what} is an error`, async (t) => {
    const server = await serve(t, answer)
    const problem = await new Promise<string | undefined>((resolve) => {
      const connection = new H2Connection(server.port, 1, {
        answered: () => {
          resolve('answered')
        },
        closed: resolve,
      })
      connection.ask(SMALL)
      connection.flush()
    })
    t.match(problem, reason)
  })
}

t.test('h2 connection: more than the peer allows at once is an error', async (t) => {
  const server = await H2Server.listen(() => undefined, { maxConcurrentStreams: 3 })
  t.teardown(async () => {
    await server.close()
  })
  const loop = new H2Loop(server.port, { connections: 1, streams: 1, most: 4 })
  await t.rejects(loop.phase(0.01), /only 3 streams at once/)
})

t.test(
  'h2 connection: a stopped reader takes one window, others go on; after it too',
  async (t) => {
    const server = await serve(t, (asked) => {
      if (asked.path === '/') asked.ok(ANSWER_BODY)
      else {
        asked.stream.respond({ ':status': 200 })
        asked.stream.write(PATTERN)
      }
    })
    const loop = new H2Loop(server.port, { connections: 1, streams: 2, most: 3 })
    const [connection] = loop.connections
    if (connection === undefined) throw new Error('no connection')
    const stopped = connection.ask(endless('/block', true))
    connection.flush()
    await until('a whole window', () => stopped.received === STREAM_WINDOW)
    t.ok((await loop.phase(0.02))['count'] ?? 0)
    t.equal(stopped.received, STREAM_WINDOW)
    connection.cancel(stopped)
    const taken = connection.ask(endless('/block', false))
    connection.flush()
    await until('the whole answer', () => taken.received === PATTERN.length)
    t.equal(stopped.received, STREAM_WINDOW)
    t.ok((await loop.phase(0.02))['count'] ?? 0)
    connection.end()
  },
)

t.test('h2 server: our own answers as nghttpd would', async (t) => {
  const child = new Child([process.execPath, 'build/bench/servers/h2.js'])
  t.teardown(async () => await child.stop('SIGTERM'))
  await child.prints(/^listening \d+$/m)
  const port = Number(/\d+/.exec(child.stdout)?.[0])
  const loop = new H2Loop(port, { connections: 2, streams: 20, most: 20 })
  t.ok(((await loop.phase(0.05))['count'] ?? 0) >= 40)
  for (const connection of loop.connections) connection.end()
})
