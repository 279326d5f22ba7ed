// What a client that speaks HTTP/2 asks, and is answered by servers that speak HTTP/1.1.

import t from 'tap'
import { answering } from '../../support/http-peer.ts'
import { ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, onBoth } from './fixture.ts'
import { h2, h2Client } from './h2-fixture.ts'

const CHUNKED = 'Transfer-Encoding: chunked\r\n'

onBoth(t, 'http2 requests: one after another, and as HTTP/1.1 has them', async (t, kind) => {
  const server = await backend(
    t,
    answering(ok('x', 'X-Case: Kept\r\nConnection: x-a\r\nX-A: b\r\n')),
  )
  const { f, client } = await h2(t, [server], { kind })
  for (let turn = 0; turn < 3; turn += 1) {
    const asked = await client.get(`/p?${turn}`, { accept: 'a/b', cookie: ['a=1', 'b=2'] })
    t.same([asked.status, asked.text], [200, 'x'])
    t.equal(asked.headers['x-case'], 'Kept')
    t.notOk('x-a' in asked.headers, 'what belongs to one hop stays there')
    t.notOk('connection' in asked.headers)
  }
  const [first = ''] = server.requests
  t.match(first, /^GET \/p\?0 HTTP\/1\.1\r\nhost: a\.example\r\n/i)
  t.match(first, /\r\naccept: a\/b\r\n/i)
  t.match(first, /\r\ncookie: a=1; b=2\r\n/i)
  t.equal(server.connections.length, 1)
  t.same(f.statuses, { 200: 3 })
  t.equal(f.sessions.size, 1)
  client.session.close()
  await f.settled()
})

onBoth(t, 'http2 requests: many at once', async (t, kind) => {
  const server = await backend(
    t,
    answering((request) => ok(`for ${/^GET (\S+)/.exec(request)?.[1]}`)),
  )
  const { f, client } = await h2(t, [server], { kind })
  for (let turn = 0; turn < 3; turn += 1) {
    const all = Array.from({ length: 100 }, (_, at) => client.ask({ ':path': `/${turn}/${at}` }))
    for (const [at, asked] of all.entries()) {
      await asked.over()
      t.equal(asked.text, `for /${turn}/${at}`)
    }
  }
  t.same(f.statuses, { 200: 300 })
  t.equal(f.underWay['active'], 0)
})

onBoth(t, 'http2 requests: bodies both ways, of all sizes', async (t, kind) => {
  const server = await backend(
    t,
    answering((request) => {
      const body = request.slice(request.indexOf('\r\n\r\n') + 4)
      return ok(body.length.toString().padEnd(body.length, body.slice(-1)))
    }),
  )
  const { f, client } = await h2(t, [server], { kind })
  for (const size of [1, 100, 16_384, 65_535, 65_536, 300_000, 2_000_000]) {
    const body = Buffer.alloc(size, 0x61)
    const headers = { ':method': 'POST', 'content-length': size }
    const [one, other] = [client.ask(headers, body), client.ask(headers, body)]
    for (const asked of [one, other]) {
      await asked.over()
      t.same([asked.status, asked.body.length], [200, size], `${size}`)
      t.ok(asked.text === size.toString().padEnd(size, 'a').slice(0, size))
    }
  }
  t.same(f.failures, {})
})

onBoth(t, 'http2 requests: a body of unknown length, with trailers', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const { client } = await h2(t, [server], { kind })
  const stream = client.session.request(
    { ':method': 'POST', ':authority': 'a.example', te: 'trailers', trailer: 'x-sum' },
    { waitForTrailers: true },
  )
  stream.on('wantTrailers', () => {
    stream.sendTrailers({ 'x-sum': '7' })
  })
  stream.write('abc')
  await until('the first piece', () => server.received.includes('3\r\nabc\r\n'))
  stream.end('defg')
  await until('the request', () => server.requests.length === 1)
  const [request = ''] = server.requests
  t.match(request, /\r\ntransfer-encoding: chunked\r\n/i)
  t.match(request, /\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\nx-sum: 7\r\n\r\n$/)
})

