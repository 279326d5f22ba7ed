// What the proxy itself has put into a request's head, or kept out of it, when the request is sent again: for each
// endpoint anew.

import t from 'tap'
import { answering } from '../../support/http-peer.ts'
import { until } from '../../support/until.ts'
import { backend, get, onBoth } from './fixture.ts'
import { asSent, letters, put, startRetrying, UNAVAILABLE } from './retry-fixture.ts'

onBoth(t, 'retries: an upgrade that is not offered never is', async (t, kind) => {
  const fields = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n'
  for (const request of [put(letters(20_000), fields), put('abc', fields), get('/a', fields)]) {
    const server = await backend(t, answering(UNAVAILABLE))
    const f = await startRetrying(t, [server], { kind })
    t.equal(await f.exchangeInTime(request), UNAVAILABLE)
    const [first = '', ...others] = server.requests.map(asSent)
    t.notMatch(first, /upgrade/i)
    t.same(others, [first, first])
  }
})

onBoth(t, 'retries: the Host of a client that sends none is each endpoint', async (t, kind) => {
  const body = letters(20_000)
  const large = `PUT / HTTP/1.0\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  for (const request of ['GET / HTTP/1.0\r\nX-A: b\r\n\r\n', large]) {
    const servers = await Promise.all([1, 2].map(async () => backend(t, answering(UNAVAILABLE))))
    const f = await startRetrying(t, servers, { kind })
    const client = await f.client()
    await client.send(request)
    await until('it is answered', () => {
      f.clock.advance(10)
      return client.ended
    })
    t.equal(servers.flatMap(({ requests }) => requests).length, 3)
    for (const { port, requests } of servers) {
      const hosts = requests.map((text) => text.match(/^host: .*$/gim))
      for (const found of hosts) t.same(found, [`Host: 127.0.0.1:${port}`])
    }
  }
})
