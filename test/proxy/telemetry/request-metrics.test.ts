import { AggregatorRegistry } from 'prom-client'
import t, { type Test } from 'tap'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { Metrics, type MetricsContext } from '../../../src/proxy/telemetry/metrics.ts'

function open(t: Test, counters: CounterRegistry, context?: MetricsContext): Metrics {
  const metrics = new Metrics(counters, () => 0, context)
  t.teardown(() => {
    metrics.stop()
  })
  return metrics
}

/** The page's lines about requests, without help. */
function shown(page: string, prefix = 'underpass_http_'): string[] {
  return page.split('\n').filter((line) => line.startsWith(prefix))
}

const LINE = 'service="shop.default:80",endpoint="198.18.0.7:80",route="default"'
const OUT = `direction="outbound",source="web.shop",${LINE}`

/** A registry whose line has had requests of two statuses. */
function used(): CounterRegistry {
  const counters = new CounterRegistry()
  const requests = counters.of('outbound', 'shop.default:80', '198.18.0.7:80').forRequests()
  requests.record(503, 0.25, 0, 5)
  requests.record(200, 1.5, 100, 2000)
  requests.record(200, 61_000, 0, 0)
  requests.countFailure('endpoint-refused')
  requests.active = 3
  requests.resends = 2
  counters.countRefusal('inbound', 'request', 'bare-lf')
  counters.countRefusal('inbound', 'request', 'bare-lf')
  counters.countRefusal('outbound', 'response', 'length-repeated')
  return counters
}

t.test('request metrics: the page, line by line', async (t) => {
  const page = await open(t, used(), { workload: 'web.shop' }).page()
  const name = 'underpass_http_request_duration_seconds'
  const lines = shown(page).filter((line) => !line.startsWith(name))
  t.same(lines, [
    `underpass_http_requests_total{${OUT},status="200"} 2`,
    `underpass_http_requests_total{${OUT},status="503"} 1`,
    `underpass_http_request_failures_total{${OUT},reason="endpoint-refused"} 1`,
    `underpass_http_request_bytes_total{${OUT}} 100`,
    `underpass_http_response_bytes_total{${OUT}} 2005`,
    `underpass_http_active_requests{${OUT}} 3`,
    `underpass_http_resends_total{${OUT}} 2`,
    'underpass_http_refused_total{direction="inbound",message="request",reason="bare-lf"} 2',
    'underpass_http_refused_total{direction="outbound",message="response",reason="length-repeated"} 1',
  ])
  const histogram = shown(page, name)
  t.equal(histogram.length, 31)
  t.same(histogram.slice(0, 4), [
    `${name}_bucket{${OUT},le="0.0005"} 1`,
    `${name}_bucket{${OUT},le="0.001"} 1`,
    `${name}_bucket{${OUT},le="0.002"} 2`,
    `${name}_bucket{${OUT},le="0.003"} 2`,
  ])
  t.same(histogram.slice(-4), [
    `${name}_bucket{${OUT},le="60"} 2`,
    `${name}_bucket{${OUT},le="+Inf"} 3`,
    `${name}_sum{${OUT}} 61.00175`,
    `${name}_count{${OUT}} 3`,
  ])
  for (const [metric, type] of [
    ['requests_total', 'counter'],
    ['request_duration_seconds', 'histogram'],
    ['active_requests', 'gauge'],
  ] as const) {
    t.ok(page.includes(`\n# TYPE underpass_http_${metric} ${type}\n`), metric)
  }
})

