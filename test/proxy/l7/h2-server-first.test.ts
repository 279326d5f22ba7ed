// Servers of HTTP/2 say SETTINGS as soon as they are connected to (RFC 9113 section 3.4), while it is not known yet what
// the client speaks: that is no reason to take the connection for opaque.

import t, { type Test } from 'tap'
import { H2Server } from '../../support/h2-server.ts'
import { CLIENT_START, headers, request, settings } from '../../support/h2-wire.ts'
import type { RawBackend, RawClient } from '../../support/http-peer.ts'
import { until } from '../../support/until.ts'
import { backend, get, type Kind, L7, onBoth } from './fixture.ts'

const GET = headers(1, request())
const GREETING = settings([3, 100])

/** A server that greets, a client that is silent, and the greeting in the proxy's hands. */
async function greeted(t: Test, kind: Kind): Promise<[f: L7, server: RawBackend, RawClient]> {
  const server = await backend(t, () => undefined, {
    halfOpen: true,
    accepted: (connection) => {
      connection.write(GREETING)
    },
  })
  const f = await L7.start(t, [server], { kind, protocol: '' })
  const client = await f.client()
  await server.connection(0)
  await turns(50)
  return [f, server, client]
}

/** What one end of a connection in this process wrote is read at the other after a few of them. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate)
}

onBoth(t, 'http2 server first: the client is still asked what it speaks', async (t, kind) => {
  const server = await H2Server.listen((asked) => {
    asked.ok('x')
  })
  t.teardown(async () => {
    await server.close()
  })
  const f = await L7.start(t, [server.port], { kind, protocol: '' })
  for (let times = 1; times <= 3; times += 1) {
    f.destination.seenHttp = false
    const client = await f.client()
    await until('the server has greeted', () => server.sessions.length >= times)
    await turns(50)
    t.equal(client.text, '', 'the greeting is not for the client')
    await client.send(Buffer.concat([CLIENT_START, GET]))
    await until('it is a request', () => f.statuses[200] === times)
    client.end()
    await client.over()
  }
  await f.settled()
  t.equal(server.asked.length, 3)
})

onBoth(t, 'http2 server first: HTTP/1.1 of the client is HTTP/1.1', async (t, kind) => {
  const [f, server, client] = await greeted(t, kind)
  await client.send(get())
  await until('the request has a connection of its own', () => server.connections.length === 2)
  t.ok(f.destination.seenHttp)
  t.equal(client.text, '')
})

onBoth(t, 'http2 server first: who speaks something else loses nothing', async (t, kind) => {
  const [f, server, client] = await greeted(t, kind)
  await client.send('\0\x01')
  await client.until((text) => text === GREETING.toString('latin1'))
  const connection = await server.connection(0)
  await connection.until((text) => text === '\0\x01')
  connection.write('more')
  await client.until((text) => text.endsWith('more'))
  client.end()
  t.equal(await connection.over(), '')
  connection.end()
  t.equal(await client.over(), '')
  await f.settled()
  t.same(f.statuses, {})
})

onBoth(t, 'http2 server first: who waits for the server hears it', async (t, kind) => {
  const [f, , client] = await greeted(t, kind)
  t.equal(client.text, '')
  await until('a few seconds later', () => {
    f.clock.advance(1000)
    return client.text !== ''
  })
  t.equal(client.text, GREETING.toString('latin1'))
  const [other, , ending] = await greeted(t, kind)
  ending.end()
  await ending.until((text) => text === GREETING.toString('latin1'))
  t.same([f.statuses, other.statuses], [{}, {}])
})
