import { AggregatorRegistry } from 'prom-client'
import t, { type Test } from 'tap'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { ResilienceCounters } from '../../../src/proxy/stack/resilience-counters.ts'
import type { Application } from '../../../src/proxy/telemetry/admission-metrics.ts'
import { Metrics, type MetricsContext } from '../../../src/proxy/telemetry/metrics.ts'

function open(t: Test, context?: MetricsContext): Metrics {
  const metrics = new Metrics(new CounterRegistry(), () => 0, context)
  t.teardown(() => {
    metrics.stop()
  })
  return metrics
}

const NAMES = /^underpass_(?:admission_|http_requests_shed|http_deadlines)/
const shown = (page: string): string[] => page.split('\n').filter((line) => NAMES.test(line))

function context(applications: readonly Application[]): MetricsContext {
  const [local, shop] = [new ResilienceCounters(), new ResilienceCounters()]
  ResilienceCounters.count(local.shed, 'overloaded')
  ResilienceCounters.count(local.shed, 'overloaded')
  ResilienceCounters.count(local.shed, 'deadline-unmeetable')
  ResilienceCounters.count(local.expired, 'x-envoy-expected-rq-timeout-ms')
  ResilienceCounters.count(shop.expired, 'trace')
  ResilienceCounters.count(shop.expired, 'route')
  return {
    services: () => [
      { direction: 'outbound', service: 'shop.default:80', resilience: shop },
      { direction: 'inbound', service: 'local', resilience: local },
    ],
    applications: () => applications,
  }
}

const COUNTED = [
  'underpass_http_requests_shed_total{direction="inbound",service="local",reason="overloaded"} 2',
  'underpass_http_requests_shed_total{direction="inbound",service="local",reason="deadline-unmeetable"} 1',
  'underpass_http_deadlines_exceeded_total{direction="outbound",service="shop.default:80",source="trace"} 1',
  'underpass_http_deadlines_exceeded_total{direction="outbound",service="shop.default:80",source="route"} 1',
  'underpass_http_deadlines_exceeded_total{direction="inbound",service="local",source="x-envoy-expected-rq-timeout-ms"} 1',
]

t.test('admission metrics: the page, line by line', async (t) => {
  const metrics = open(
    t,
    context([
      { endpoint: '127.0.0.1:8080', limit: 10, active: 10, waiting: 3 },
      { endpoint: '', limit: 20, active: 5, waiting: 0 },
      { endpoint: '', limit: 30, active: 1, waiting: 2 },
    ]),
  )
  const lines = (name: string, ...values: readonly number[]): string[] =>
    ['127.0.0.1:8080', ''].map(
      (endpoint, at) =>
        `underpass_admission_${name}{service="local",endpoint="${endpoint}"} ${values[at] ?? NaN}`,
    )
  const expected = [
    ...lines('limit', 10, 50),
    ...lines('active_requests', 10, 6),
    ...lines('waiting_requests', 3, 2),
    ...COUNTED,
  ]
  t.same(shown(await metrics.page()), expected)
  t.same(shown(await metrics.page()), expected, 'reading twice does not count twice')
})

t.test('admission metrics: without a limit there is none to show', async (t) => {
  const metrics = open(t, context([{ endpoint: '', limit: Infinity, active: 4, waiting: 0 }]))
  t.same(shown(await metrics.page()), [
    'underpass_admission_active_requests{service="local",endpoint=""} 4',
    'underpass_admission_waiting_requests{service="local",endpoint=""} 0',
    ...COUNTED,
  ])
})

t.test('admission metrics: nothing to show', async (t) => {
  t.same(shown(await open(t).page()), [])
})

t.test('admission metrics: workers are summed', async (t) => {
  const one = open(t, context([{ endpoint: '', limit: 10, active: 4, waiting: 1 }]))
  const all = [await one.figures(), await one.figures()].map((figures) => [...figures])
  const page = await AggregatorRegistry.aggregate(all).metrics()
  t.match(page, 'underpass_admission_limit{service="local",endpoint=""} 20')
  t.match(
    page,
    'underpass_http_requests_shed_total{direction="inbound",service="local",reason="overloaded"} 4',
  )
})
