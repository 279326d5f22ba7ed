// What is special about connections on handles: their buffers, and closing them at any moment.

import { once } from 'node:events'
import { existsSync, readlinkSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type Connection, FAILED, NO_RECEIVER } from '../../../src/proxy/net/connection.ts'
import { loadInternals } from '../../../src/proxy/net/node-internals.ts'
import { RawConnection } from '../../../src/proxy/net/raw-connection.ts'
import { RawSockets } from '../../../src/proxy/net/raw-sockets.ts'
import { LARGE, ReadBuffers, SMALL } from '../../../src/proxy/net/read-buffers.ts'
import { deferred, errorOf, readAll, serve, until } from '../../support/tcp.ts'

function internals(): Exclude<ReturnType<typeof loadInternals>, string> {
  const found = loadInternals()
  if (typeof found === 'string') throw new Error(found)
  return found
}

/** A connection of ours to a port on loopback. */
async function connectTo(t: Test, port: number): Promise<Connection> {
  const connected = deferred<Connection>()
  const failed = deferred<string>()
  new RawSockets(internals()).connect(
    { ip: '127.0.0.1', port },
    { onConnected: connected.resolve, onConnectFailed: failed.resolve },
    { keepAlive: 0 },
  )
  const found = await Promise.race([connected.promise, failed.promise])
  if (typeof found === 'string') throw new Error(found)
  t.teardown(() => {
    found.close()
  })
  return found
}

t.test('buffers: small ones are pieces of one slab, and are used again', async (t) => {
  const buffers = new ReadBuffers()
  const small = Array.from({ length: 33 }, () => buffers.takeSmall())
  t.ok(small.every(({ length }) => length === SMALL))
  t.equal(new Set(small.map(({ buffer }) => buffer)).size, 2)
  const places = small.map(
    ({ buffer, byteOffset }) => `${byteOffset} ${buffer === small[0]?.buffer}`,
  )
  t.equal(new Set(places).size, 33, 'no two of them overlap')
  const [one] = small
  if (one === undefined) throw new Error()
  buffers.giveBack(one)
  t.equal(buffers.takeSmall(), one)
})

t.test('buffers: few large ones are kept', async (t) => {
  const buffers = new ReadBuffers()
  const given = Array.from({ length: 100 }, () => buffers.takeLarge())
  for (const buffer of given) buffers.giveBack(buffer)
  const taken = Array.from({ length: 100 }, () => buffers.takeLarge())
  t.ok(taken.every(({ length }) => length === LARGE))
  t.equal(taken.filter((buffer) => given.includes(buffer)).length, 32)
})

t.test('raw connection: its buffer is given back once, however often it is closed', async (t) => {
  const known = internals()
  const back: Uint8Array[] = []
  const buffers = new ReadBuffers()
  const giveBack = buffers.giveBack.bind(buffers)
  buffers.giveBack = (buffer) => {
    back.push(buffer)
    giveBack(buffer)
  }
  const context = { internals: known, buffers, spareWrite: known.newWrite() }
  for (const ways of [
    ['close', 'close'],
    ['close', 'reset'],
    ['close', 'end'],
  ] as const) {
    const connection = new RawConnection(known.newSocket(), context)
    for (const way of ways) connection[way]()
    connection.rest()
    connection.readStart()
    connection.end()
    t.equal(connection.write(Buffer.from('x')), FAILED)
    t.equal(connection.fd, -1)
    t.same([connection.local(), connection.remote()], [undefined, undefined])
    t.equal(connection.receiver, NO_RECEIVER)
  }
  t.equal(back.length, 3)
})

t.test('raw connection: reset is a reset for the peer, close is an end', async (t) => {
  const ends: Promise<unknown>[] = []
  const server = await serve((socket) => {
    ends.push(Promise.race([errorOf(socket), readAll(socket).then(String)]).catch(() => 'broken'))
  })
  t.teardown(server.close)
  const first = await connectTo(t, server.port)
  await until('accepted', () => ends.length === 1)
  first.reset()
  first.close()
  const second = await connectTo(t, server.port)
  await until('accepted', () => ends.length === 2)
  second.write(Buffer.from('bye'))
  second.close()
  t.equal(await ends[0], 'ECONNRESET')
  t.equal(await ends[1], 'bye')
})

t.test('raw connection: a reset while the end is under way leaves nothing open', async (t) => {
  const ended = deferred<boolean>()
  const server = await serve((socket) => {
    socket.resume()
    socket.once('end', () => {
      ended.resolve(true)
    })
  })
  t.teardown(server.close)
  const connection = await connectTo(t, server.port)
  const descriptor = `/proc/self/fd/${connection.fd}`
  const socket = readlinkSync(descriptor)
  connection.end()
  connection.reset()
  await until('it is closed', () => !existsSync(descriptor) || readlinkSync(descriptor) !== socket)
  t.ok(await ended.promise, 'everything was sent, so the end stands')
})

t.test('raw connection: what came before a write failed is heard before the failure', async (t) => {
  const server = await serve((socket) => {
    socket.pause()
    socket.write('too large')
    socket.once('readable', () => undefined)
  })
  t.teardown(server.close)
  const connection = await connectTo(t, server.port)
  const heard: string[] = []
  connection.receiver = {
    ...NO_RECEIVER,
    onData: (_, chunk) => heard.push(Buffer.from(chunk).toString()),
    onError: (_, code) => heard.push(code),
  }
  connection.write(Buffer.alloc(1000))
  await until('accepted', () => server.sockets.length === 1)
  const [socket] = server.sockets
  if (socket === undefined) throw new Error()
  await new Promise((resolve) => setImmediate(resolve))
  // Unread bytes make the kernel answer the close with a reset.
  const closed = once(socket, 'close')
  socket.destroy()
  await closed
  await until('the kernel refuses', () => connection.write(Buffer.from('more')) === FAILED)
  t.same(heard, [], 'nobody has read yet')
  connection.readStart()
  await until('told', () => heard.length === 2)
  t.same(heard[0], 'too large')
  t.match(heard[1], /^(EPIPE|ECONNRESET)$/)
})

t.test(
  'raw sockets: a dial that is given up is not told, and one that fails says why',
  async (t) => {
    const server = await serve(() => undefined)
    const sockets = new RawSockets(internals())
    const told: string[] = []
    const dialer = {
      onConnected: () => told.push('connected'),
      onConnectFailed: (code: string) => told.push(code),
    }
    const address = { ip: '127.0.0.1', port: server.port }
    const given = sockets.connect(address, dialer, { keepAlive: 0 })
    t.equal(given.local?.ip, '127.0.0.1')
    given.cancel()
    given.cancel()
    await server.close()
    sockets.connect(address, dialer, { keepAlive: 0 })
    await until('the second is refused', () => told.length === 1)
    t.same(told, ['ECONNREFUSED'])
  },
)
