import t from 'tap'
import { flowsOf, latenciesOf, parseMetrics, quantile, since, sum } from '../../demo/metrics.ts'

const TEXT = `# HELP underpass_tcp_connections_opened_total Connections that were established.
# TYPE underpass_tcp_connections_opened_total counter
underpass_tcp_connections_opened_total{direction="outbound",service="reviews.default:9080",endpoint="198.18.0.3:9080"} 7
underpass_tcp_connections_opened_total{direction="outbound",service="reviews.default:9080",endpoint="[fd00::3]:9080"} 2
underpass_tcp_connections_closed_total{direction="outbound",service="reviews.default:9080",endpoint="198.18.0.3:9080"} 5
underpass_tcp_open_connections{direction="outbound",service="reviews.default:9080",endpoint="198.18.0.3:9080"} 2
underpass_tcp_received_bytes_total{direction="outbound",service="reviews.default:9080",endpoint="198.18.0.3:9080"} 1.5e3
underpass_tcp_sent_bytes_total{direction="outbound",service="reviews.default:9080",endpoint="198.18.0.3:9080"} 4000 1700000000000
underpass_tcp_connect_failures_total{direction="outbound",service="reviews.default:9080",endpoint="198.18.0.3:9080",reason="endpoint-refused"} 3
underpass_tcp_connect_failures_total{direction="outbound",service="reviews.default:9080",endpoint="198.18.0.3:9080",reason="endpoint-timeout"} 1
underpass_tcp_connection_errors_total{direction="outbound",reason="egress-denied"} 4
underpass_tcp_connections_opened_total{direction="inbound",service="local",endpoint=""} 9
process_resident_memory_bytes 5.1e+07
`

t.test('metrics: samples with labels, exponents and time stamps are read', async (t) => {
  const samples = parseMetrics(TEXT)
  t.equal(samples.length, 11)
  t.same(samples.at(-1), { name: 'process_resident_memory_bytes', labels: {}, value: 51_000_000 })
  t.same(samples[5]?.value, 4000)
})

t.test('metrics: labels are unescaped and may hold any character', async (t) => {
  const [sample] = parseMetrics('m{a="x\\"y\\\\n\\n,}",b=""} +Inf')
  t.same(sample, { name: 'm', labels: { a: 'x"y\\n\n,}', b: '' }, value: Number.POSITIVE_INFINITY })
})

t.test('metrics: comments and what is no sample are left out', async (t) => {
  t.same(parseMetrics('# TYPE m counter\n\nHTTP/1.0 404\n{} 1\n'), [])
})

t.test('metrics: a flow holds everything of one endpoint', async (t) => {
  const [flow, six] = flowsOf(parseMetrics(TEXT))
  t.match(flow, {
    direction: 'outbound',
    service: 'reviews.default:9080',
    endpoint: '198.18.0.3:9080',
    opened: 7,
    closed: 5,
    open: 2,
    received: 1500,
    sent: 4000,
    failures: 4,
  })
  t.same(
    [...(flow?.reasons ?? [])],
    [
      ['endpoint-refused', 3],
      ['endpoint-timeout', 1],
    ],
  )
  t.match(six, { endpoint: '[fd00::3]:9080', opened: 2, failures: 0 })
})

t.test('metrics: sums and differences', async (t) => {
  const flows = flowsOf(parseMetrics(TEXT))
  const out = sum(flows.filter(({ direction }) => direction === 'outbound'))
  t.match(out, { opened: 9, closed: 5, failures: 4, errors: 4 })
  t.match(since(out, sum(flows)), { opened: 9, closed: 0, errors: 0 })
  t.match(sum([]), { opened: 0, sent: 0 })
})

const REVIEWS =
  'direction="outbound",source="unknown",service="reviews.default:9080",endpoint="198.18.0.3:9080",route="default"'
const REQUESTS = `underpass_http_requests_total{${REVIEWS},status="200"} 90
underpass_http_requests_total{${REVIEWS},status="404"} 4
underpass_http_requests_total{${REVIEWS},status="503"} 5
underpass_http_requests_total{${REVIEWS},status="0"} 1
underpass_http_active_requests{${REVIEWS}} 2
underpass_http_request_bytes_total{${REVIEWS}} 30
underpass_http_response_bytes_total{${REVIEWS}} 700
underpass_http_request_duration_seconds_bucket{${REVIEWS},le="0.001"} 50
underpass_http_request_duration_seconds_bucket{${REVIEWS},le="0.002"} 90
underpass_http_request_duration_seconds_bucket{${REVIEWS},le="0.01"} 99
underpass_http_request_duration_seconds_bucket{${REVIEWS},le="+Inf"} 100
underpass_http_refused_total{direction="outbound",message="request",reason="bare-lf"} 3
`

t.test('metrics: requests are in the flow of their connections', async (t) => {
  const flows = flowsOf(parseMetrics(TEXT + REQUESTS))
  const flow = flows.find(({ endpoint }) => endpoint === '198.18.0.3:9080')
  t.match(flow, { opened: 7, requests: 100, active: 2, failed: 6 })
  t.match(flow, { requestBytes: 30, responseBytes: 700, refused: 0 })
  t.same(flow?.statuses.get('404'), 4)
  t.equal(sum(flows).refused, 3, 'of a direction')
})

t.test('metrics: quantiles within a bucket', async (t) => {
  const latencies = latenciesOf(flowsOf(parseMetrics(REQUESTS)))
  t.equal(quantile(latencies, 0.5), 0.001)
  t.equal(quantile(latencies, 0.7), 0.0015, 'half of the way')
  t.equal(quantile(latencies, 0.99), 0.01)
  t.equal(quantile(latencies, 1), 0.01, 'no more is known')
  t.equal(quantile(new Map(), 0.5), undefined)
})

t.test('metrics: quantiles of what came since', async (t) => {
  const flows = flowsOf(parseMetrics(REQUESTS))
  const before = latenciesOf(flows)
  t.equal(quantile(latenciesOf(flows, before), 0.5), undefined, 'nothing came')
  for (const bound of [0.01, Number.POSITIVE_INFINITY]) {
    for (const { latencies } of flows) {
      if (latencies.has(bound)) latencies.set(bound, (latencies.get(bound) ?? 0) + 10)
    }
  }
  t.equal(quantile(latenciesOf(flows, before), 0.5), 0.006)
})
