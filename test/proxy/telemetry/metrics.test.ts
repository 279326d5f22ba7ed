// The metrics page, read as Prometheus reads it.

import t, { type Test } from 'tap'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { Metrics } from '../../../src/proxy/telemetry/metrics.ts'

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

const SAMPLE = /^([a-z_][a-z0-9_]*)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*)\})? (\S+)$/
const LABEL = /([a-z_]+)="((?:[^"\\\n]|\\[\\"n])*)"/g

/** Every sample of a page; throws at a line that is not of the text format. */
function parse(page: string): Sample[] {
  const typed = new Set<string>()
  const samples: Sample[] = []
  for (const line of page.split('\n')) {
    const type = /^# TYPE ([a-z_][a-z0-9_]*) (counter|gauge)$/.exec(line)?.[1]
    if (type !== undefined) typed.add(type)
    if (line === '' || /^# (TYPE|HELP) [a-z_][a-z0-9_]* ./.test(line)) continue
    const [, name = '', labels = '', value] = SAMPLE.exec(line) ?? []
    if (!typed.has(name)) throw new Error(`not a sample with a type before it: ${line}`)
    const pairs = [...labels.matchAll(LABEL)].map(([, key = '', text = '']) => [
      key,
      text.replace(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char)),
    ])
    samples.push({
      name,
      labels: Object.fromEntries(pairs) as Sample['labels'],
      value: Number(value),
    })
  }
  return samples
}

function open(t: Test, counters: CounterRegistry, sessions = 0): Metrics {
  const metrics = new Metrics(counters, () => sessions)
  t.teardown(() => {
    metrics.stop()
  })
  return metrics
}

t.test('metrics: what was counted, by direction, service and endpoint', async (t) => {
  const counters = new CounterRegistry()
  const line = counters.of('outbound', 'shop.default:80', '10.1.0.1:8080')
  Object.assign(line, { opened: 5, closed: 2, received: 1000, sent: 3e12 })
  counters.of('inbound', 'local', '').opened = 1
  const samples = parse(await open(t, counters, 4).page())
  const value = (name: string, direction: string): number | undefined =>
    samples.find((sample) => sample.name === name && sample.labels['direction'] === direction)
      ?.value
  t.equal(value('underpass_tcp_connections_opened_total', 'outbound'), 5)
  t.equal(value('underpass_tcp_connections_closed_total', 'outbound'), 2)
  t.equal(value('underpass_tcp_open_connections', 'outbound'), 3)
  t.equal(value('underpass_tcp_received_bytes_total', 'outbound'), 1000)
  t.equal(value('underpass_tcp_sent_bytes_total', 'outbound'), 3e12)
  t.equal(value('underpass_tcp_open_connections', 'inbound'), 1)
  t.match(
    samples.find(({ value }) => value === 3e12),
    { labels: { service: 'shop.default:80', endpoint: '10.1.0.1:8080' } },
  )
  t.match(
    samples.find(({ name }) => name === 'underpass_sessions'),
    { value: 4 },
  )
})

t.test('metrics: failures have their reason', async (t) => {
  const counters = new CounterRegistry()
  const line = counters.of('outbound', 'shop.default:80', '10.1.0.1:8080')
  line.countConnectFailure('endpoint-refused')
  line.countConnectFailure('endpoint-refused')
  line.countConnectFailure('endpoint-timeout')
  counters.countError('inbound', 'idle-timeout')
  counters.countError('outbound', 'no-endpoints')
  const samples = parse(await open(t, counters).page())
  const found = (name: string): string[] =>
    samples
      .filter((sample) => sample.name === name)
      .map(({ labels, value }) => `${labels['direction']} ${labels['reason']} ${value}`)
      .sort()
  t.same(found('underpass_tcp_connect_failures_total'), [
    ...['outbound endpoint-refused 2', 'outbound endpoint-timeout 1'],
  ])
  t.same(found('underpass_tcp_connection_errors_total'), [
    ...['inbound idle-timeout 1', 'outbound no-endpoints 1'],
  ])
})

t.test('metrics: reading twice does not count twice, and what is forgotten is gone', async (t) => {
  const counters = new CounterRegistry()
  const line = counters.of('outbound', 'shop.default:80', '10.1.0.1:8080')
  Object.assign(line, { opened: 2, closed: 2, retiredAt: 0 })
  const metrics = open(t, counters)
  const opened = async (): Promise<number[]> =>
    parse(await metrics.page())
      .filter(({ name }) => name === 'underpass_tcp_connections_opened_total')
      .map(({ value }) => value)
  t.same([await opened(), await opened()], [[2], [2]])
  t.same(await Promise.all([opened(), opened()]), [[2], [2]], 'also by two at once')
  counters.expire(600_001)
  t.same(await opened(), [])
})

t.test('metrics: names cannot break the page', async (t) => {
  const counters = new CounterRegistry()
  const wicked = 'a"b\\c\nd{e}=,'
  counters.of('outbound', wicked, '[fd00::1]:80').opened = 7
  const samples = parse(await open(t, counters).page())
  t.match(
    samples.find(({ value }) => value === 7),
    { labels: { service: wicked, endpoint: '[fd00::1]:80' } },
  )
})

t.test('metrics: the process is on the page', async (t) => {
  const metrics = open(t, new CounterRegistry())
  await new Promise((resolve) => setTimeout(resolve, 120))
  const samples = parse(await metrics.page())
  const of = (name: string): number[] =>
    samples.filter((sample) => sample.name === name).map(({ value }) => value)
  t.equal(of('underpass_event_loop_delay_seconds').length, 4)
  t.ok(of('underpass_event_loop_delay_seconds').every((value) => value >= 0 && value < 60))
  t.ok(of('underpass_resident_memory_bytes').every((value) => value > 1e6))
  t.equal(of('underpass_cpu_seconds_total').length, 2)
  t.match(metrics.contentType, /^text\/plain; version=/)
})
