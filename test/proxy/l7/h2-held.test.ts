// Streams of one connection that are held back, in either direction: they hold up nobody else, what waits is bounded,
// and every byte arrives.

import t from 'tap'
import { until } from '../../support/until.ts'
import { backend, onBoth } from './fixture.ts'
import { h2 } from './h2-fixture.ts'

const SIZE = 1_500_000

/** Bytes that tell where they are. */
function pattern(seed: number, size = SIZE): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  for (let at = 0; at < size; at += 1) bytes[at] = (at * 7 + (at >> 8) * 31 + seed * 101) & 0xff
  return bytes
}

onBoth(t, 'http2 held back: uploads to servers that do not read', async (t, kind) => {
  const server = await backend(
    t,
    (connection, text) => {
      if (text.startsWith('GET')) connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')
      else if (connection.requests.length === 1) connection.write('HTTP/1.1 204 No\r\n\r\n')
    },
    {
      accepted: (connection) => {
        if (isHeld) connection.pause()
      },
    },
  )
  let isHeld = true
  const { f, client } = await h2(t, [server], { kind })
  const uploads = [1, 2, 3].map((seed) =>
    client.ask({ ':method': 'POST', ':path': `/${seed}`, 'content-length': SIZE }, pattern(seed)),
  )
  await until('they have begun', () => server.connections.length === 3)
  // As much as fits is on its way, and no more: what the client has left to send does not change any more.
  let before = -1
  await until('nothing moves', async () => {
    const { bytesWritten } = client.session.socket
    const stands = bytesWritten === before && bytesWritten > 0
    before = bytesWritten
    await new Promise((resolve) => setTimeout(resolve, 100))
    return stands
  })
  isHeld = false
  const other = await client.get()
  t.equal(other.text, 'x', 'another stream goes on meanwhile')
  for (const connection of server.connections) connection.resume()
  for (const upload of uploads) {
    await upload.over()
    t.equal(upload.status, 204)
  }
  for (const seed of [1, 2, 3]) {
    const request = server.requests.find((text) => text.startsWith(`POST /${seed} `)) ?? ''
    const body = Buffer.from(request.slice(request.indexOf('\r\n\r\n') + 4), 'latin1')
    t.ok(body.equals(pattern(seed)), `${seed}`)
  }
  t.same(f.failures, {})
})

onBoth(t, 'http2 held back: a client that does not read one of its streams', async (t, kind) => {
  const body = pattern(4)
  const server = await backend(t, (connection, text) => {
    if (!text.endsWith('\r\n\r\n')) return
    if (text.includes('/large')) {
      connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${SIZE}\r\n\r\n`)
      connection.write(body)
    } else connection.write('HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx')
  })
  const { f, client } = await h2(t, [server], { kind })
  const large = client.ask({ ':path': '/large' })
  large.stream.pause()
  await until('it has begun', () => server.connections.length === 1)
  for (let turn = 0; turn < 20; turn += 1) {
    const small = await client.get('/small')
    t.equal(small.text, 'x')
  }
  t.notOk(large.closed)
  large.stream.resume()
  await large.over()
  t.ok(large.body.equals(body))
  t.same([f.statuses, f.failures], [{ 200: 21 }, {}])
})

onBoth(t, 'http2 held back: bodies of many sizes both ways at once', async (t, kind) => {
  const server = await backend(t, (connection) => {
    for (let request = connection.next(); request !== undefined; request = connection.next()) {
      const body = Buffer.from(request.slice(request.indexOf('\r\n\r\n') + 4), 'latin1')
      connection.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`)
      connection.write(body)
    }
  })
  const { f, client } = await h2(t, [server], { kind })
  const sizes = Array.from({ length: 40 }, (_, at) => 1 + ((at * 7919) % 97) * 2003)
  const asked = sizes.map((size, seed) =>
    client.ask({ ':method': 'PUT', 'content-length': size }, pattern(seed, size)),
  )
  for (const [seed, one] of asked.entries()) {
    await one.over()
    t.ok(one.body.equals(pattern(seed, sizes[seed])), `${seed}`)
  }
  t.same([f.statuses, f.failures], [{ 200: 40 }, {}])
})
