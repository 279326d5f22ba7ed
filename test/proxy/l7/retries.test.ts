// Requests that are sent again, second tries and the times of a try, over real connections: what arrives where, byte
// for byte, and what the client gets.

import t from 'tap'
import { answering, type Script } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, onBoth, post } from './fixture.ts'
import { asSent, counts, letters, put, startRetrying, UNAVAILABLE } from './retry-fixture.ts'

const failing: readonly (readonly [string, Script])[] = [
  ['503', answering(UNAVAILABLE)],
  [
    'reset',
    (connection) => {
      if (connection.next() !== undefined) connection.reset()
    },
  ],
  [
    'end',
    (connection) => {
      if (connection.next() !== undefined) connection.end()
    },
  ],
]

/** Cut into pieces of that size at most. */
function pieces(text: string, size: number): string[] {
  return Array.from({ length: Math.ceil(text.length / size) }, (_, at) =>
    text.slice(at * size, (at + 1) * size),
  )
}

const chunked =
  'POST /c HTTP/1.1\r\nHost: a.example\r\nTE: trailers\r\nConnection: TE\r\nTransfer-Encoding: chunked\r\n' +
  `Trailer: X-Sum\r\n\r\n5\r\nhello\r\n3e8\r\n${letters(1000)}\r\n0\r\nX-Sum: 7\r\n\r\n`

const REQUESTS: readonly (readonly [string, readonly string[]])[] = [
  ['no body', [get('/a', 'Accept: */*\r\nCookie: a=b\r\n')]],
  ['a small body', [put('abc')]],
  ['a small body that comes later', [put('').replace('Length: 0', 'Length: 3'), 'abc']],
  ['a body in one piece', [put(letters(20_000))]],
  ['a body in pieces', pieces(put(letters(40_960)), 5000)],
  ['64 KiB', pieces(put(letters(65_536)), 30_000)],
  ['chunks and trailers', [chunked]],
  ['chunks and trailers in pieces', pieces(chunked, 100)],
  ['a body that waits to be asked for', [put('abc', 'Expect: 100-continue\r\n')]],
]

for (const [how, script] of failing) {
  onBoth(t, `retries: after ${how}, the same bytes again`, async (t, kind) => {
    for (const [what, parts] of REQUESTS) {
      const bad = await backend(t, script)
      const good = await backend(t, answering(ok('x')))
      const f = await startRetrying(t, [bad, good], { kind })
      const client = await f.client()
      await client.send(...parts)
      await until(`${what}: it waits`, () => f.destination.retrying === 1)
      f.clock.advance(30)
      t.equal(await client.until((text) => messages(text).length === 1), ok('x'), what)
      const [first = '', second = ''] = [...bad.requests, ...good.requests]
      t.equal(asSent(second), first, what)
      t.equal(bad.requests.length + good.requests.length, 2)
      t.ok(first.endsWith(parts.join('').slice(parts.join('').indexOf('\r\n\r\n'))), 'as it came')
      t.same(f.failures, {})
      t.same(f.statuses, { 200: 1 })
      await client.send(get('/next'))
      await until('the next answer', () => {
        f.clock.advance(10)
        return messages(client.text).length === 2
      })
      await until('nothing is under way', () => f.destination.active === 0)
      t.equal(f.destination.retrying, 0)
      t.same([f.underWay['endpoints'], f.underWay['active']], [0, 0])
    }
  })
}

onBoth(t, 'retries: what is larger than is kept is not sent again', async (t, kind) => {
  const known = put(letters(71_680))
  const unknown =
    'PUT /c HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n' +
    `11800\r\n${letters(71_680)}\r\n0\r\n\r\n`
  for (const request of [known, unknown]) {
    const bad = await backend(t, answering(UNAVAILABLE))
    const good = await backend(t, answering(ok('x')))
    const f = await startRetrying(t, [bad, good], { kind })
    t.equal(await f.exchange(request), UNAVAILABLE)
    t.equal(bad.requests[0], request)
    t.equal(good.requests.length, 0)
    t.same(Object.fromEntries(f.destination.resilience.denied), { body: 1 })
  }
})

