// Every request that must be refused, sent through the whole proxy: its status, its reason, its end, and that the
// backend hears nothing of it.

import t, { type Test } from 'tap'
import { PREFACE } from '../../../src/proxy/http/h2/protocol.ts'
import { detect, Spoken } from '../../../src/proxy/net/detection.ts'
import { answering, type RawBackend } from '../../support/http-peer.ts'
import { ok } from '../../support/http-text.ts'
import type { Case } from '../http/h1/refused-forms.ts'
import { CHUNKS, FRAMING, LIMITS } from '../http/h1/refused-framing.ts'
import { FIELDS, HOSTS, REQUEST_LINES } from '../http/h1/refused-heads.ts'
import { backend, get, KINDS, type Kind, L7, post } from './fixture.ts'

const TABLES: Readonly<Record<string, readonly Case[]>> = {
  ...{ 'request line': REQUEST_LINES, fields: FIELDS, host: HOSTS },
  ...{ framing: FRAMING, chunks: CHUNKS, limits: LIMITS },
}

const HTTP2_PREFACE = PREFACE.toString('latin1')

/** Bytes that are certain to be read at once. */
const ONE_READ = 2048

async function refused(t: Test, f: L7, server: RawBackend, one: Case): Promise<void> {
  const [name, bytes, reason, status] = one
  const before = f.refusals[`request ${reason}`] ?? 0
  const heard = server.received.length
  const client = await f.client()
  await client.send(bytes)
  t.equal(await client.over(), '', `${name}: an orderly end`)
  t.ok(client.text.startsWith(`HTTP/1.1 ${status} `), `${name}: ${client.text.slice(0, 20)}`)
  t.ok(client.text.includes('\r\nConnection: close\r\n'), `${name}: says that it closes`)
  t.ok(
    client.text.includes('\r\nProxy-Status: underpass; error=http_request_error; details="request'),
    `${name}: ${client.text}`,
  )
  t.equal(client.text.split('HTTP/1.1 ').length, 2, `${name}: one answer`)
  // What comes in several reads is passed on as it comes, as long as it is sound; it never gets whole.
  if (bytes.length <= ONE_READ) t.equal(server.received.length, heard, `${name}: nothing leaves`)
  else t.same(server.requests, [], `${name}: no request leaves whole`)
  t.equal(f.refusals[`request ${reason}`], before + 1, `${name}: counted`)
  client.socket.destroy()
}

async function tables(t: Test, kind: Kind, protocol: 'http' | ''): Promise<void> {
  const server = await backend(t, answering(ok('never')))
  const f = await L7.start(t, [server], { kind, protocol })
  for (const [table, cases] of Object.entries(TABLES)) {
    const of = cases.filter(([, text]) => {
      // Which is no request of HTTP/1.1 but the beginning of HTTP/2.
      if (text === HTTP2_PREFACE) return false
      const bytes = Buffer.from(text, 'latin1')
      return protocol === 'http' || detect(bytes, bytes.length) === Spoken.http1
    })
    await t.test(table, async (t) => {
      t.ok(of.length > 0 || table === 'limits', 'there are some')
      for (const one of of) await refused(t, f, server, one)
    })
  }
  await f.settled()
  t.same(f.statuses[200], undefined)
}

for (const kind of KINDS) {
  t.test(`refused requests: on a port of HTTP (${kind})`, async (t) => {
    await tables(t, kind, 'http')
  })
  t.test(`refused requests: on a port where HTTP was recognised (${kind})`, async (t) => {
    await tables(t, kind, '')
  })
}

t.test('refused requests: what came before in the same segment is answered first', async (t) => {
  const server = await backend(t, answering(ok('good')))
  const f = await L7.start(t, [server])
  const client = await f.client()
  await client.send(`${get('/good')}GET /bad HTTP/1.1\r\n\r\n${get('/never')}`)
  t.equal(await client.over(), '')
  t.match(client.text, /^HTTP\/1\.1 200 OK\r\n.*goodHTTP\/1\.1 400 .*host-missing/s)
  t.same(server.requests.length, 1)
  t.notMatch(server.received, 'bad')
})

t.test('refused requests: a head that ends with the connection is told so', async (t) => {
  const server = await backend(t, answering(ok('never')))
  const f = await L7.start(t, [server])
  const client = await f.client()
  await client.send('GET / HTTP/1.1\r\nHost: a')
  client.end()
  t.equal(await client.over(), '')
  t.match(client.text, /^HTTP\/1\.1 400 .*head-truncated/s)
  t.equal(server.received, '')
  t.same(f.refusals, { 'request head-truncated': 1 })
})

t.test('refused requests: a body that turns out malformed later is never finished', async (t) => {
  const server = await backend(t, answering(ok('never')))
  const f = await L7.start(t, [server])
  const client = await f.client()
  await client.send('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('abc\r\n'))
  await client.send('3\r\nabcd\r\n0\r\n\r\n')
  t.equal(await client.over(), '')
  t.match(client.text, /^HTTP\/1\.1 400 .*chunk-end-invalid/s)
  t.equal(await connection.over(), 'ECONNRESET', 'the endpoint sees that it is cut short')
  t.notMatch(connection.text, 'abcd')
  t.same(server.requests, [])
  client.end()
  await f.settled()
})

t.test('refused requests: many in a row are no trouble for the others', async (t) => {
  const server = await backend(t, answering(ok('good')))
  const f = await L7.start(t, [server])
  for (let turn = 0; turn < 5; turn += 1) {
    t.match(await f.exchange('GET / HTTP/2.0\r\n\r\n'), /^HTTP\/1\.1 (400|505) /)
    t.match(await f.exchange(post('abc')), /^HTTP\/1\.1 200 /)
  }
  t.equal(server.connections.length, 1)
})