t.test('request metrics: every route has its own samples', async (t) => {
  const counters = new CounterRegistry()
  const line = counters.of('outbound', 'shop.default:80', '198.18.0.7:80')
  line.forRequests('cart').record(200, 1, 0, 0)
  line.forRequests('checkout').active = 2
  line.forRequests('checkout').countFailure('deadline-exceeded')
  line.forRequests('unused')
  const label = (route: string): string =>
    `direction="outbound",source="unknown",service="shop.default:80",endpoint="198.18.0.7:80",route="${route}"`
  const page = async (): Promise<string[]> => shown(await open(t, counters).page())
  const samples = (name: string, lines: string[]): string[] =>
    lines.filter((each) => each.startsWith(`underpass_http_${name}{`))
  const first = await page()
  t.same(samples('requests_total', first), [
    `underpass_http_requests_total{${label('cart')},status="200"} 1`,
  ])
  t.same(samples('active_requests', first), [
    `underpass_http_active_requests{${label('cart')}} 0`,
    `underpass_http_active_requests{${label('checkout')}} 2`,
  ])
  t.same(samples('request_failures_total', first), [
    `underpass_http_request_failures_total{${label('checkout')},reason="deadline-exceeded"} 1`,
  ])
  t.notMatch(first.join(), /unused|default",/)
  line.forRequests().record(404, 1, 0, 0)
  t.same(samples('requests_total', await page()), [
    `underpass_http_requests_total{${label('default')},status="404"} 1`,
    `underpass_http_requests_total{${label('cart')},status="200"} 1`,
  ])
})

t.test('request metrics: reading twice does not count twice', async (t) => {
  const metrics = open(t, used())
  const first = shown(await metrics.page())
  t.same(shown(await metrics.page()), first)
  t.ok(first.length > 0)
})

t.test('request metrics: the source is the workload outbound, and unknown otherwise', async (t) => {
  const counters = new CounterRegistry()
  counters.of('inbound', 'local', '').forRequests().record(200, 1, 0, 0)
  counters.of('outbound', 'a.b:1', '').forRequests().record(200, 1, 0, 0)
  const sources = async (workload: string): Promise<(string | undefined)[]> =>
    shown(await open(t, counters, { workload }).page(), 'underpass_http_requests_total').map(
      (line) => /direction="\w+",source="[^"]*"/.exec(line)?.[0],
    )
  t.same(await sources('web.shop'), [
    'direction="inbound",source="unknown"',
    'direction="outbound",source="web.shop"',
  ])
  t.same(await sources(''), [
    'direction="inbound",source="unknown"',
    'direction="outbound",source="unknown"',
  ])
})

t.test('request metrics: lines without requests do not appear', async (t) => {
  const counters = new CounterRegistry()
  counters.of('outbound', 'tcp.default:1', '198.18.0.8:1').opened = 1
  counters.of('outbound', 'idle.default:1', '198.18.0.9:1').forRequests()
  t.same(shown(await open(t, counters).page()), [])
})

t.test('request metrics: those of two processes are summed', async (t) => {
  const other = used()
  other.of('outbound', 'shop.default:80', '198.18.0.7:80').forRequests().record(200, 1.5, 1, 1)
  other.of('inbound', 'local', '').forRequests().record(404, 8, 0, 0)
  const both = await Promise.all(
    [used(), other].map((counters) => open(t, counters, { workload: 'web.shop' }).figures()),
  )
  // As it arrives from another process.
  const sent = JSON.parse(JSON.stringify(both)) as object[]
  const page = await AggregatorRegistry.aggregate(sent).metrics()
  const value = (sample: string): number | undefined => {
    const found = page.split('\n').find((line) => line.startsWith(`${sample} `))
    return found === undefined ? undefined : Number(found.slice(sample.length + 1))
  }
  const name = 'underpass_http_request_duration_seconds'
  const local = 'direction="inbound",source="unknown",service="local",endpoint="",route="default"'
  t.equal(value(`underpass_http_requests_total{${OUT},status="200"}`), 5)
  t.equal(value(`underpass_http_requests_total{${local},status="404"}`), 1)
  t.equal(value(`${name}_bucket{${OUT},le="0.001"}`), 2)
  t.equal(value(`${name}_bucket{${OUT},le="0.002"}`), 5)
  t.equal(value(`${name}_bucket{${OUT},le="+Inf"}`), 7)
  t.equal(value(`${name}_count{${OUT}}`), 7)
  t.equal(value(`${name}_bucket{${local},le="0.0075"}`), 0)
  t.equal(value(`${name}_bucket{${local},le="0.01"}`), 1)
  t.equal(value(`underpass_http_active_requests{${OUT}}`), 6)
  t.equal(
    value('underpass_http_refused_total{direction="inbound",message="request",reason="bare-lf"}'),
    4,
  )
  t.ok(page.includes(`\n# TYPE ${name} histogram\n`))
})

t.test('request metrics: spans are there when something is traced', async (t) => {
  const counters = new CounterRegistry()
  const spans = { exported: 7, dropped: new Map([['queue-full' as const, 2]]) }
  t.same(shown(await open(t, counters, { spans }).page(), 'underpass_trace_'), [
    'underpass_trace_spans_exported_total 7',
    'underpass_trace_spans_dropped_total{reason="queue-full"} 2',
  ])
  t.same(shown(await open(t, counters).page(), 'underpass_trace_'), [])
})
