import { AggregatorRegistry } from 'prom-client'
import t, { type Test } from 'tap'
import { H2Error } from '../../../src/proxy/http/h2/protocol.ts'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { Metrics } from '../../../src/proxy/telemetry/metrics.ts'

function open(t: Test, counters: CounterRegistry): Metrics {
  const metrics = new Metrics(counters, () => 0)
  t.teardown(() => {
    metrics.stop()
  })
  return metrics
}

const shown = (page: string): string[] =>
  page.split('\n').filter((line) => line.startsWith('underpass_http2_'))

function counted(): CounterRegistry {
  const counters = new CounterRegistry()
  const clients = counters.http2Of('outbound', 'downstream')
  clients.connectionOpened()
  clients.connectionOpened()
  clients.connectionClosed()
  for (let opened = 0; opened < 5; opened++) clients.streamOpened()
  for (let closed = 0; closed < 3; closed++) clients.streamClosed()
  clients.resetReceived(H2Error.cancel)
  clients.resetReceived(H2Error.cancel)
  clients.resetReceived(0xdead_beef)
  clients.resetReceived(14)
  clients.resetSent(H2Error.refusedStream)
  clients.goawaySent(H2Error.enhanceYourCalm)
  clients.limit('reset-share')
  const endpoints = counters.http2Of('inbound', 'upstream')
  endpoints.connectionOpened()
  endpoints.goawayReceived(H2Error.none)
  endpoints.limit('ping-timeout')
  endpoints.limit('ping-timeout')
  return counters
}

t.test('http2 metrics: the page, line by line', async (t) => {
  const metrics = open(t, counted())
  const clients = 'direction="outbound",role="downstream"'
  const endpoints = 'direction="inbound",role="upstream"'
  const expected = [
    `underpass_http2_open_connections{${clients}} 1`,
    `underpass_http2_open_connections{${endpoints}} 1`,
    `underpass_http2_open_streams{${clients}} 2`,
    `underpass_http2_open_streams{${endpoints}} 0`,
    `underpass_http2_streams_total{${clients}} 5`,
    `underpass_http2_streams_total{${endpoints}} 0`,
    `underpass_http2_resets_total{${clients},way="received",error="CANCEL"} 2`,
    `underpass_http2_resets_total{${clients},way="received",error="other"} 2`,
    `underpass_http2_resets_total{${clients},way="sent",error="REFUSED_STREAM"} 1`,
    `underpass_http2_goaways_total{${clients},way="sent",error="ENHANCE_YOUR_CALM"} 1`,
    `underpass_http2_goaways_total{${endpoints},way="received",error="NO_ERROR"} 1`,
    `underpass_http2_limits_exceeded_total{${clients},limit="reset-share"} 1`,
    `underpass_http2_limits_exceeded_total{${endpoints},limit="ping-timeout"} 2`,
  ]
  t.same(shown(await metrics.page()), expected)
  t.same(shown(await metrics.page()), expected, 'reading twice does not count twice')
})

t.test('http2 metrics: nothing to show where nobody spoke HTTP/2', async (t) => {
  t.same(shown(await open(t, new CounterRegistry()).page()), [])
})

t.test('http2 metrics: every code of the protocol has its own line', async (t) => {
  const counters = new CounterRegistry()
  const line = counters.http2Of('inbound', 'downstream')
  line.connectionOpened()
  const codes: readonly number[] = Object.values(H2Error)
  for (const code of codes) line.resetSent(code)
  t.same(
    line.resets('sent'),
    codes.map((code) => [code, 1]),
  )
  t.same(line.resets('received'), [])
  t.equal(counters.http2Of('inbound', 'downstream'), line, 'one object for each side')
  t.not(counters.http2Of('inbound', 'upstream'), line)
})

t.test('http2 metrics: workers are summed', async (t) => {
  const metrics = open(t, counted())
  const all = [await metrics.figures(), await metrics.figures()].map((figures) => [...figures])
  const page = await AggregatorRegistry.aggregate(all).metrics()
  t.match(page, 'underpass_http2_streams_total{direction="outbound",role="downstream"} 10')
})
