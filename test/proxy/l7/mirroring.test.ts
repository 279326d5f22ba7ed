// Copies of requests to another Service, over real sockets: what the mirror gets, and that the client does not notice.

import t, { type Test } from 'tap'
import { Destination } from '../../../src/proxy/stack/destination.ts'
import { PLAIN_ROUTE } from '../../../src/proxy/stack/route.ts'
import { answering, RawBackend, type Script } from '../../support/http-peer.ts'
import { messages, ok } from '../../support/http-text.ts'
import { until } from '../../support/until.ts'
import { backend, get, type Kind, L7, onBoth, post } from './fixture.ts'

const NEXT = 'next.default'

interface Way {
  readonly f: L7
  readonly server: RawBackend
  readonly mirror: RawBackend
  readonly next: Destination
}

/** A shop whose requests are all copied. */
async function way(t: Test, kind: Kind, script: Script = answering(ok('copy'))): Promise<Way> {
  const server = await backend(t, answering(ok('original')))
  const mirror = await backend(t, script)
  const f = await L7.start(t, [server], { kind })
  const next = new Destination('outbound', `${NEXT}:80`, f.pickerOf([mirror]), {
    connectTimeout: 1000,
    idleTimeout: 0,
  })
  f.services.set(`${NEXT}:80`, next)
  f.destination.route = { ...PLAIN_ROUTE, mirror: { service: NEXT, port: 80, share: 1 } }
  return { f, server, mirror, next }
}

function counts({ destination: { resilience } }: L7): number[] {
  return [resilience.mirrored, resilience.mirrorsDropped, resilience.mirrorFailures]
}

/** A copy has another host, and fifteen seconds. */
const shadow = (text: string): string =>
  text
    .replace('Host: a.example', 'Host: a.example-shadow')
    .replace('\r\n\r\n', '\r\nx-envoy-expected-rq-timeout-ms: 15000\r\n\r\n')

onBoth(t, 'mirroring: the mirror gets the same requests, but for the host', async (t, kind) => {
  const { f, server, mirror, next } = await way(t, kind)
  const client = await f.client()
  const chunked = `${post('', 'Transfer-Encoding: chunked\r\n').replace('Content-Length: 0\r\n', '')}5\r\nab\0\xffc\r\n0\r\nX-T: 1\r\n\r\n`
  const texts = [get('/a?b=c', 'X-A: 1\r\n'), post('small'), post('large'.repeat(10_000)), chunked]
  for (const [at, text] of texts.entries()) {
    await client.send(text)
    await client.until((all) => messages(all).length === at + 1)
    await until('its copy', () => mirror.requests.length === at + 1)
  }
  t.same(server.requests, texts)
  t.same(mirror.requests, texts.map(shadow))
  t.equal(client.text, ok('original').repeat(4), 'no answer of the mirror')
  await until('the copies are over', () => f.underWay['active'] === 0)
  t.same(counts(f), [4, 0, 0])
  t.same(f.statuses, { 200: 8 })
  t.equal(mirror.connections.length, 1, 'its connection is used again')
  t.same([next.open, next.pending.length], [1, 0])
})

onBoth(t, 'mirroring: a body that comes in pieces is copied whole', async (t, kind) => {
  const { f, mirror } = await way(t, kind)
  const client = await f.client()
  const body = 'x'.repeat(40_000)
  const text = post(body)
  await client.send(text.slice(0, 100), text.slice(100, 3000), text.slice(3000, 30_000))
  await client.send(text.slice(30_000))
  await client.until((all) => messages(all).length === 1)
  await until('its copy', () => mirror.requests.length === 1)
  t.equal(mirror.requests[0], shadow(text))
  const long = post('y'.repeat(65_537))
  await client.send(long)
  await client.until((all) => messages(all).length === 2)
  t.same(counts(f), [1, 1, 0])
})

onBoth(t, 'mirroring: a mirror that fails, stalls or is not there', async (t, kind) => {
  const { f, mirror, next } = await way(t, kind, (connection) => {
    const request = connection.next()
    if (request?.includes('/reset') === true) connection.reset()
    else if (request?.includes('/500') === true)
      connection.write('HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n')
  })
  const client = await f.client()
  const ask = async (path: string, total: number): Promise<void> => {
    await client.send(get(path))
    await client.until((all) => messages(all).length === total)
  }
  await ask('/reset', 1)
  await until('a failure', () => counts(f)[2] === 1)
  await ask('/500', 2)
  await until('another', () => counts(f)[2] === 2)
  await ask('/stall', 3)
  await until('it waits', () => mirror.requests.length === 3)
  f.services.delete(`${NEXT}:80`)
  await ask('/gone', 4)
  t.same(counts(f), [3, 1, 2])
  f.services.set(`${NEXT}:80`, next)
  await mirror.close()
  await until('the stalled one', () => counts(f)[2] === 3)
  await ask('/refused', 5)
  await until('the refused one', () => counts(f)[2] === 4)
  t.equal(client.text, ok('original').repeat(5))
  await until('all are over', () => f.underWay['active'] === 0)
})

onBoth(t, 'mirroring: a mirror that mirrors, retries and fails on purpose', async (t, kind) => {
  const { f, mirror, next } = await way(t, kind)
  const fault = { delay: 0, delayShare: 0, abortStatus: 500, abortShare: 1 }
  const route = { ...PLAIN_ROUTE, mirror: { service: NEXT, port: 80, share: 1 }, fault }
  next.route = route
  next.router = { find: () => route }
  await f.exchange(get())
  await until('the copy', () => mirror.requests.length === 1)
  await until('it is over', () => f.underWay['active'] === 0)
  t.same(counts(f), [1, 0, 0])
  t.same([next.resilience.mirrored, next.resilience.faultAborts], [0, 0])
})

onBoth(t, 'mirroring: the client goes away before it is answered', async (t, kind) => {
  const { f, server, mirror } = await way(t, kind)
  // The original is not answered.
  const silent = await RawBackend.listen(() => undefined)
  f.destination.picker = f.pickerOf([silent])
  const client = await f.client()
  await client.send(get('/left'))
  await until('it is there', () => silent.requests.length === 1)
  client.reset()
  await until('its copy', () => mirror.requests.length === 1)
  await until('all are over', () => f.underWay['active'] === 0)
  t.equal(mirror.requests[0], shadow(get('/left')))
  t.equal(server.requests.length, 0)
  await silent.close()
})

onBoth(t, 'mirroring: a storm of both stays in order', async (t, kind) => {
  const { f, server, mirror } = await way(t, kind)
  const clients = await Promise.all(Array.from({ length: 8 }, async () => await f.client()))
  const texts: string[] = []
  await Promise.all(
    clients.map(async (client, who) => {
      for (let turn = 0; turn < 25; turn += 1) {
        const body = `${who}-${turn}-`.repeat((turn * 37) % 1000)
        const text =
          turn % 3 === 0 ? get(`/${who}/${turn}`) : post(body, `X-Id: ${who}/${turn}\r\n`)
        texts.push(text)
        await client.send(text)
        await client.until((all) => messages(all).length === turn + 1)
      }
    }),
  )
  await until('all copies', () => mirror.requests.length === 200)
  t.same([...server.requests].sort(), [...texts].sort())
  t.same([...mirror.requests].sort(), texts.map(shadow).sort())
  await until('all are over', () => f.underWay['active'] === 0)
  t.same(counts(f), [200, 0, 0])
})
