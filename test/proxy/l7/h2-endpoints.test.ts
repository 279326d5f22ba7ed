// Clients of either protocol through the whole proxy, to an endpoint that speaks HTTP/2.

import { constants } from 'node:http2'
import t, { type Test } from 'tap'
import { type H2Answer, H2Server } from '../../support/h2-server.ts'
import { messages } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { get, L7, type Options, onBoth } from './fixture.ts'
import { h2Client } from './h2-fixture.ts'

const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const WELCOME = 'TE: trailers\r\nConnection: TE\r\n'

async function server(t: Test, answer: H2Answer): Promise<H2Server> {
  const made = await H2Server.listen(answer)
  t.teardown(async () => {
    await made.close()
  })
  return made
}

async function start(t: Test, servers: readonly H2Server[], options: Options = {}): Promise<L7> {
  const f = await L7.start(
    t,
    servers.map(({ port }) => port),
    options,
  )
  f.destination.wire = 'http2'
  return f
}

/** Answers with pieces, and trailers behind them. */
const streaming =
  (...pieces: readonly string[]): H2Answer =>
  ({ stream }) => {
    stream.respond({ ':status': 200 }, { waitForTrailers: true })
    stream.on('wantTrailers', () => {
      stream.sendTrailers({ 'x-sum': '7' })
    })
    for (const piece of pieces) stream.write(piece)
    stream.end()
  }

onBoth(t, 'http2 endpoints: a response of unknown length, with trailers', async (t, kind) => {
  const f = await start(t, [await server(t, streaming('abc', 'defg'))], { kind })
  const welcomed = await f.exchange(get('/', WELCOME))
  t.match(welcomed, /\r\ntransfer-encoding: chunked\r\n/i)
  t.match(welcomed, /\r\n0\r\nx-sum: 7\r\n\r\n$/)
  const other = await f.exchange(get())
  t.match(other, /\r\n0\r\n\r\n$/)
  for (const text of [welcomed, other]) {
    const chunks = text.slice(text.indexOf('\r\n\r\n') + 4)
    t.equal(chunks.replaceAll(/[0-9]+\r\n|x-sum.*|\r\n/g, ''), 'abcdefg')
  }
  const old = await f.client()
  await old.send('GET / HTTP/1.0\r\nHost: a\r\n\r\n')
  t.equal(await old.over(), '')
  t.match(old.text, /\r\nConnection: close\r\n\r\nabcdefg$/)
})

onBoth(t, 'http2 endpoints: answers that come together reach who asked', async (t, kind) => {
  const count = 40
  const held: (() => void)[] = []
  const made = await server(t, (asked) => {
    held.push(() => {
      asked.stream.respond({ ':status': 200, 'x-path': asked.path })
      asked.stream.end(`body of ${asked.path}`)
    })
    if (held.length === count) for (const answer of held) answer()
  })
  const f = await start(t, [made], { kind })
  const paths = Array.from({ length: count }, (_, at) => `/${at}`)
  const texts = await Promise.all(paths.map(async (path) => f.exchange(get(path))))
  for (const [at, text] of texts.entries()) {
    const path = paths[at] ?? ''
    t.ok(text.includes(`\r\nx-path: ${path}\r\n`), path)
    t.ok(text.includes(`body of ${path}\r\n0\r\n\r\n`), path)
  }
  t.same(f.statuses, { 200: count })
})

onBoth(t, 'http2 endpoints: chunks and trailers of a request', async (t, kind) => {
  const made = await server(t, (asked) => {
    asked.stream.on('end', () => {
      asked.ok('done')
    })
  })
  const f = await start(t, [made], { kind })
  const text = `POST / HTTP/1.1\r\nHost: a\r\n${CHUNKED}${WELCOME}\r\n3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Sum: 7\r\n\r\n`
  t.match(await f.exchange(text), /\r\n\r\ndone$/)
  const [asked] = made.asked
  t.same([asked?.body, asked?.trailers?.['x-sum']], ['abcdefg', '7'])
  t.equal(asked?.headers['transfer-encoding'], undefined)
})

onBoth(t, 'http2 endpoints: what one has refused another gets, the same', async (t, kind) => {
  const refusing = await server(t, ({ stream }) => {
    stream.close(constants.NGHTTP2_REFUSED_STREAM)
  })
  const taking = await server(t, (asked) => {
    asked.stream.on('end', () => {
      asked.ok(
        `${asked.headers[':method'] ?? ''} ${asked.body} ${String(asked.trailers?.['x-sum'])}`,
      )
    })
  })
  const large = 'x'.repeat(30_000)
  const cases: readonly (readonly [string, string])[] = [
    [get(), 'GET  undefined'],
    ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc', 'POST abc undefined'],
    [`POST / HTTP/1.1\r\nHost: a\r\n${CHUNKED}\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n`, 'POST abc 7'],
    [
      `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n${large}`,
      `POST ${large} undefined`,
    ],
  ]
  for (const [text, expected] of cases) {
    const f = await start(t, [refusing, taking], { kind })
    const before = refusing.asked.length
    const answer = await f.exchangeInTime(text)
    t.ok(answer.endsWith(`\r\n\r\n${expected}`), expected.slice(0, 20))
    t.equal(refusing.asked.length, before + 1, 'it was asked')
  }
  const f = await start(t, [refusing, taking], { kind })
  const client = await h2Client(t, f)
  const stream = client.session.request(
    { ':method': 'POST', ':authority': 'a.example', te: 'trailers' },
    { waitForTrailers: true },
  )
  let body = ''
  stream.on('data', (chunk: Buffer) => {
    body += chunk.toString('latin1')
  })
  stream.on('wantTrailers', () => {
    stream.sendTrailers({ 'x-sum': '7' })
  })
  stream.end('abc')
  await until('it is answered', () => {
    f.clock.advance(10)
    return body !== ''
  })
  t.equal(body, 'POST abc 7')
})

onBoth(t, 'http2 endpoints: pipelined requests, and a body held back', async (t, kind) => {
  const made = await server(t, (asked) => {
    asked.stream.on('end', () => {
      asked.ok(`${asked.path} ${asked.length}`)
    })
  })
  const f = await start(t, [made], { kind })
  const client = await f.client()
  const body = 'y'.repeat(500_000)
  const text = `POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body}${get('/2')}`
  await client.send(text)
  await client.until((all) => messages(all).length === 2)
  t.same(
    messages(client.text).map((message) => message.slice(message.indexOf('\r\n\r\n') + 4)),
    ['/1 500000', '/2 0'],
  )
})
