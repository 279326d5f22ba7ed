// Second tries over real connections: which answer the client gets, and what becomes of the other connection.

import t, { type Test } from 'tap'
import type { RawBackend, RawClient } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, type Kind, type L7, onBoth } from './fixture.ts'
import { asSent, counts, letters, put, startRetrying } from './retry-fixture.ts'

const HEDGE = { hedgeAfter: 100 }

async function hedged(
  t: Test,
  kind: Kind,
  request: string,
): Promise<{
  f: L7
  slow: RawBackend
  fast: RawBackend
  client: RawClient
}> {
  const [slow, fast] = [await backend(t, () => undefined), await backend(t, () => undefined)]
  const f = await startRetrying(t, [slow, fast], { kind, retries: HEDGE })
  const client = await f.client()
  await client.send(request)
  await until('the first try', () => slow.requests.length === 1)
  f.clock.advance(120)
  await until('the second', () => fast.requests.length === 1)
  t.equal(asSent(fast.requests[0] ?? ''), slow.requests[0])
  return { f, slow, fast, client }
}

onBoth(t, 'hedges: the second is faster', async (t, kind) => {
  const { f, slow, fast, client } = await hedged(t, kind, get('/a', 'X-A: b\r\n'))
  fast.connections[0]?.write('HTTP/1.1 103 Hints\r\n\r\n')
  fast.connections[0]?.write(ok('fast'))
  t.equal(await client.until((text) => messages(text).length === 1), ok('fast'))
  await slow.connections[0]?.over()
  t.same(counts(f), { hedge: 1 })
  t.equal(f.destination.resilience.hedgesWon, 1)
  t.same(f.statuses, { 200: 1 })
  const winner = f.destination.picker.endpoints[1]?.counters.requests
  t.equal(winner?.responseBytes, ok('fast').length, 'counted where it came from')
  await client.send(get('/next'))
  await until('the next request', () => slow.requests.length + fast.requests.length === 3)
  t.same([f.destination.active, f.destination.retrying], [1, 0])
})

onBoth(t, 'hedges: the first is faster', async (t, kind) => {
  const { f, slow, fast, client } = await hedged(t, kind, get())
  slow.connections[0]?.write(ok('slow'))
  t.equal(await client.until((text) => messages(text).length === 1), ok('slow'))
  await fast.connections[0]?.over()
  t.equal(f.destination.resilience.hedgesWon, 0)
  t.same([f.destination.active, f.destination.retrying], [0, 0])
  t.equal(f.underWay['endpoints'], 0)
})

onBoth(t, 'hedges: a request with a body', async (t, kind) => {
  for (const size of [10, 40_000]) {
    const request = put(letters(size)).replace('PUT', 'GET')
    const { fast, client } = await hedged(t, kind, request)
    fast.connections[0]?.write(ok('fast'))
    t.equal(await client.until((text) => messages(text).length === 1), ok('fast'))
  }
})

onBoth(t, 'hedges: a large answer, to a client that is slow', async (t, kind) => {
  const { f, fast, client } = await hedged(t, kind, get())
  const body = letters(3_000_000)
  client.socket.pause()
  fast.connections[0]?.write(ok(body))
  await until('it has begun', () => f.destination.resilience.hedgesWon === 1)
  client.socket.resume()
  const text = await client.until((all) => all.length >= ok(body).length)
  t.ok(text === ok(body))
  await until('it is over', () => f.destination.active === 0)
})

onBoth(t, 'hedges: the client leaves', async (t, kind) => {
  for (const step of ['both', 'second', 'answered'] as const) {
    const { f, slow, fast, client } = await hedged(t, kind, get())
    const [one, other] = [slow.connections[0], fast.connections[0]]
    if (step === 'second') {
      one?.reset()
      await until('the first is over', () => f.underWay['endpoints'] === 1)
    } else if (step === 'answered') {
      other?.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')
      await client.until((text) => text.endsWith('ab'))
    }
    client.reset()
    await f.settled()
    t.same([f.destination.active, f.destination.retrying], [0, 0], step)
    if (step === 'both') await one?.over()
    await other?.over()
  }
})

onBoth(t, 'hedges: the answer of the second breaks off', async (t, kind) => {
  const { f, fast, client } = await hedged(t, kind, get())
  fast.connections[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab')
  await client.until((text) => text.endsWith('ab'))
  fast.connections[0]?.reset()
  t.equal(await client.over(), 'ECONNRESET')
  t.same(f.failures, { 'response-incomplete': 1 })
})

onBoth(
  t,
  'hedges: an answer of the second that is refused is the first’s chance',
  async (t, kind) => {
    const { slow, fast, client } = await hedged(t, kind, get())
    fast.connections[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n')
    await fast.connections[0]?.over()
    slow.connections[0]?.write(ok('slow'))
    t.equal(await client.until((text) => messages(text).length === 1), ok('slow'))
  },
)