onBoth(t, 'http2 requests: chunks and trailers of a response', async (t, kind) => {
  const head = `HTTP/1.1 200 OK\r\n${CHUNKED}Trailer: x-sum\r\n\r\n`
  const server = await backend(
    t,
    answering((request) =>
      request.includes('/cut')
        ? undefined
        : `${head}3\r\nabc\r\n4\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n`,
    ),
  )
  const { client } = await h2(t, [server], { kind })
  const asked = await client.get()
  t.same([asked.status, asked.text, asked.trailers?.['x-sum']], [200, 'abcdefg', '7'])
  t.notOk('transfer-encoding' in asked.headers)
  const cut = client.ask({ ':path': '/cut' })
  await until('the request', () => server.requests.length === 2)
  const connection = server.connections.find(({ text }) => text.includes('/cut'))
  connection?.write(`${head}3\r\nabc\r\n`)
  await until('the piece', () => cut.text === 'abc')
  t.equal(cut.status, 200)
  connection?.write('0\r\n\r\n')
  await cut.over()
  t.same([cut.text, cut.code, cut.ended], ['abc', 0, true])
})

onBoth(t, 'http2 requests: answers without a body', async (t, kind) => {
  const server = await backend(
    t,
    answering((request) => {
      if (request.startsWith('HEAD')) return 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n'
      if (request.includes('/204')) return 'HTTP/1.1 204 No\r\n\r\n'
      if (request.includes('/304'))
        return 'HTTP/1.1 304 Same\r\nContent-Length: 9\r\nETag: "a"\r\n\r\n'
      return 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
    }),
  )
  const { f, client } = await h2(t, [server], { kind })
  const head = await client.get('/', { ':method': 'HEAD' })
  t.same([head.status, head.headers['content-length'], head.text], [200, '7', ''])
  const none = await client.get('/204')
  t.same([none.status, none.text], [204, ''])
  t.notOk('content-length' in none.headers)
  const same = await client.get('/304')
  t.same([same.status, same.headers.etag, same.text], [304, '"a"', ''])
  const empty = await client.get('/0')
  t.same([empty.status, empty.text], [200, ''])
  t.same(f.statuses, { 200: 2, 204: 1, 304: 1 })
})

onBoth(t, 'http2 requests: interim responses, and a client that waits for one', async (t, kind) => {
  const server = await backend(t, (connection, text) => {
    if (text.endsWith('\r\n\r\n')) {
      connection.write('HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n')
      connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    } else if (text.endsWith('abc')) connection.write(ok('done'))
  })
  const { client } = await h2(t, [server], { kind })
  const headers = { ':method': 'POST', 'content-length': 3, expect: '100-continue' }
  const asked = client.ask(headers, null)
  let mayGoOn = false
  asked.stream.on('continue', () => {
    mayGoOn = true
  })
  await until('it may go on', () => mayGoOn)
  t.ok(server.received.toLowerCase().includes('expect: 100-continue'))
  asked.stream.end('abc')
  await asked.over()
  t.same([asked.interim[0], asked.status, asked.text], [103, 200, 'done'])
})

onBoth(t, 'http2 requests: Max-Forwards ends with us, or counts down', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const { client } = await h2(t, [server], { kind })
  const own = await client.get('/', { ':method': 'OPTIONS', 'max-forwards': '0' })
  t.same([own.status, own.text, server.requests.length], [200, '', 0])
  const trace = await client.get('/t', { ':method': 'TRACE', 'max-forwards': '0', 'x-a': 'b' })
  t.equal(trace.headers['content-type'], 'message/http')
  t.match(trace.text, /^TRACE \/t HTTP\/1\.1\r\nhost: a\.example\r\n.*x-a: b\r\n/is)
  const next = await client.get('/', { ':method': 'OPTIONS', 'max-forwards': '2' })
  t.equal(next.text, 'x')
  t.match(server.requests[0], /\r\nmax-forwards: 1\r\n/i)
})

onBoth(t, 'http2 requests: several clients, of either protocol', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const { f, client } = await h2(t, [server], { kind })
  const other = await h2Client(t, f)
  const plain = f.exchange('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  const [one, two] = await Promise.all([client.get('/1'), other.get('/2')])
  t.same([one.text, two.text, await plain], ['x', 'x', ok('x')])
  t.same(f.statuses, { 200: 3 })
})
