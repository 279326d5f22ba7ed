// The relay, over both kinds of sockets: byte-exact, half-closed, reset, held back; on loopback, with real sockets.

import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { systemClock } from '../../../src/lib/clock.ts'
import type { Connection, Dialer, Listener, Sockets } from '../../../src/proxy/net/connection.ts'
import { Relay, type RelayEnd } from '../../../src/proxy/net/relay.ts'
import { chooseSockets } from '../../../src/proxy/net/sockets.ts'
import { StreamSockets } from '../../../src/proxy/net/stream-sockets.ts'
import { Ticker } from '../../../src/proxy/net/ticker.ts'
import { deferred, dial, errorOf, readAll, serve, until } from '../../support/tcp.ts'

const NO_KEEPALIVE = { keepAlive: 0 }
const KINDS: Readonly<Record<string, Sockets>> = {
  raw: chooseSockets('auto').sockets,
  streams: new StreamSockets(),
}

interface Fixture {
  readonly port: number
  readonly relays: Relay[]
  readonly ends: RelayEnd[]
}

/** A listener that relays every connection to `target`. */
async function relayTo(t: Test, sockets: Sockets, target: number): Promise<Fixture> {
  const ticker = new Ticker(systemClock, () => undefined)
  const relays: Relay[] = []
  const ends: RelayEnd[] = []
  const acceptor = {
    onAccept(downstream: Connection) {
      const dialer: Dialer = {
        onConnected(upstream) {
          const owner = {
            onRelayEnd: (end: RelayEnd) => ends.push(end),
            onServerFirst: () => true,
          }
          const relay = new Relay(downstream, upstream, { received: 0, sent: 0 }, ticker, owner)
          relays.push(relay)
          relay.start()
          relay.release()
        },
        onConnectFailed() {
          downstream.reset()
        },
      }
      sockets.connect({ ip: '127.0.0.1', port: target }, dialer, NO_KEEPALIVE)
    },
    onAcceptFailed: () => undefined,
  }
  const listener: Listener = await sockets.listen({ ip: '127.0.0.1', port: 0 }, acceptor, {
    keepAlive: 60_000,
  })
  t.teardown(() => {
    listener.close()
    for (const relay of relays) relay.abort()
    ticker.stop()
  })
  return { port: listener.address.port, relays, ends }
}

/** Writes with respect for backpressure, in pieces of all sizes. */
async function writeInPieces(
  socket: Socket,
  data: Buffer,
  sizes: readonly number[],
): Promise<void> {
  for (let at = 0, turn = 0; at < data.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1
    if (!socket.write(data.subarray(at, at + size))) await once(socket, 'drain')
    at += size
  }
}

t.test('sockets: the raw kind is what this Node.js gets', async (t) => {
  t.same(chooseSockets('auto'), { sockets: KINDS['raw'], reason: '' })
  t.equal(KINDS['raw']?.kind, 'raw')
  t.match(chooseSockets('streams'), { sockets: { kind: 'streams' }, reason: 'configured' })
})