onBoth(t, 'retries: an upload that breaks in the middle goes on at another', async (t, kind) => {
  const bad = await backend(t, (connection, text) => {
    if (text.length > 15_000) connection.reset()
  })
  const good = await backend(t, answering(ok('x')))
  const f = await startRetrying(t, [bad, good], { kind })
  const client = await f.client()
  const request = put(letters(40_960))
  const parts = pieces(request, 4000)
  await client.send(...parts.slice(0, 5))
  await until('it waits', () => f.destination.retrying === 1)
  await client.send(parts[5] ?? '')
  f.clock.advance(30)
  await until('what there was is there', () => good.received.length >= 20_000)
  await client.send(...parts.slice(6))
  t.equal(await client.until((text) => messages(text).length === 1), ok('x'))
  t.equal(asSent(good.requests[0] ?? ''), request)
})

onBoth(
  t,
  'retries: the body is asked for by the first, and sent to the second',
  async (t, kind) => {
    const bad = await backend(t, (connection, text) => {
      if (text.endsWith('abc')) connection.reset()
      else connection.write('HTTP/1.1 100 Continue\r\n\r\n')
    })
    const good = await backend(t, answering(ok('x')))
    const f = await startRetrying(t, [bad, good], { kind })
    const client = await f.client()
    const request = put('abc', 'Expect: 100-continue\r\n')
    const at = request.length - 3
    await client.send(request.slice(0, at))
    await client.until((text) => text.includes('100 Continue'))
    await client.send(request.slice(at))
    await until('it waits', () => f.destination.retrying === 1)
    f.clock.advance(30)
    await client.until((text) => text.endsWith(ok('x')))
    t.equal(asSent(good.requests[0] ?? ''), request)
  },
)

onBoth(t, 'retries: refused before the body is asked for, a large one too', async (t, kind) => {
  const bad = await backend(t, (connection) => {
    connection.write(UNAVAILABLE)
  })
  const good = await backend(t, (connection, text) => {
    if (connection.requests.length > 0) connection.write(ok('x'))
    else if (text.endsWith('\r\n\r\n')) connection.write('HTTP/1.1 100 Continue\r\n\r\n')
  })
  const f = await startRetrying(t, [bad, good], { kind })
  const client = await f.client()
  const request = put(letters(100_000), 'Expect: 100-continue\r\n')
  const at = request.indexOf('\r\n\r\n') + 4
  await client.send(request.slice(0, at))
  await until('it waits', () => f.destination.retrying === 1)
  f.clock.advance(30)
  await client.until((text) => text.includes('100 Continue'))
  t.notMatch(client.text, '503')
  await client.send(request.slice(at))
  await client.until((text) => text.endsWith(ok('x')))
  t.equal(asSent(good.requests[0] ?? ''), request)
})

onBoth(t, 'retries: the connection of a small failure is used again', async (t, kind) => {
  let fails = 1
  const server = await backend(
    t,
    answering(() => (fails-- > 0 ? UNAVAILABLE : ok('x'))),
  )
  const f = await startRetrying(t, [server], { kind })
  t.equal(await f.exchangeInTime(post('a')), ok('x'))
  t.equal(server.requests.length, 2)
  t.same(counts(f), { 'gateway-error': 1 })
})

onBoth(t, 'retries: Retry-After is waited for', async (t, kind) => {
  let fails = 1
  const busy = UNAVAILABLE.replace('Content', 'Retry-After: 1\r\nContent')
  const server = await backend(
    t,
    answering(() => (fails-- > 0 ? busy : ok('x'))),
  )
  const f = await startRetrying(t, [server], { kind })
  const answer = f.exchange(get())
  await until('it waits', () => f.destination.retrying === 1)
  f.clock.advance(999)
  t.equal(server.requests.length, 1)
  f.clock.advance(11)
  t.equal(await answer, ok('x'))
})

onBoth(t, 'retries: the failure that is left is passed on as it is', async (t, kind) => {
  const server = await backend(t, answering(UNAVAILABLE))
  const f = await startRetrying(t, [server], { kind })
  t.equal(await f.exchangeInTime(get()), UNAVAILABLE)
  t.equal(server.requests.length, 3)
  t.same(counts(f), { 'gateway-error': 2 })
  t.equal(f.destination.resilience.retryFailures, 1)
})

onBoth(t, 'retries: pipelined requests keep their order', async (t, kind) => {
  let fails = 2
  const server = await backend(
    t,
    answering((request) => {
      const [, path = ''] = /^GET (\S+)/.exec(request) ?? []
      return path !== '/1' && fails-- > 0 ? UNAVAILABLE : ok(path)
    }),
  )
  const f = await startRetrying(t, [server], { kind })
  const text = [1, 2, 3, 4].map((at) => get(`/${at}`)).join('')
  const all = await f.exchangeInTime(text, 4)
  t.equal(all, ['/1', '/2', '/3', '/4'].map((path) => ok(path)).join(''))
})

