// Smuggling attempts from a pod, through the transparent redirect: refused by the first sidecar on the way, named,
// counted by reason, and the application never hears of them; nor do sidecars take them from outside the mesh.

import t from 'tap'
import { insideWorld } from '../../demo/pods/world.ts'
import type { RemoteSocket } from '../support/agent.ts'
import { fieldOf, RemoteClient, statusOf } from '../support/http-remote.ts'
import { service } from '../support/manifests.ts'
import { Mesh, type MeshPod } from '../support/mesh.ts'
import { until } from '../support/until.ts'
import { WebServer } from '../support/web-server.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l7-strict'

const IP = '198.19.0.10'
const REFUSED = 'underpass_http_refused_total'
const HOST = 'Host: shop\r\n'
const CHUNKED = 'Transfer-Encoding: chunked\r\n'
const HIDDEN = 'GET /hidden HTTP/1.1\r\nHost: shop\r\n\r\n'

interface Attempt {
  readonly what: string
  readonly reason: string
  readonly text: string
}

const ATTEMPTS: readonly Attempt[] = [
  {
    what: 'CL.TE',
    reason: 'length-with-coding',
    text: `POST / HTTP/1.1\r\n${HOST}Content-Length: 6\r\n${CHUNKED}\r\n0\r\n\r\n${HIDDEN}`,
  },
  {
    what: 'TE.CL',
    reason: 'length-with-coding',
    text: `POST / HTTP/1.1\r\n${HOST}${CHUNKED}Content-Length: 4\r\n\r\n5c\r\n${HIDDEN}\r\n0\r\n\r\n`,
  },
  {
    what: 'TE.TE',
    reason: 'coding-invalid',
    text: `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${HIDDEN}`,
  },
  {
    what: 'two lengths',
    reason: 'length-repeated',
    text: `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello${HIDDEN}`,
  },
  {
    what: 'a bare LF',
    reason: 'bare-lf',
    text: `GET / HTTP/1.1\r\n${HOST}X: 1\nContent-Length: 40\r\n\r\n${HIDDEN}`,
  },
  {
    what: 'a folded line',
    reason: 'obs-fold',
    text: `GET / HTTP/1.1\r\n${HOST}X: 1\r\n Content-Length: 40\r\n\r\n${HIDDEN}`,
  },
  {
    what: 'two hosts',
    reason: 'host-repeated',
    text: `GET / HTTP/1.1\r\n${HOST}Host: admin\r\n\r\n`,
  },
  {
    what: 'a space before the colon',
    reason: 'space-before-colon',
    text: `POST / HTTP/1.1\r\n${HOST}Content-Length : 40\r\n\r\n${HIDDEN}`,
  },
  {
    what: 'a chunk whose size overflows',
    reason: 'chunk-size-overflow',
    text: `POST / HTTP/1.1\r\n${HOST}${CHUNKED}\r\n${'f'.repeat(17)}\r\n${HIDDEN}`,
  },
]

t.test('l7: strict', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, outsider, server] = await Promise.all([
    mesh.meshed('client'),
    mesh.plain('outsider'),
    mesh.meshed('server'),
  ])
  const web = await WebServer.start(mesh, server)
  const endpoints = [{ ip: server.ip }]
  const shop = { name: 'shop', ips: [IP], port: 80, target: 8080, endpoints }
  await mesh.publish('shop.yaml', service(shop))
  let good = 0
  const asksWell = async (pod: MeshPod, host: string, port: number): Promise<void> => {
    const requester = await RemoteClient.open(pod.agent, host, port)
    t.equal(statusOf(await requester.get('/')), 200)
    requester.socket.do('reset')
    good += 1
  }
  const answerTo = async (
    pod: MeshPod,
    host: string,
    port: number,
    text: string,
  ): Promise<string> => {
    const socket: RemoteSocket = await pod.agent.connect(host, port)
    socket.write(text)
    await until('the end of the connection', () => socket.ended || socket.closed)
    socket.do('end')
    return socket.text
  }
  const refuses = async (pod: MeshPod, host: string, port: number): Promise<void> => {
    for (const { what, reason, text } of ATTEMPTS) {
      const answer = await answerTo(pod, host, port, text)
      t.match(answer, /^HTTP\/1\.1 (400|501) /, what)
      t.equal(answer.split('HTTP/1.1 ').length, 2, `${what}: one answer`)
      t.match(fieldOf(answer, 'Proxy-Status'), 'underpass; error=http_request_error; ')
      t.match(fieldOf(answer, 'Proxy-Status'), `request-refused: ${reason}"`)
      t.equal(fieldOf(answer, 'Connection'), 'close')
    }
  }
  const reasons = new Map<string, number>()
  for (const { reason } of ATTEMPTS) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)

  await t.test('l7: what an application sends is refused by its own sidecar', async (t) => {
    await asksWell(client, IP, 80)
    await refuses(client, IP, 80)
    for (const [reason, count] of reasons) {
      const labels = { direction: 'outbound', message: 'request', reason }
      t.equal(await client.sidecar.metric(REFUSED, labels), count, reason)
      await client.sidecar.logs({ event: 'request-refused', reason, direction: 'outbound' })
    }
    t.equal(await server.sidecar.metric(REFUSED), 0, 'nothing came as far as the next one')
  })

  await t.test('l7: what somebody without a sidecar sends is refused by ours', async (t) => {
    await asksWell(outsider, server.ip, 8080)
    await refuses(outsider, server.ip, 8080)
    for (const [reason, count] of reasons) {
      const labels = { direction: 'inbound', message: 'request', reason }
      t.equal(await server.sidecar.metric(REFUSED, labels), count, reason)
    }
  })

  await t.test(
    'l7: the good request before a bad one is answered, the bad one is not',
    async (t) => {
      const bad = `GET / HTTP/1.1\r\n${HOST}X : 1\r\n\r\n`
      const both = await answerTo(client, IP, 80, `GET / HTTP/1.1\r\n${HOST}\r\n${bad}${HIDDEN}`)
      good += 1
      const statuses = [...both.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)
      t.same(statuses, ['200', '400'])
    },
  )

  await t.test('l7: the application has seen the good requests and nothing else', async (t) => {
    await until('every good one', async () => (await web.state()).requests >= good)
    t.equal((await web.state()).requests, good)
    for (const { sidecar } of [client, server]) t.same(sidecar.find({ level: 'error' }), [])
  })

  await t.test('l7: a response that is ambiguous never reaches the client', async (t) => {
    const listener = await server.agent.listen(8090)
    const requester = await RemoteClient.open(client.agent, server.ip, 8090)
    requester.socket.write(`POST / HTTP/1.1\r\n${HOST}Content-Length: 2\r\n\r\nhi`)
    const far = await until('a request', () =>
      listener.accepted.find(({ text }) => text.endsWith('\r\n\r\nhi')),
    )
    far.write(`HTTP/1.1 200 OK\r\nContent-Length: 2\r\n${CHUNKED}\r\n0\r\n\r\n`)
    const [answer = ''] = await requester.responses(1)
    t.equal(statusOf(answer), 502)
    t.match(fieldOf(answer, 'Proxy-Status'), 'error=http_protocol_error')
    const labels = { direction: 'inbound', message: 'response', reason: 'length-with-coding' }
    t.equal(await server.sidecar.metric(REFUSED, labels), 1)
  })
})
