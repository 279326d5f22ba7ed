// Between two sidecars: what the other one says of its application, and how far a request may go.

import t from 'tap'
import { PLAIN_ROUTE } from '../../../src/proxy/stack/route.ts'
import { answering, type Script } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, L7, onBoth, post } from './fixture.ts'

const CODES: Readonly<Record<string, string>> = {
  connection_refused: 'endpoint-refused',
  connection_timeout: 'endpoint-timeout',
  destination_unavailable: 'connect-failed',
  connection_terminated: 'upstream-reset',
}

const unreached = (error: string, status = 502, nextHop = ''): string =>
  `HTTP/1.1 ${status} X\r\nProxy-Status: underpass; error=${error}; details="${CODES[error] ?? error}: a"${nextHop}\r\nContent-Length: 4\r\n\r\ngone`

/** As the sidecar at that very address says it. */
const itself = (error: string, status = 502): Script =>
  answering((_, { socket }) =>
    unreached(error, status, `; next-hop="127.0.0.1:${socket.localPort ?? 0}"`),
  )

onBoth(t, 'peers: an application that its sidecar did not reach, and another', async (t, kind) => {
  for (const [error, status] of [
    ['connection_refused', 502],
    ['connection_timeout', 504],
    ['destination_unavailable', 503],
  ] as const) {
    const gone = await backend(t, itself(error, status))
    const other = await backend(t, answering(ok('other')))
    const f = await L7.start(t, [gone, other], { kind })
    const client = await f.client()
    await client.send(get('/1') + get('/2') + get('/3'))
    await client.until((text) => messages(text).length === 3)
    t.equal(client.text, ok('other').repeat(3))
    t.equal(gone.requests.length, 1, 'and it is avoided')
    t.equal(other.requests.length, 3)
    t.same([f.statuses, f.failures], [{ 200: 3 }, {}])
    await until('nothing is under way', () => f.underWay['active'] === 0)
    t.equal(f.underWay['endpoints'], 0)
    t.equal(f.events('connect-failed').length, 1)
  }
})

onBoth(t, 'peers: the connection to that sidecar stays', async (t, kind) => {
  let isGone = true
  const gone = itself('connection_refused')
  const server = await backend(t, (connection, text) => {
    ;(isGone ? gone : answering(ok('back')))(connection, text)
  })
  const other = await backend(t, answering(ok('other')))
  const f = await L7.start(t, [server, other], { kind })
  const client = await f.client()
  await client.send(get('/1'))
  await client.until((text) => text === ok('other'))
  isGone = false
  f.clock.advance(5000)
  for (let turn = 2; turn <= 5; turn += 1) {
    await client.send(get(`/${turn}`))
    await client.until((text) => messages(text).length === turn)
  }
  t.same(server.requests[0], get('/1'))
  t.ok(server.requests.length > 1, 'it is asked again')
  t.same([server.connections.length, other.connections.length], [1, 1])
  const again = get('/1').replace(/\r\n$/, 'x-envoy-attempt-count: 2\r\n\r\n')
  t.equal(other.requests[0], again, 'byte for byte, but for the count')
  t.same(f.refusals, {})
})

onBoth(
  t,
  'peers: what does not come from the endpoint as its next hop is answered as it is',
  async (t, kind) => {
    const cases = [
      [post('a'), unreached('connection_refused')],
      [get(), unreached('connection_terminated')],
      [get(), unreached('connection_refused', 500)],
      [get(), unreached('connection_refused').replace('underpass', 'other')],
      [
        get(),
        unreached('connection_refused').replace('\r\n', '\r\nProxy-Status: other; error=x\r\n'),
      ],
    ] as const
    for (const [request, answer] of cases) {
      const server = await backend(t, answering(answer))
      const other = await backend(t, answering(ok('other')))
      const f = await L7.start(t, [server, other], { kind })
      t.equal(await f.exchange(request), answer)
      t.equal(other.requests.length, 0)
    }
  },
)

onBoth(t, 'peers: when all have failed the error is ours', async (t, kind) => {
  const servers = [
    await backend(t, itself('connection_refused')),
    await backend(t, itself('connection_refused')),
  ]
  const f = await L7.start(t, servers, { kind })
  f.destination.route = PLAIN_ROUTE
  const text = await f.exchange(get())
  t.match(text, /^HTTP\/1\.1 502 .*error=connection_refused; details="endpoint-refused/s)
  t.equal(text.split('HTTP/').length, 2)
  t.same(
    servers.map(({ requests }) => requests.length),
    [1, 1],
  )
})

onBoth(t, 'peers: Max-Forwards counts down', async (t, kind) => {
  const server = await backend(t, answering(ok('x')))
  const f = await L7.start(t, [server], { kind })
  const ask = (method: string, value: string): string =>
    `${method} /a HTTP/1.1\r\nHost: a\r\nMax-Forwards: ${value}\r\nCookie: secret\r\nX-A: b\r\n\r\n`
  await f.exchange(ask('OPTIONS', '10'))
  await f.exchange(ask('TRACE', '1'))
  await f.exchange(ask('GET', '0'))
  t.same(
    server.requests.map((request) => /Max-Forwards: \d+/.exec(request)?.[0]),
    ['Max-Forwards: 9', 'Max-Forwards: 0', 'Max-Forwards: 0'],
    'other methods do not count',
  )
  const client = await f.client()
  await client.send(ask('OPTIONS', '0') + get('/next'))
  await client.until((text) => messages(text).length === 2)
  t.match(client.text, /^HTTP\/1\.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP\/1\.1 200 OK/)
  await client.send(ask('TRACE', '0'))
  await client.until((text) => messages(text).length === 3)
  t.match(messages(client.text)[2], /^HTTP\/1\.1 200 OK\r\nContent-Type: message\/http\r\n/)
  t.match(
    client.text,
    /\r\n\r\nTRACE \/a HTTP\/1\.1\r\nHost: a\r\nMax-Forwards: 0\r\nX-A: b\r\n\r\n$/,
  )
  t.notMatch(client.text, 'secret')
  t.equal(server.requests.length, 4)
  await client.send(ask('OPTIONS', 'x'))
  t.equal(await client.over(), '')
  t.match(client.text, 'max-forwards-invalid')
  t.same(f.statuses[200], 6)
})