for (const [kind, sockets] of Object.entries(KINDS)) {
  t.test(
    `relay over ${kind}: bytes are exact both ways at once, in pieces of all sizes`,
    async (t) => {
      const answer = randomBytes(5_000_003)
      const question = randomBytes(7_000_001)
      const heard = deferred<Buffer>()
      const target = await serve((socket) => {
        void readAll(socket).then(heard.resolve)
        void writeInPieces(socket, answer, [70_000, 1, 2047, 2048, 2049, 200_000]).then(() =>
          socket.end(),
        )
      })
      t.teardown(target.close)
      const { port, relays, ends } = await relayTo(t, sockets, target.port)
      const client = await dial(port)
      const answered = readAll(client)
      await writeInPieces(client, question, [1, 65_536, 2048, 100, 4096, 131_072])
      client.end()
      t.equal(hash(await answered), hash(answer), 'the answer')
      await until('both directions are done', () => ends.length === 1)
      t.equal(hash(await heard.promise), hash(question), 'the question')
      t.same(ends, [{ kind: 'finished' }])
      t.equal(relays[0]?.received, question.length)
      t.equal(relays[0]?.sent, answer.length)
    },
  )

  t.test(`relay over ${kind}: the server may speak first`, async (t) => {
    const target = await serve((socket) => socket.end('220 welcome\r\n'))
    t.teardown(target.close)
    const { port } = await relayTo(t, sockets, target.port)
    const client = await dial(port)
    t.equal(String(await readAll(client)), '220 welcome\r\n')
    client.destroy()
  })

  t.test(
    `relay over ${kind}: a client that has closed its half still gets the answer`,
    async (t) => {
      const target = await serve((socket) => {
        void readAll(socket).then((all) => socket.end(`got ${all.length}`))
      })
      t.teardown(target.close)
      const { port, ends } = await relayTo(t, sockets, target.port)
      const client = await dial(port)
      client.end('12345')
      t.equal(String(await readAll(client)), 'got 5')
      await until('ended', () => ends.length === 1)
      t.same(ends, [{ kind: 'finished' }])
    },
  )

  t.test(
    `relay over ${kind}: a server that has closed its half still gets the request`,
    async (t) => {
      const heard = deferred<Buffer>()
      const target = await serve((socket) => {
        socket.end('bye')
        void readAll(socket).then(heard.resolve)
      })
      t.teardown(target.close)
      const { port } = await relayTo(t, sockets, target.port)
      const client = await dial(port)
      t.equal(String(await readAll(client)), 'bye')
      client.end('still here')
      t.equal(String(await heard.promise), 'still here')
    },
  )

  t.test(`relay over ${kind}: a reset by the server is a reset for the client`, async (t) => {
    const target = await serve((socket) => {
      socket.once('data', () => socket.resetAndDestroy())
    })
    t.teardown(target.close)
    const { port, ends } = await relayTo(t, sockets, target.port)
    const client = await dial(port)
    const broken = errorOf(client)
    client.write('x')
    t.equal(await broken, 'ECONNRESET')
    t.same(ends, [{ kind: 'broken', side: 'upstream', code: 'ECONNRESET' }])
  })

  t.test(`relay over ${kind}: a reset by the client is a reset for the server`, async (t) => {
    const broken = deferred<string>()
    const target = await serve((socket) => {
      void errorOf(socket).then(broken.resolve)
      socket.write('hello')
    })
    t.teardown(target.close)
    const { port, ends } = await relayTo(t, sockets, target.port)
    const client = await dial(port)
    await once(client, 'data')
    client.resetAndDestroy()
    t.equal(await broken.promise, 'ECONNRESET')
    t.same(ends, [{ kind: 'broken', side: 'downstream', code: 'ECONNRESET' }])
  })

  t.test(
    `relay over ${kind}: a reader that stops stops the sender, and nothing is lost`,
    async (t) => {
      const target = await serve((socket) => socket.pause())
      t.teardown(target.close)
      const { port, relays } = await relayTo(t, sockets, target.port)
      const client = await dial(port)
      const piece = randomBytes(65_536)
      const sent = createHash('sha256')
      let written = 0
      // Until the kernel takes nothing for a while: the pipe is full end to end.
      for (;;) {
        sent.update(piece)
        written += piece.length
        if (client.write(piece)) continue
        const drained = await Promise.race([
          once(client, 'drain').then(() => true),
          new Promise((resolve) => setTimeout(resolve, 300, false)),
        ])
        if (drained !== true) break
      }
      t.ok(written < 64e6, `the sender was held after ${written} bytes`)
      t.ok((relays[0]?.received ?? 0) < written, 'not all of it was taken in')
      const receiver = target.sockets[0]
      if (receiver === undefined) throw new Error('nobody connected')
      const got = createHash('sha256')
      receiver.on('data', (chunk) => got.update(chunk))
      receiver.resume()
      client.end()
      await once(receiver, 'end')
      t.equal(got.digest('hex'), sent.digest('hex'))
      client.destroy()
    },
  )
}

t.test(
  'relay over raw: an answer that is followed by a reset is heard before the reset',
  async (t) => {
    const sockets = KINDS['raw']
    if (sockets === undefined) throw new Error('no raw sockets')
    // A server that refuses an upload answers, and closes without having read it: the kernel then resets.
    const target = await serve((socket) => {
      socket.pause()
      socket.write('413 too large')
      setTimeout(() => socket.destroy(), 50)
    })
    t.teardown(target.close)
    const { port, ends } = await relayTo(t, sockets, target.port)
    const client = await dial(port)
    client.on('error', () => undefined)
    const heard: Buffer[] = []
    client.on('data', (chunk) => heard.push(chunk))
    const upload = setInterval(() => client.write(Buffer.alloc(100_000)), 1)
    const closed = deferred<boolean>()
    client.once('close', closed.resolve)
    await closed.promise
    clearInterval(upload)
    t.equal(String(Buffer.concat(heard)), '413 too large')
    t.match(ends, [{ kind: 'broken', side: 'upstream' }])
  },
)

t.test(
  'relay over raw: a connection that rests after bulk keeps no large buffer, and goes on',
  async (t) => {
    const sockets = KINDS['raw']
    if (sockets === undefined) throw new Error('no raw sockets')
    const target = await serve((socket) => socket.pipe(socket))
    t.teardown(target.close)
    const { port, relays } = await relayTo(t, sockets, target.port)
    const client = await dial(port)
    const data = randomBytes(3_000_000)
    for (let round = 0; round < 3; round += 1) {
      let echoed = 0
      const parts: Buffer[] = []
      const done = new Promise<void>((resolve) => {
        client.on('data', (chunk: Buffer) => {
          parts.push(chunk)
          echoed += chunk.length
          if (echoed === data.length) resolve()
        })
      })
      client.write(data)
      await done
      client.removeAllListeners('data')
      t.ok(Buffer.concat(parts).equals(data), `round ${round}`)
      relays[0]?.rest()
    }
    client.destroy()
  },
)

function hash(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
