// Responses that must be refused, through the whole proxy: the client is told 502 and gets nothing of them, and what
// nobody asked for never answers a request.

import t, { type Test } from 'tap'
import { Asked } from '../../../src/proxy/http/h1/response-rules.ts'
import { answering } from '../../support/http-peer.ts'
import { ok as good } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { BODIES, ok, REFUSED, type ResponseCase, status, TE } from '../http/h1/refused-responses.ts'
import { backend, get, type Kind, L7, onBoth, post } from './fixture.ts'

/** A request of which that matters. */
function asking(asked: number): string {
  if (asked === Asked.head) return 'HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n'
  if (asked === Asked.connect) return 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'
  return get('/', asked === Asked.upgrade ? 'Upgrade: x\r\nConnection: upgrade\r\n' : '')
}

/** The test's own proxy and backend, which answers every request with `bytes` as they are at that moment. */
async function answered(t: Test, kind: Kind): Promise<{ f: L7; answer: { bytes: string } }> {
  const answer = { bytes: '' }
  const server = await backend(
    t,
    answering(() => answer.bytes),
  )
  return { f: await L7.start(t, [server], { kind }), answer }
}

async function refused(
  t: Test,
  f: L7,
  answer: { bytes: string },
  [name, bytes, reason, asked = 0]: ResponseCase,
): Promise<void> {
  const before = f.refusals[`response ${reason}`] ?? 0
  answer.bytes = bytes
  const client = await f.client()
  await client.send(asking(asked))
  await client.until((text) => text.includes('\r\n\r\n'), name)
  t.ok(client.text.startsWith('HTTP/1.1 502 Bad Gateway\r\nProxy-Status: underpass; '), name)
  t.match(client.text, 'error=http_protocol_error;', name)
  t.match(client.text, `response-refused: ${reason}`, name)
  t.equal(client.text.split('HTTP/').length, 2, `${name}: nothing of it reaches the client`)
  t.equal(f.refusals[`response ${reason}`], before + 1, `${name}: counted`)
  client.socket.destroy()
}

onBoth(t, 'refused responses: heads', async (t, kind) => {
  const { f, answer } = await answered(t, kind)
  for (const one of REFUSED) await refused(t, f, answer, one)
  await f.settled()
  t.equal(f.connected, 0, 'none of the connections is used again')
})

onBoth(t, 'refused responses: bodies that came with their heads', async (t, kind) => {
  const { f, answer } = await answered(t, kind)
  for (const one of BODIES) {
    if (one[2] !== 'response-unsolicited') await refused(t, f, answer, one)
  }
  await f.settled()
})

onBoth(t, 'refused responses: what follows a whole one is thrown away', async (t, kind) => {
  const { f, answer } = await answered(t, kind)
  for (const [name, bytes, reason, asked = 0] of BODIES) {
    if (reason !== 'response-unsolicited') continue
    answer.bytes = bytes
    const before = f.refusals[`response ${reason}`] ?? 0
    const client = await f.client()
    await client.send(asking(asked))
    await client.until((text) => text.includes('\r\n\r\n'), name)
    await until(name, () => f.refusals[`response ${reason}`] === before + 1)
    answer.bytes = good('next')
    const one = client.text
    await client.send(get('/next'))
    await client.until((text) => text.endsWith('next'), name)
    t.equal(client.text, one + good('next'), `${name}: the next request gets its own answer`)
    t.ok(bytes.startsWith(one), `${name}: the first gets no more than its own`)
    client.socket.destroy()
  }
  await f.settled()
})

onBoth(t, 'refused responses: bytes on an idle connection never answer', async (t, kind) => {
  const server = await backend(t, answering(good('own')))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get('/1'))
  await client.until((text) => text.endsWith('own'))
  const connection = await server.connection(0)
  connection.write(good('poison'))
  await until('the connection is given up', () => f.connected === 0)
  t.same(f.refusals, { 'response response-unsolicited': 1 })
  await client.send(get('/2'))
  await client.until((text) => text === good('own') + good('own'))
  t.equal(server.connections.length, 2)
})

onBoth(t, 'refused responses: malformed in the middle is cut short', async (t, kind) => {
  const head = `HTTP/1.1 200 OK\r\n${TE} chunked\r\n\r\n`
  const server = await backend(
    t,
    answering((_, connection) => {
      connection.write(`${head}3\r\nabc\r\n`)
      return undefined
    }),
  )
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get())
  await client.until((text) => text.endsWith('abc\r\n'))
  const connection = await server.connection(0)
  connection.write('3\r\nabcd\r\n0\r\n\r\n')
  t.equal(await client.over(), 'ECONNRESET')
  t.equal(client.text, `${head}3\r\nabc\r\n`)
  t.same(f.failures, { 'response-refused': 1 })
  await f.settled()
})

const CUT: readonly (readonly [name: string, head: string, body: string])[] = [
  ['a length', 'Content-Length: 10\r\n', 'abc'],
  ['chunks', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n'],
  ['a chunk', 'Transfer-Encoding: chunked\r\n', 'a\r\nabc'],
  ['trailers', 'Transfer-Encoding: chunked\r\n', '3\r\nabc\r\n0\r\nX: y\r\n'],
]

for (const how of ['end', 'reset'] as const) {
  onBoth(t, `refused responses: cut short by ${how}, never a clean end`, async (t, kind) => {
    for (const [name, fields, body] of CUT) {
      const server = await backend(t, () => undefined)
      const f = await L7.start(t, [server], { kind })
      const client = await f.client()
      await client.send(get())
      const connection = await server.connection(0)
      await connection.until((text) => text.endsWith('\r\n\r\n'))
      connection.write(ok(fields, body))
      await client.until((text) => text.includes('abc'), name)
      connection[how]()
      t.equal(await client.over(), 'ECONNRESET', name)
      t.same(f.failures, { 'response-incomplete': 1 }, name)
      await f.settled()
    }
  })
}

onBoth(t, 'refused responses: until the end, but reset, is cut short', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get())
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('\r\n\r\n'))
  connection.write(ok('', 'abc'))
  await client.until((text) => text.includes('abc'))
  connection.reset()
  t.equal(await client.over(), 'ECONNRESET')
})

onBoth(t, 'refused responses: a split response is one response', async (t, kind) => {
  // What a header injection makes of one response: the client gets its own, and the rest is nobody's.
  const injected = `HTTP/1.1 200 OK\r\nX: a\r\nContent-Length: 0\r\n\r\n${good('injected')}`
  const server = await backend(
    t,
    answering((request) => (request.includes('/split') ? injected : good('own'))),
  )
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get('/split') + get('/after'))
  await client.until((text) => text.endsWith('own'))
  t.notMatch(client.text, 'injected')
  t.equal(server.connections.length, 2)
})

onBoth(t, 'refused responses: unasked bytes behind an early answer', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(post('abc').slice(0, -2))
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('a'))
  connection.write(good('early'))
  await client.until((text) => text.endsWith('early'))
  connection.write(good('poison'))
  t.equal(await client.over(), '', 'the answer was whole')
  t.notMatch(client.text, 'poison')
  t.same(f.failures, {})
})

onBoth(t, 'refused responses: a switch before the request is whole', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  const fields = 'Upgrade: x\r\nConnection: upgrade\r\n'
  await client.send(post('abc', fields).slice(0, -2))
  const connection = await server.connection(0)
  await connection.until((text) => text.endsWith('a'))
  connection.write(status(101, fields))
  await client.until((text) => text.includes('\r\n\r\n'))
  t.match(client.text, /^HTTP\/1\.1 502 .*switch-unasked/s)
})
