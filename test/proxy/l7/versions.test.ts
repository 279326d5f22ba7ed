// Interim responses, early answers, HTTP/1.0 on either side, methods and targets with a meaning of their own.

import t from 'tap'
import { answering } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { backend, get, L7, onBoth, post } from './fixture.ts'

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n'
const EXPECT = 'Expect: 100-continue\r\n'
const closing = (text: string): string => text.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n')

onBoth(t, 'interim: 100 comes from the server, and the body follows it', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.endsWith('\r\n\r\n')) connection.write(CONTINUE)
    if (text.endsWith('abc')) connection.write(ok('done'))
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  const request = post('abc', EXPECT)
  await client.send(request.slice(0, -3))
  await client.until((text) => text === CONTINUE)
  await client.send('abc')
  await client.until((text) => text.endsWith('done'))
  t.equal(client.text, CONTINUE + ok('done'))
  t.same(server.requests, [request])
  await client.send(get('/next'))
  await client.until((text) => text.endsWith(CONTINUE))
  t.equal(server.connections.length, 1, 'and both connections go on')
})

onBoth(t, 'interim: a final answer in place of 100', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.endsWith('\r\n\r\n'))
      connection.write('HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno')
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(post('abc', EXPECT).slice(0, -3))
  await client.until((text) => text.endsWith('no'))
  client.end()
  t.equal(await client.over(), '')
  t.equal(client.text, 'HTTP/1.1 413 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
  client.end()
  await f.settled()
  t.same(f.failures, {})
  t.same(f.statuses, { 413: 1 })
})

onBoth(t, "interim: what follows a refused expectation is nobody's request", async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.endsWith('\r\n\r\n')) connection.write(ok('', '').replace('200 OK', '417 No'))
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  const head = post('x'.repeat(100), EXPECT).slice(0, -100)
  await client.send(head)
  await client.until((text) => text.endsWith('\r\n\r\n'))
  await client.send(get('/next'))
  client.end()
  t.equal(await client.over(), '')
  await f.settled()
  t.equal(server.received, head, 'the server, which waits for no body, is sent none')
  t.same(f.statuses, { 417: 1 })
})

onBoth(t, 'early answer: it arrives whole while the client goes on sending', async (t, kind) => {
  const size = 8 * 1_048_576
  const server = await backend(t, (connection, text) => {
    if (!text.endsWith('\r\n\r\n')) return
    connection.write(`HTTP/1.1 200 OK\r\n\r\n${'y'.repeat(size)}`)
    connection.end()
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  client.pause()
  await client.send(get())
  client.write(get('/ignored').repeat(100_000))
  client.resume()
  await client.until((text) => text.endsWith('y') && text.length >= size)
  t.equal(client.text.slice(client.text.indexOf('\r\n\r\n') + 4).length, size)
})

onBoth(t, 'interim: a client that never sends the body it announced', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.endsWith('\r\n\r\n')) connection.write(CONTINUE)
  })
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(post('abc', EXPECT).slice(0, -3))
  await client.until((text) => text === CONTINUE)
  f.clock.advance(60_000)
  await client.until((text) => text.includes('504'))
  t.match(client.text, 'error=connection_read_timeout')
  t.equal(await (await server.connection(0)).over(), 'ECONNRESET')
})

onBoth(t, 'interim: 102 and 103 are passed on, before the answer and its end', async (t, kind) => {
  const all = `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n`
  const server = await backend(t, answering(all + ok('done')))
  const f = await L7.start(t, [server], { kind })
  t.equal(await f.exchange(get(), 3), all + ok('done'))
})

onBoth(t, 'interim: without end, to a client that does not read', async (t, kind) => {
  const hint = `HTTP/1.1 103 Early Hints\r\nLink: <${'a'.repeat(8000)}>\r\n\r\n`
  const server = await backend(t, () => undefined)
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get())
  client.pause()
  const connection = await server.connection(0)
  connection.write(hint.repeat(20))
  await connection.over()
  client.resume()
  await client.until((text) => text.includes('HTTP/1.1 502'), 'the answer')
  t.match(client.text, 'details="response-refused: head-too-large"')
  const passed = client.text.split('103 Early Hints').length - 1
  t.ok(passed <= 8, `${passed} were passed on, together as large as one head may be`)
})

for (const end of ['goes on reading', 'says close', 'closes', 'resets'] as const) {
  onBoth(t, `early answer: the server ${end}`, async (t, kind) => {
    const server = await backend(t, () => undefined)
    const f = await L7.start(t, [server], { kind })
    const client = await f.client()
    const request = post('x'.repeat(100))
    await client.send(request.slice(0, -50))
    const connection = await server.connection(0)
    await connection.until((text) => text.endsWith('x'))
    connection.write(ok('early', end === 'says close' ? 'Connection: close\r\n' : ''))
    await client.until((text) => text.endsWith('early'))
    if (end === 'closes') connection.end()
    if (end === 'resets') connection.reset()
    if (end === 'goes on reading') {
      await client.send(request.slice(-50))
      await connection.until(() => connection.requests.length === 1)
      t.equal(connection.requests[0], request)
    }
    t.equal(await client.over(), '')
    t.equal(client.text, closing(ok('early')))
    client.end()
    await f.settled()
    t.same([f.failures, f.statuses], [{}, { 200: 1 }])
    t.equal(f.connected, end === 'goes on reading' ? 1 : 0)
  })
}

