import t from 'tap'
import { flowsOf, parseMetrics, since, sum } from '../../demo/metrics.ts'

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
