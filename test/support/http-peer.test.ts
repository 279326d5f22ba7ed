// The test peers, against each other: what they claim to have seen is what was sent, and how it ended.

import t, { type Test } from 'tap'
import { answering, type BackendOptions, RawBackend, RawClient, type Script } from './http-peer.ts'
import { messageEnd, messages, ok } from './http-text.ts'
import { until } from './until.ts'

const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const POST = 'POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc'
const CHUNKS = 'PUT / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n'
const TRAILERS = 'PUT / HTTP/1.1\r\ntransfer-encoding:chunked\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n'

async function pair(
  t: Test,
  script: Script,
  options?: BackendOptions,
): Promise<[RawBackend, RawClient]> {
  const backend = await RawBackend.listen(script, options)
  t.teardown(() => backend.close())
  const client = await RawClient.connect(backend.port)
  t.teardown(() => client.socket.destroy())
  return [backend, client]
}

t.test('http text: where messages end', async (t) => {
  for (const message of [GET, POST, CHUNKS, TRAILERS, ok('x'), ok('')]) {
    t.equal(messageEnd(message), message.length)
    t.equal(messageEnd(`${GET}${message}${GET}`, GET.length), GET.length + message.length)
    for (let end = 0; end < message.length; end++) {
      if (messageEnd(message.slice(0, end)) <= end) t.fail(`ends at ${end}: ${message}`)
    }
  }
  t.equal(messageEnd('HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n'), 48)
  t.equal(messageEnd('hello\r\n\r\n'), Infinity)
  t.equal(messageEnd('PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n\r\n'), Infinity)
  t.same(messages(GET + POST + CHUNKS + TRAILERS + GET.slice(0, -1)), [GET, POST, CHUNKS, TRAILERS])
})

t.test('http peers: each whole request is answered, in its order', async (t) => {
  const script = answering((request) => ok(request.slice(0, 3)))
  const [backend, client] = await pair(t, script)
  await client.send(GET, POST + CHUNKS, TRAILERS + GET.slice(0, 9))
  const text = await client.until((text) => messages(text).length === 4)
  t.equal(text, ok('GET') + ok('POS') + ok('PUT') + ok('PUT'))
  t.same(backend.requests, [GET, POST, CHUNKS, TRAILERS])
  t.equal(backend.received, GET + POST + CHUNKS + TRAILERS + GET.slice(0, 9))
  await client.send(GET.slice(9))
  await client.until((text) => messages(text).length === 5)
  t.equal(backend.requests.length, 5)
  client.end()
  t.equal(await client.over(), '', 'the backend ends after the client')
})

t.test('http peers: connections are kept apart, and counted', async (t) => {
  const [backend, first] = await pair(t, answering(ok('')))
  const second = await RawClient.connect(backend.port)
  t.teardown(() => second.socket.destroy())
  await second.send(POST)
  await first.send(GET)
  await first.until((text) => text === ok(''))
  t.same(
    backend.connections.map(({ text }) => text),
    [GET, POST],
  )
  t.equal(backend.received, GET + POST)
})

t.test('http peers: pieces arrive as they were sent', async (t) => {
  const pieces: string[] = []
  let seen = 0
  const [, client] = await pair(t, (_, text) => {
    pieces.push(text.slice(seen))
    seen = text.length
  })
  const sent = [...GET.split(/(?=.)/s), '\xff\0', POST]
  await client.send(...sent)
  t.same(pieces, sent)
})

t.test('http peers: a backend may speak first, and outlast its client', async (t) => {
  const accepted: BackendOptions['accepted'] = (connection) => {
    connection.write('220 hello\r\n')
  }
  const [backend, client] = await pair(t, () => undefined, { accepted, halfOpen: true })
  await client.until((text) => text === '220 hello\r\n')
  client.end()
  const connection = await backend.connection(0)
  t.equal(await connection.over(), '')
  t.notOk(client.ended)
  connection.write(new Uint8Array([0x62, 0x79, 0x65]))
  connection.end()
  t.equal(await client.over(), '')
  t.equal(client.text, '220 hello\r\nbye')
})

t.test('http peers: a reset is not an end, from either side', async (t) => {
  const [backend, client] = await pair(t, (connection, text) => {
    if (text.endsWith('now')) connection.reset()
  })
  await client.send('now')
  t.equal(await client.over(), 'ECONNRESET')
  t.notOk(client.ended)
  await t.rejects(
    client.until((text) => text !== '', 'an answer'),
    { message: 'ECONNRESET before an answer: ""' },
  )
  const other = await RawClient.connect(backend.port)
  const connection = await backend.connection(1)
  other.reset()
  t.equal(await connection.over(), 'ECONNRESET')
  t.notOk(connection.ended)
})

t.test('http peers: an answer that never comes is told apart from a slow one', async (t) => {
  const [, client] = await pair(t, (connection) => {
    connection.write('half')
    connection.end()
  })
  await client.send('x')
  await t.rejects(
    client.until((text) => text === 'whole', 'the whole'),
    { message: 'end before the whole: "half"' },
  )
})

t.test('http peers: who stops reading stops the other', async (t) => {
  const piece = 'x'.repeat(64 * 1024)
  const [backend, client] = await pair(t, () => undefined)
  const connection = await backend.connection(0)
  client.pause()
  let pieces = 0
  while (connection.socket.writableLength < 1024 * 1024 && pieces < 1000) {
    connection.write(piece)
    pieces++
  }
  t.ok(connection.socket.writableLength >= 1024 * 1024, 'the kernel took no more')
  t.equal(client.text.length, 0)
  client.resume()
  await client.until((text) => text.length === pieces * piece.length)
  await until('the queue to be empty', () => connection.socket.writableLength === 0)
})

t.test('http peers: close drops every connection, once and again', async (t) => {
  const [backend, client] = await pair(t, () => undefined)
  await backend.connection(0)
  await backend.close()
  await client.over()
  await backend.close()
  await t.rejects(RawClient.connect(backend.port), { code: 'ECONNREFUSED' })
})
