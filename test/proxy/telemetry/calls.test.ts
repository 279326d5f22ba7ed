// What is counted, and told to a collector, of calls of gRPC.

import t, { type Test } from 'tap'
import { ERRORS, type ErrorCode } from '../../../src/lib/errors.ts'
import { GRPC_NAMES, grpcName } from '../../../src/lib/grpc-status.ts'
import { ConnectionCounters, CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { type Exchange, NO_GRPC_STATUS } from '../../../src/proxy/stack/exchange.ts'
import { RequestCounters } from '../../../src/proxy/stack/request-counters.ts'
import { Measurement } from '../../../src/proxy/telemetry/measurement.ts'
import { Metrics } from '../../../src/proxy/telemetry/metrics.ts'
import { makeObserver } from '../../../src/proxy/telemetry/observer.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'
import { attributesOf, type CollectedSpan, openCollector } from './collector.ts'
import { type Asked, answered, exchangeOf } from './exchanges.ts'

function callOf(asked: Asked = {}): Exchange {
  const exchange = exchangeOf({ line: 'POST /shop.Cart/Add', ...asked })
  exchange.speaks = 'http2'
  exchange.isGrpc = true
  return exchange
}

/** What is counted of a call that ended so. */
function counted(call: Exchange, error?: ErrorCode): string[] {
  const counters = new ConnectionCounters('outbound', 'shop.default:80', '')
  new Measurement(new FakeClock(), counters, undefined).ended(call, error)
  const line = call.endpoint?.counters ?? counters
  return line
    .forRequests()
    .calls()
    .map(([code, count]) => `${grpcName(code)} ${count}`)
}

t.test('calls: counted by what they ended with', async (t) => {
  for (const [status, grpcStatus, name] of [
    [200, 0, 'OK'],
    [200, 5, 'NOT_FOUND'],
    [200, NO_GRPC_STATUS, 'UNKNOWN'],
    [503, NO_GRPC_STATUS, 'UNAVAILABLE'],
    [404, NO_GRPC_STATUS, 'UNIMPLEMENTED'],
    [503, 8, 'RESOURCE_EXHAUSTED'],
  ] as const) {
    const call = answered(callOf(), status)
    call.grpcStatus = grpcStatus
    t.same(counted(call), [`${name} 1`])
    t.equal(grpcName(call.grpcStatus), name, 'for those who look at it afterwards')
  }
  const plain = answered(exchangeOf(), 200)
  plain.grpcStatus = 14
  t.same(counted(plain), [])
})

t.test('calls: those that the mesh could not carry, by the code of the error', async (t) => {
  for (const error of Object.keys(ERRORS) as ErrorCode[]) {
    if (error === 'fault-injected') continue
    const call = callOf()
    // A head may have come before it.
    call.grpcStatus = 0
    t.same(counted(call, error), [`${grpcName(ERRORS[error].grpc)} 1`], error)
  }
  const faulted = callOf()
  faulted.status = 429
  t.same(counted(faulted, 'fault-injected'), ['UNAVAILABLE 1'])
  t.same(counted(callOf(), 'downstream-reset'), ['CANCELLED 1'])
})

t.test('calls: a line without any has none, and no code is out of bounds', async (t) => {
  const requests = new RequestCounters()
  requests.record(200, 1, 0, 0)
  t.same(requests.calls(), [])
  for (const code of [0, 16, 17, 99, -1, 0]) requests.recordCall(code)
  t.same(requests.calls(), [
    [0, 2],
    [2, 3],
    [16, 1],
  ])
})

t.test('calls: counting them allocates nothing', async (t) => {
  const requests = new RequestCounters()
  const round = (count: number): number => {
    const before = process.memoryUsage().heapUsed
    for (let i = 0; i < count; i += 1) requests.recordCall(i % GRPC_NAMES.length)
    return process.memoryUsage().heapUsed - before
  }
  for (let i = 0; i < 20; i += 1) round(20_000)
  const grown = Array.from({ length: 9 }, () => round(20_000)).sort((one, other) => one - other)
  t.ok((grown[4] ?? Infinity) < 20_000, `${grown.join(' ')} bytes`)
})

t.test('calls: the metric has them by name', async (t) => {
  const counters = new CounterRegistry()
  const line = counters.of('outbound', 'shop.default:80', '198.18.0.7:80')
  for (const code of [0, 14, 0]) {
    line.forRequests().record(200, 1, 0, 0)
    line.forRequests().recordCall(code)
  }
  line.forRequests('cart').record(200, 1, 0, 0)
  const metrics = new Metrics(counters, () => 0)
  t.teardown(() => {
    metrics.stop()
  })
  const page = await metrics.page()
  const labels =
    'direction="outbound",source="unknown",service="shop.default:80",endpoint="198.18.0.7:80",route="default"'
  t.same(
    page.split('\n').filter((each) => each.startsWith('underpass_grpc_')),
    [
      `underpass_grpc_requests_total{${labels},grpc_status="OK"} 2`,
      `underpass_grpc_requests_total{${labels},grpc_status="UNAVAILABLE"} 1`,
    ],
  )
  t.ok(page.includes('\n# TYPE underpass_grpc_requests_total counter\n'))
})

/** The span of each, as a collector gets it. */
async function spansOf(t: Test, ...calls: readonly Exchange[]): Promise<CollectedSpan[]> {
  const collector = await openCollector(t)
  const clock = new FakeClock()
  const tracing = { endpoint: collector.url, sample: 1 }
  const settings = { workload: 'web.shop', accessLog: 'off', tracing } as const
  const observer = await makeObserver(settings, clock, () => 0.5, logLines().log)
  if (observer === undefined) throw new Error('nobody observes')
  t.teardown(() => {
    void observer.stop()
    clock.advance(2000)
  })
  for (const call of calls) {
    observer.began(call)
    observer.ended(call)
  }
  clock.advance(1000)
  await until('the spans', () => collector.spans.length === calls.length)
  return collector.spans
}

function ended(asked: Asked, grpcStatus: number, status = 200): Exchange {
  const call = answered(callOf(asked), status)
  call.grpcStatus = grpcStatus
  return call
}

t.test('calls: a span', async (t) => {
  const [span] = await spansOf(t, ended({ authority: 'shop:80' }, 5))
  if (span === undefined) throw new Error('no span')
  t.equal(span.name, 'shop.Cart/Add')
  t.equal(span.kind, 3, 'CLIENT')
  t.equal(span.status.code, 2)
  t.same(attributesOf(span), {
    'http.request.method': 'POST',
    'url.scheme': 'http',
    'url.path': '/shop.Cart/Add',
    'url.full': 'http://shop:80/shop.Cart/Add',
    'server.address': 'shop',
    'server.port': 80,
    'http.response.status_code': 200,
    'network.protocol.name': 'http',
    'network.protocol.version': '2',
    'network.peer.address': '198.18.0.7',
    'network.peer.port': 8080,
    'rpc.system': 'grpc',
    'rpc.service': 'shop.Cart',
    'rpc.method': 'Add',
    'rpc.grpc.status_code': 5,
    'error.type': 'NOT_FOUND',
    'underpass.service': 'shop.default:80',
  })
})

t.test('calls: which codes are errors, of a client and of a server', async (t) => {
  const errors = async (direction: 'inbound' | 'outbound'): Promise<string[]> => {
    const calls = GRPC_NAMES.map((_, code) => ended({ direction }, code))
    const spans = await spansOf(t, ...calls)
    return GRPC_NAMES.filter((_, code) => {
      const found = spans.find((each) => attributesOf(each)['rpc.grpc.status_code'] === code)
      return found?.status.code === 2
    })
  }
  t.same(await errors('outbound'), GRPC_NAMES.slice(1))
  t.same(await errors('inbound'), [
    ...['UNKNOWN', 'DEADLINE_EXCEEDED', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS'],
  ])
})

t.test('calls: spans of those that failed, and of methods that nobody has', async (t) => {
  const failed = callOf({ line: 'POST /a/b/c' })
  failed.error = 'no-endpoints'
  failed.status = 503
  failed.grpcStatus = 14
  const [span, unknown, strange, plain] = await spansOf(
    t,
    failed,
    ended({ line: 'POST /shop.Cart/Nothing' }, 12),
    ended({ line: 'POST /shop.Cart/Add%20' }, 0),
    ended({}, 14, 503),
  )
  if (span === undefined || unknown === undefined) throw new Error('no span')
  if (strange === undefined || plain === undefined) throw new Error('no span')
  t.equal(span.name, 'POST')
  const attributes = attributesOf(span)
  t.match(attributes, { 'error.type': 'no-endpoints', 'rpc.grpc.status_code': 14 })
  t.notOk('http.response.status_code' in attributes, 'it was answered with 200')
  t.notOk('rpc.method' in attributes)
  t.equal(unknown.name, 'POST', 'names are few')
  t.equal(strange.name, 'POST')
  t.equal(strange.status.code, 0)
  t.match(attributesOf(plain), { 'http.response.status_code': 503, 'error.type': '503' })
})