onBoth(t, 'early answer: a client that stops sending ends it', async (t, kind) => {
  for (const how of ['ends', 'is silent'] as const) {
    const server = await backend(t, () => undefined)
    const f = await L7.start(t, [server], { kind })
    const client = await f.client()
    await client.send(post('abc').slice(0, -1))
    const connection = await server.connection(0)
    await connection.until((text) => text.endsWith('ab'))
    connection.write(ok('early'))
    await client.until((text) => text.endsWith('early'))
    if (how === 'ends') client.end()
    else f.clock.advance(4000)
    t.equal(await client.over(), '', how)
    t.equal(await connection.over(), 'ECONNRESET', `${how}: the request is not made whole`)
    client.end()
    await f.settled()
    t.same([f.failures, f.statuses], [{}, { 200: 1 }], how)
  }
})

onBoth(t, 'methods: HEAD has fields of a body and none', async (t, kind) => {
  const answers = [
    'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
    'HTTP/1.1 404 No\r\nETag: a\r\n\r\n',
  ]
  let turn = 0
  const server = await backend(
    t,
    answering(() => answers[turn++] ?? ''),
  )
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  for (const [at] of answers.entries()) {
    await client.send('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until((text) => text === answers.slice(0, at + 1).join(''))
  }
  t.equal(server.connections.length, 1)
})

onBoth(t, 'methods: 204 and 304 have no body, and the connection goes on', async (t, kind) => {
  const answers = [
    'HTTP/1.1 204 No\r\n\r\n',
    'HTTP/1.1 304 Same\r\nContent-Length: 10\r\n\r\n',
    ok('x'),
  ]
  let turn = 0
  const server = await backend(
    t,
    answering(() => answers[turn++] ?? ''),
  )
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send(get('/1') + get('/2') + get('/3'))
  await client.until((text) => text.endsWith('x'))
  t.equal(client.text, answers.join(''))
})

onBoth(t, 'methods: any method and every form of a target', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  const heads = [
    'BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n',
    'GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n',
    'DELETE /a HTTP/1.1\r\nHost: [fd00::1]:80\r\n\r\n',
  ]
  for (const head of heads) await f.exchange(head)
  t.same(server.requests, heads)
})

onBoth(t, 'HTTP/1.0 clients: one request a connection', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send('GET / HTTP/1.0\r\n\r\n')
  t.equal(await client.over(), '')
  t.equal(client.text, closing(ok('x')))
  t.equal(server.received, `GET / HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`)
})

onBoth(t, 'HTTP/1.0 clients: more of them if they ask', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  const request = 'GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n'
  await client.send(request)
  await client.until((text) => messages(text).length === 1)
  await client.send(request)
  await client.until((text) => messages(text).length === 2)
  t.equal(client.text, ok('x').replace('\r\n\r\n', '\r\nConnection: keep-alive\r\n\r\n').repeat(2))
})

onBoth(
  t,
  'HTTP/1.0 clients: chunks are taken off, interim answers are not passed on',
  async (t, kind) => {
    const chunked = 'HTTP/1.1 200 OK\r\nX: y\r\nTransfer-Encoding: chunked\r\nTrailer: T\r\n\r\n'
    const server = await backend(
      t,
      answering(`${CONTINUE}${chunked}3\r\nabc\r\n2;a=b\r\nde\r\n0\r\nT: z\r\n\r\n`),
    )
    const f = await L7.start(t, [server], { kind })
    const client = await f.client()
    await client.send(
      `POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n${EXPECT}Content-Length: 1\r\n\r\nx`,
    )
    t.equal(await client.over(), '')
    t.equal(client.text, 'HTTP/1.1 200 OK\r\nX: y\r\nConnection: close\r\n\r\nabcde')
    t.notMatch(server.received, 'Expect')
    client.end()
    await f.settled()
    t.equal(f.connected, 1)
  },
)

onBoth(t, 'HTTP/1.0 clients: HEAD is not told of chunks neither', async (t, kind) => {
  const server = await backend(
    t,
    answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'),
  )
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send('HEAD / HTTP/1.0\r\n\r\n')
  t.equal(await client.over(), '')
  t.equal(client.text, 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n')
})

onBoth(t, 'HTTP/1.0 clients: chunks that are cut short end in a reset', async (t, kind) => {
  const server = await backend(
    t,
    answering((_, connection) => {
      connection.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
      connection.end()
      return undefined
    }),
  )
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  await client.send('GET / HTTP/1.0\r\n\r\n')
  t.equal(await client.over(), 'ECONNRESET')
})

onBoth(t, 'HTTP/1.0 servers: until the end, or with a length', async (t, kind) => {
  const server = await backend(
    t,
    answering((request, connection) => {
      if (request.includes('/kept'))
        return 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok'
      if (request.includes('/length')) return 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'
      connection.write('HTTP/1.0 200 OK\r\n\r\nall of it')
      connection.end()
      return undefined
    }),
  )
  const f = await L7.start(t, [server], { kind })
  const client = await f.client()
  const kept = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
  await client.send(get('/kept'))
  await client.until((text) => text === kept)
  await client.send(get('/length'))
  await client.until((text) => text === kept + kept)
  t.equal(server.connections.length, 1)
  await client.send(get('/end'))
  t.equal(await client.over(), '')
  t.equal(client.text, `${kept}${kept}HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it`)
  t.equal(server.connections.length, 2, 'the one without keep-alive was not used again')
})
