// Bodies of hundreds of megabytes: at flat memory, with backpressure from whoever is slow, byte for byte.

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import type { RawClient } from '../../support/http-peer.ts'
import type { RawPeer } from '../../support/raw-peer.ts'
import { until } from '../../support/until.ts'
import { fill, MOST } from './bulk.ts'
import { backend, get, L7, onBoth } from './fixture.ts'

const MB = 1_048_576
const SIZE = 200 * MB
const PIECE = 256 * 1024
/** What both ends of the test and the proxy may hold on to, besides the kernel. */
const MOST_GROWTH = 64 * MB

/** Bytes that differ everywhere, so that a piece in the wrong place shows. */
function* pieces(): Generator<Buffer> {
  for (let at = 0; at < SIZE; at += PIECE) {
    const piece = Buffer.alloc(PIECE)
    for (let word = 0; word < PIECE; word += 4) piece.writeUInt32LE((at + word) >>> 0, word)
    yield piece
  }
}

async function send(socket: Socket, frame: (piece: Buffer) => Buffer[]): Promise<string> {
  const hash = createHash('sha1')
  for (const piece of pieces()) {
    hash.update(piece)
    let more = true
    for (const bytes of frame(piece)) more = socket.write(bytes)
    if (!more) await once(socket, 'drain')
  }
  return hash.digest('hex')
}

/** Takes over what a peer would keep, and keeps only its hash. */
function hashed(peer: RawPeer, headEnd: string): { bytes: number; digest: () => string } {
  const hash = createHash('sha1')
  const found = { bytes: 0, digest: () => hash.digest('hex') }
  const { socket } = peer
  let head: string | undefined = ''
  const take = (chunk: Buffer): void => {
    let body = chunk
    if (head !== undefined) {
      head += chunk.toString('latin1')
      const at = head.indexOf(headEnd)
      if (at < 0) return
      body = Buffer.from(head.slice(at + headEnd.length), 'latin1')
      head = undefined
    }
    found.bytes += body.length
    hash.update(body)
  }
  take(Buffer.from(peer.text, 'latin1'))
  socket.removeAllListeners('data')
  socket.on('data', take)
  return found
}

/** The most that memory grew by while `work` went on. */
async function growth(work: () => Promise<void>): Promise<number> {
  const size = (): number => process.memoryUsage().external
  const before = size()
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, size() - before)
  }, 5)
  await work()
  clearInterval(timer)
  return most
}

const END = '\r\n\r\n'
const plain = (piece: Buffer): Buffer[] => [piece]

async function download(t: Test, f: L7, client: RawClient, socket: Socket): Promise<void> {
  const found = hashed(client, END)
  socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}${END}`)
  let sent = ''
  const grown = await growth(async () => {
    sent = await send(socket, plain)
    await until('all of it', () => found.bytes === SIZE, 60_000)
  })
  t.equal(found.digest(), sent, 'byte for byte')
  t.ok(grown < MOST_GROWTH, `${Math.round(grown / MB)} MB of growth`)
  await until('the exchange is over', () => f.underWay['active'] === 0)
}

onBoth(t, 'bulk: down', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get())
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith(END))
  await download(t, f, client, connection.socket)
})

onBoth(t, 'bulk: up', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  const head = 'POST / HTTP/1.1\r\nHost: a\r\n'
  client.write(`${head}Content-Length: ${SIZE}${END}`)
  const connection = await server.connection(0)
  const found = hashed(connection, END)
  let sent = ''
  const grown = await growth(async () => {
    sent = await send(client.socket, plain)
    await until('all of it', () => found.bytes === SIZE, 60_000)
  })
  t.equal(found.digest(), sent, 'byte for byte')
  t.ok(grown < MOST_GROWTH, `${Math.round(grown / MB)} MB of growth`)
  connection.write('HTTP/1.1 204 OK\r\n\r\n')
  await client.until((text) => text.endsWith(END))
  await until('the exchange is over', () => f.underWay['active'] === 0)
})

onBoth(t, 'bulk: a client that does not read stops the server', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get())
  client.pause()
  const { socket } = await server.connection(0)
  await until('the request', () => server.requests.length === 1)
  socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked${END}`)
  const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536), Buffer.from('\r\n')])
  let sent = 0
  const grown = await growth(async () => {
    sent = await fill(socket, chunk)
  })
  t.ok(sent < MOST, `stopped after ${sent} bytes`)
  t.ok(grown < MOST_GROWTH, `${Math.round(grown / MB)} MB of growth`)
  const found = hashed(client, END)
  client.resume()
  socket.end('0\r\n\r\n')
  await until('all of it', () => found.bytes === sent + 5, 60_000)
  await until('the exchange is over', () => f.underWay['active'] === 0)
})

onBoth(t, 'bulk: a server that does not read stops the client', async (t, kind) => {
  const server = await backend(t, () => undefined, {
    accepted: (connection) => {
      connection.pause()
    },
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${MOST}${END}`)
  let sent = 0
  const grown = await growth(async () => {
    sent = await fill(client.socket, Buffer.alloc(65_536))
  })
  t.ok(sent < MOST, `stopped after ${sent} bytes`)
  t.ok(grown < MOST_GROWTH, `${Math.round(grown / MB)} MB of growth`)
  const connection = await server.connection(0)
  const found = hashed(connection, END)
  connection.resume()
  await until('all of it', () => found.bytes === sent, 60_000)
  client.reset()
  t.equal(await connection.over(), 'ECONNRESET')
  await f.settled()
})

onBoth(t, 'bulk: a last answer is not cut off for a client that reads slowly', async (t, kind) => {
  const body = Buffer.alloc(8 * MB, 'x')
  const server = await backend(t, (connection, text) => {
    if (!text.endsWith(END)) return
    connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}${END}`)
    connection.write(body)
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get('/', 'Connection: close\r\n'))
  client.pause()
  const found = hashed(client, END)
  client.pause()
  await until('the server has answered', () => server.requests.length === 1)
  for (let second = 0; second < 20; second += 1) {
    f.clock.advance(1000)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  client.resume()
  await until('all of it', () => found.bytes === body.length)
  t.equal(await client.over(), '')
})
