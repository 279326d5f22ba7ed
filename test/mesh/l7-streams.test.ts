// What is more than a request and its answer: WebSocket, server-sent events, many requests in one segment, an answer
// that comes before its request is over, through two sidecars.

import t from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import type { RemoteListener, RemoteSocket } from '../support/agent.ts'
import { bodyOf, fieldOf, RemoteClient, statusOf } from '../support/http-remote.ts'
import { service } from '../support/manifests.ts'
import { Mesh } from '../support/mesh.ts'
import { until } from '../support/until.ts'
import { WebServer } from '../support/web-server.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l7-streams'

const IP = '198.19.0.10'
const IP6 = 'fd00:1::10'
const REQUESTS = 'underpass_http_requests_total'

t.test('l7: streams', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const [client, server] = await Promise.all([mesh.meshed('client'), mesh.meshed('server')])
  const web = await WebServer.start(mesh, server)
  const endpoints = [{ ip: server.ip }]
  const raw = { name: 'raw', ips: ['198.19.0.11'], port: 80, target: 8090, endpoints }
  const shop = { name: 'shop', ips: [IP, IP6], port: 80, target: 8080, endpoints }
  await mesh.publish('shop.yaml', [...service(shop), ...service(raw)])
  const { agent, sidecar } = client

  await t.test('l7: WebSocket: every message comes back, the close code too', async (t) => {
    for (const host of [IP, `[${IP6}]`]) {
      const program = ['node', 'build/test/support/websocket-program.js', `ws://${host}/echo`, '40']
      const { stdout } = await client.run(...program)
      t.equal(stdout, '40 4001\n', host)
    }
    for (const each of [sidecar, server.sidecar]) {
      await until(
        'they are counted',
        async () => (await each.metric(REQUESTS, { status: '101' })) === 2,
      )
    }
  })

  await t.test('l7: WebSocket: ten clients at once, and a server that ends them', async (t) => {
    const program = ['node', 'build/test/support/websocket-program.js', `ws://${IP}/echo`, '10']
    const done = await Promise.all(
      Array.from({ length: 10 }, async () => await client.run(...program)),
    )
    t.same(new Set(done.map(({ stdout }) => stdout)), new Set(['10 4001\n']))
    const listener = await server.agent.listen(8090)
    const socket = await agent.connect('198.19.0.11', 80)
    const fields = 'Host: raw\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n'
    socket.write(`GET / HTTP/1.1\r\n${fields}first words`)
    const far = await asked(listener)
    t.notMatch(far.text, /first words/, 'they wait for the answer')
    far.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhello',
    )
    await far.reads('first words')
    await socket.reads('hello')
    far.do('reset')
    t.equal(await socket.over(), 'ECONNRESET')
    listener.close()
  })

  await t.test('l7: server-sent events arrive one by one', async (t) => {
    const reader = client.pod.start(APP_UID, ['curl', '-sSN', '-m', '20', `http://${IP}/events`])
    await until('it is connected', async () => {
      return (await server.sidecar.metric('underpass_http_active_requests')) === 1
    })
    const took: number[] = []
    for (let each = 0; each < 50; each += 1) {
      const start = performance.now()
      web.say(`event ${each}`)
      // Nothing more is sent before this one has arrived.
      await reader.prints(new RegExp(`data: event ${each}\\n\\n`), 2000)
      took.push(performance.now() - start)
    }
    const median = took.sort((one, other) => one - other)[25] ?? Infinity
    t.ok(median < 30, `${median} ms`)
    t.comment(`an event takes ${median.toFixed(1)} ms`)
    reader.process.kill('SIGTERM')
    // A client that has sent all it has to say may still be listening: the next event finds out.
    await until('the server hears that it is gone', async () => {
      web.say('anybody there?')
      return (await server.sidecar.metric('underpass_http_active_requests')) === 0
    })
  })

  await t.test('l7: many requests in one segment are answered in their order', async (t) => {
    const requester = await RemoteClient.open(agent, IP, 80)
    const one = (at: number): string => {
      const body = 'x'.repeat(at)
      return at % 3 === 0
        ? `POST /sum HTTP/1.1\r\nHost: shop\r\nContent-Length: ${at}\r\n\r\n${body}`
        : `GET /?ms=${(at * 7) % 5} HTTP/1.1\r\nHost: shop\r\n\r\n`
    }
    const before = await web.state()
    requester.socket.write(Array.from({ length: 100 }, (_, at) => one(at)).join(''))
    const all = await requester.responses(100)
    t.same(new Set(all.map(statusOf)), new Set([200]))
    const expected = all.map((_, at) => (at % 3 === 0 ? `${at}` : 'server'))
    t.same(
      all.map((each) => bodyOf(each).split(' ')[0]),
      expected,
    )
    t.equal((await web.state()).requests - before.requests, 100)
    const end = await requester.get('/', 'Connection: close\r\n')
    t.equal(fieldOf(end, 'connection'), 'close')
    await until('its end', () => requester.socket.ended)
    requester.socket.do('end')
    t.equal(await requester.socket.over(), '')
  })

  await t.test('l7: an early answer reaches a client that is still sending', async (t) => {
    const listener = await server.agent.listen(8090)
    const requester = await RemoteClient.open(agent, '198.19.0.11', 80)
    requester.socket.write('POST / HTTP/1.1\r\nHost: raw\r\nContent-Length: 1000\r\n\r\nabc')
    const far = await asked(listener)
    await far.reads('abc')
    far.write('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n')
    await requester.socket.reads('</a.css>\r\n\r\n')
    far.write('HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno')
    far.do('end')
    t.same((await requester.responses(2)).map(statusOf), [103, 413])
    listener.close()
  })

  await t.test('l7: trailers pass, in both directions', async (t) => {
    const listener = await server.agent.listen(8090)
    const requester = await RemoteClient.open(agent, '198.19.0.11', 80)
    const chunked = 'Transfer-Encoding: chunked\r\n'
    const head = `POST / HTTP/1.1\r\nHost: raw\r\nTE: trailers\r\nTrailer: X-Sum\r\n${chunked}`
    requester.socket.write(`${head}\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n`)
    const far = await asked(listener)
    await far.reads('X-Sum: 42\r\n\r\n')
    far.write(
      `HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n${chunked}\r\n2\r\nok\r\n0\r\nX-Sum: 43\r\n\r\n`,
    )
    await requester.socket.reads('X-Sum: 43\r\n\r\n')
    t.equal(statusOf(requester.socket.text), 200)
    listener.close()
  })
})

/** The connection that a request came on: one that was made before it was known what is spoken is none. */
async function asked(listener: RemoteListener): Promise<RemoteSocket> {
  return await until('a request', () =>
    listener.accepted.find(({ text }) => text.includes('\r\n\r\n')),
  )
}
