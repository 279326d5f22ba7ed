// What two sidecars say of a known number of requests: metrics, access log, traces; and of what they answer themselves.

import t from 'tap'
import { APP_UID } from '../../demo/pods/network.ts'
import { insideWorld } from '../../demo/pods/world.ts'
import type { CollectedSpan } from '../support/collector-program.ts'
import { bodyOf, fieldOf, RemoteClient, statusOf } from '../support/http-remote.ts'
import { policy, service } from '../support/manifests.ts'
import { Mesh, type SidecarPod } from '../support/mesh.ts'
import { until } from '../support/until.ts'
import { WebServer } from '../support/web-server.ts'

const skip = insideWorld() ? false : 'needs a world: npm test -- mesh/l7-telemetry'

const IP = '198.19.0.10'
const REQUESTS = 'underpass_http_requests_total'
const DURATION = 'underpass_http_request_duration_seconds'
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const CLIENT = 3
const SERVER = 2

t.test('l7: telemetry', { skip }, async (t) => {
  const mesh = await Mesh.open(t)
  const collector = await mesh.plain('collector')
  const tracing = { endpoint: `http://${collector.ip}:4318`, sample: 0 }
  const config = { accessLog: 'json', tracing }
  const [client, quiet, server] = await Promise.all([
    mesh.meshed('client', { config: { ...config, workload: 'front.shop' } }),
    mesh.meshed('quiet'),
    mesh.meshed('server', { config: { ...config, workload: 'shop.default' } }),
  ])
  await WebServer.start(mesh, server)
  const spans = collector.pod.start(APP_UID, [
    'node',
    'build/test/support/collector-program.js',
    '4318',
  ])
  await spans.prints(/"listening"/)
  const endpoint = `${server.ip}:8080`
  const endpoints = [{ ip: server.ip }]
  const shop = { name: 'shop', ips: [IP], port: 80, target: 8080, endpoints }
  const empty = { name: 'empty', ips: ['198.19.0.11'], port: 80, endpoints: [] }
  const refused = {
    name: 'refused',
    ips: ['198.19.0.12'],
    port: 81,
    endpoints: [{ ip: collector.ip }],
  }
  const silent = { ...refused, name: 'silent', ips: ['198.19.0.13'], port: 82 }
  const hasty = policy('silent', { timeouts: { connect: '200ms' } })
  const absent = { name: 'absent', ips: ['198.19.0.14'], port: 83, endpoints }
  await mesh.publish('shop.yaml', [
    ...[shop, empty, refused, silent, absent].flatMap(service),
    hasty,
  ])
  const open = async ({ agent }: SidecarPod): Promise<RemoteClient> =>
    await RemoteClient.open(agent, IP, 80)

  await t.test('l7: metrics of a known number of requests, on both sides', async (t) => {
    const requester = await open(quiet)
    const get = 'GET / HTTP/1.1\r\nHost: shop\r\n\r\n'
    const post = 'POST /sum HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello'
    const missing = 'GET /status?code=404 HTTP/1.1\r\nHost: shop\r\n\r\n'
    const broken = 'GET /status?code=503 HTTP/1.1\r\nHost: shop\r\n\r\n'
    const texts = [...Array<string>(7).fill(get), post, post, post, missing, missing, broken]
    for (const text of texts) await requester.ask(text)
    const out = { direction: 'outbound', service: 'shop.default:80', endpoint, source: 'unknown' }
    const within = { direction: 'inbound', service: 'local', route: 'default' }
    const sides = [
      { sidecar: quiet.sidecar, labels: out },
      { sidecar: server.sidecar, labels: within },
    ]
    for (const { sidecar, labels } of sides) {
      const of = async (name: string, more = {}): Promise<number> =>
        await sidecar.metric(name, { ...labels, ...more })
      const shares = await Promise.all(
        ['200', '404', '503'].map(async (status) => await of(REQUESTS, { status })),
      )
      t.same(shares, [10, 2, 1], labels.direction)
      t.equal(await of(REQUESTS), 13)
      t.equal(await of(`${DURATION}_count`), 13)
      t.equal(await of(`${DURATION}_bucket`, { le: '60' }), 13)
      const seconds = await of(`${DURATION}_sum`)
      t.ok(seconds > 0 && seconds < 5, `${seconds} s`)
      t.ok((await of('underpass_http_response_bytes_total')) > 7 * 'server'.length)
      t.equal(await of('underpass_http_active_requests'), 0)
      t.equal(await of('underpass_http_request_failures_total'), 0)
    }
    const bytes = await quiet.sidecar.metric('underpass_http_request_bytes_total', out)
    t.equal(bytes, texts.join('').length)
  })

  await t.test('l7: the access log has a line for each request, when switched on', async (t) => {
    const requester = await open(client)
    await requester.ask('POST /sum?q=1 HTTP/1.1\r\nHost: shop\r\nContent-Length: 5\r\n\r\nhello')
    const request = { event: 'request', method: 'POST', target: '/sum?q=1', authority: 'shop' }
    const near = await client.sidecar.logs({ ...request, direction: 'outbound' })
    t.match(near, { service: 'shop.default:80', endpoint, status: 200, attempts: 1 })
    t.match(near, { milliseconds: Number, requestBytes: Number, responseBytes: Number })
    const far = await server.sidecar.logs({ ...request, direction: 'inbound' })
    t.match(far, { service: 'local', status: 200, source: client.ip })
    t.same(quiet.sidecar.find({ event: 'request' }), [], 'and none where it is off')
  })

  await t.test('l7: a traceparent passes untouched where tracing is off', async (t) => {
    const bare = await mesh.meshed('bare')
    await WebServer.start(mesh, bare)
    const requester = await RemoteClient.open(quiet.agent, bare.ip, 8080)
    const fields = `tracePARENT: 00-${TRACE}-${SPAN}-01\r\ntracestate: a=1,b=2\r\n`
    const seen = JSON.parse(bodyOf(await requester.get('/headers', fields))) as string[]
    const traced = ['tracePARENT', `00-${TRACE}-${SPAN}-01`, 'tracestate', 'a=1,b=2']
    t.same(seen.slice(2), traced)
    const without = JSON.parse(bodyOf(await requester.get('/headers'))) as string[]
    t.same(without.slice(2), [], 'and none is made up')
  })

  await t.test('l7: one trace with a span of each side, one under the other', async (t) => {
    const requester = await open(client)
    const answer = await requester.get('/headers', `traceparent: 00-${TRACE}-${SPAN}-01\r\n`)
    const collected = await until('two spans', () => {
      const lines = spans.stdout.split('\n').filter((line) => line.startsWith('{'))
      const all = lines.map((line) => JSON.parse(line) as CollectedSpan)
      return all.length >= 2 && all
    })
    const near = collected.find(({ kind }) => kind === CLIENT)
    const far = collected.find(({ kind }) => kind === SERVER)
    t.match(near, { service: 'front.shop', traceId: TRACE, parentSpanId: SPAN })
    t.match(far, { service: 'shop.default', traceId: TRACE, parentSpanId: near?.spanId })
    t.not(near?.spanId, far?.spanId)
    const seen = JSON.parse(bodyOf(answer)) as string[]
    t.ok(seen.includes(`00-${TRACE}-${far?.spanId}-01`), 'the application goes on under the last')
    t.equal(collected.length, 2, 'those before had no traceparent, and the sample is 0')
    const line = await client.sidecar.logs({ event: 'request', target: '/headers' })
    t.equal(line['traceId'], TRACE)
  })

  await t.test('l7: what the proxy answers itself says why', async (t) => {
    const drop = ['INPUT', '-p', 'tcp', '--dport', '82', '-j', 'DROP']
    await collector.root('iptables', '-A', ...drop)
    const cases = [
      [empty, 503, 'destination_unavailable', 'no-endpoints'],
      [refused, 502, 'connection_refused', 'endpoint-refused'],
      [silent, 504, 'connection_timeout', 'endpoint-timeout'],
      [absent, 502, 'connection_refused', 'endpoint-refused'],
    ] as const
    for (const [{ name, ips, port }, status, type, error] of cases) {
      const requester = await RemoteClient.open(client.agent, ips[0] ?? '', port)
      const answer = await requester.get(`/${name}`)
      t.equal(statusOf(answer), status, name)
      const said = fieldOf(answer, 'Proxy-Status')
      t.ok(said.startsWith(`underpass; error=${type}; details="${error}`), said)
      const labels = { direction: 'outbound', service: `${name}.default:${port}` }
      t.equal(await client.sidecar.metric(REQUESTS, { ...labels, status: `${status}` }), 1)
      const failures = 'underpass_http_request_failures_total'
      t.equal(await client.sidecar.metric(failures, { ...labels, reason: error }), 1, error)
      const line = await client.sidecar.logs({ event: 'request', target: `/${name}` })
      t.match(line, { status, error, direction: 'outbound' })
      t.equal(statusOf(await requester.get('/again')), status, 'and the connection lives on')
    }
  })
})