onBoth(t, 'retries: nobody is asked for a client that has left', async (t, kind) => {
  const bad = await backend(t, answering(UNAVAILABLE))
  const good = await backend(t, answering(ok('x')))
  const f = await startRetrying(t, [bad, good], { kind })
  const client = await f.client()
  await client.send(get())
  await until('it waits', () => f.destination.retrying === 1)
  client.reset()
  await until('it is over', () => f.destination.active === 0)
  f.clock.advance(1000)
  t.equal(good.requests.length, 0)
  t.equal(f.destination.retrying, 0)
  await f.settled()
})

onBoth(t, 'retries: a client of HTTP/1.0', async (t, kind) => {
  let fails = 1
  const answer = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n'
  const server = await backend(
    t,
    answering(() => (fails-- > 0 ? UNAVAILABLE : answer)),
  )
  const f = await startRetrying(t, [server], { kind })
  const client = await f.client()
  await client.send('GET / HTTP/1.0\r\n\r\n')
  await until('it waits', () => f.destination.retrying === 1)
  f.clock.advance(30)
  await client.over()
  t.match(client.text, /\r\n\r\nabc$/)
})

onBoth(t, 'retries: a try that takes too long', async (t, kind) => {
  const slow = await backend(t, () => undefined)
  const good = await backend(t, answering(ok('x')))
  const f = await startRetrying(t, [slow, good], { kind, timeouts: { perTry: 500 } })
  const answer = f.exchange(get())
  const connection = await slow.connection(0)
  await until('it is there', () => slow.requests.length === 1)
  f.clock.advance(510)
  f.clock.advance(30)
  t.equal(await answer, ok('x'))
  await connection.over()
  t.same(counts(f), { 'per-try-timeout': 1 })
  await until('nothing is under way', () => f.underWay['active'] === 0)
})

onBoth(t, 'retries: no answer in time, and nobody else to ask', async (t, kind) => {
  const slow = await backend(t, () => undefined)
  const timeouts = { responseHeaders: 300 }
  const f = await startRetrying(t, [slow], { kind, timeouts, retries: { attempts: 0 } })
  const answer = f.exchange(get())
  await until('it is there', () => slow.requests.length === 1)
  f.clock.advance(400)
  t.match(
    await answer,
    /^HTTP\/1\.1 504 .*error=http_response_timeout; details="response-timeout: 300 ms"/s,
  )
  t.same(f.failures, { 'response-timeout': 1 })
})

onBoth(t, 'retries: a body that takes too long breaks the connection', async (t, kind) => {
  const server = await backend(t, (connection) => {
    if (connection.next() !== undefined) {
      connection.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
    }
  })
  const f = await startRetrying(t, [server], { kind, timeouts: { perTry: 500 } })
  const client = await f.client()
  await client.send(get())
  await client.until((text) => text.endsWith('abc'))
  f.clock.advance(510)
  t.equal(await client.over(), 'ECONNRESET')
  t.same(counts(f), {})
})

onBoth(t, 'retries: a slow upload is not taken for a slow answer', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const timeouts = { responseHeaders: 1000 }
  const f = await startRetrying(t, [server], { kind, timeouts })
  const client = await f.client()
  for (const [at, piece] of pieces(put(letters(30_000)), 3000).entries()) {
    await client.send(piece)
    await until('it is passed on', () => server.received.length >= at * 3000)
    f.clock.advance(500)
  }
  t.equal(await client.until((text) => messages(text).length === 1), ok('x'))
  t.same(f.failures, {})
})

onBoth(t, 'retries: as many requests as may be', async (t, kind) => {
  const server = await backend(t, () => undefined)
  const f = await startRetrying(t, [server], { kind })
  f.destination.maxRequests = 1
  const first = await f.client()
  await first.send(get('/1'))
  await until('it is there', () => server.requests.length === 1)
  t.match(
    await f.exchange(get('/2')),
    /^HTTP\/1\.1 503 .*details="request-limit: shop\.default:80, 1 requests are under way"/s,
  )
  server.connections[0]?.write(ok('x'))
  await first.until((text) => text === ok('x'))
  t.equal(f.destination.active, 0)
})
