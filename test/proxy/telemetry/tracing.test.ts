import t, { type Test } from 'tap'
import { systemClock } from '../../../src/lib/clock.ts'
import { seededRandom } from '../../../src/lib/random.ts'
import { Field, fieldBits } from '../../../src/proxy/http/fields.ts'
import { makeObserver, type Observer } from '../../../src/proxy/telemetry/observer.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'
import { attributesOf, type CollectedSpan, openCollector } from './collector.ts'
import { answered, exchangeOf } from './exchanges.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const TRACEPARENT = fieldBits(Field.traceparent)
const BOTH = fieldBits(Field.traceparent, Field.tracestate)
const DEAD = 'http://127.0.0.1:9/v1/traces'

interface Options {
  readonly endpoint?: string | undefined
  readonly sample?: number
  readonly accessLog?: 'off' | 'json'
  readonly random?: () => number
}

async function observe(t: Test, clock: FakeClock, options: Options = {}): Promise<Observer> {
  const { accessLog = 'off', sample = 1, random = seededRandom(1), endpoint = DEAD } = options
  const settings = { workload: 'web.shop', accessLog, tracing: { endpoint, sample } }
  const observer = await makeObserver(settings, clock, random, logLines().log)
  if (observer === undefined) throw new Error('nobody observes')
  t.teardown(() => {
    void observer.stop()
    clock.advance(2000)
  })
  return observer
}

/** The line that a request is sent on with, and what is taken out of it. */
function sent(observer: Observer, fields: readonly string[]): [string | undefined, number] {
  const exchange = exchangeOf({ fields })
  observer.began(exchange)
  return [exchange.requestLines?.toString('latin1'), exchange.requestCut]
}

t.test('tracing: nobody observes when nothing is on', async (t) => {
  const tracing = { endpoint: undefined, sample: 1 }
  const settings = { workload: '', accessLog: 'off', tracing } as const
  const { log } = logLines()
  t.equal(await makeObserver(settings, systemClock, Math.random, log), undefined)
})

t.test('tracing: a sampled trace goes on under a span of ours', async (t) => {
  const observer = await observe(t, new FakeClock(), { sample: 0 })
  const [line, cut] = sent(observer, [`traceparent: 00-${TRACE}-${SPAN}-01`, 'tracestate: a=b'])
  t.match(line, new RegExp(`^traceparent: 00-${TRACE}-(?!${SPAN})[0-9a-f]{16}-01\r\n$`))
  t.equal(cut, TRACEPARENT, 'tracestate passes')
})

t.test('tracing: a trace that is not sampled is left alone', async (t) => {
  const observer = await observe(t, new FakeClock(), { sample: 1 })
  const exchange = exchangeOf({ fields: [`traceparent: 00-${TRACE}-${SPAN}-00`] })
  observer.began(exchange)
  t.equal(exchange.requestLines, undefined)
  t.equal(exchange.requestCut, 0)
  t.equal(exchange.observation, undefined, 'no string is made for it')
  observer.ended(answered(exchange, 200))
})

t.test('tracing: without a traceparent a trace begins, sampled or not', async (t) => {
  const sampled = await observe(t, new FakeClock(), { sample: 0.5, random: () => 0.4999 })
  const [line, cut] = sent(sampled, ['tracestate: a=b'])
  t.match(line, /^traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r\n$/)
  t.equal(cut, BOTH, 'a tracestate without its traceparent says nothing')
  const other = await observe(t, new FakeClock(), { sample: 0.5, random: () => 0.5 })
  t.match(sent(other, [])[0], /^traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-00\r\n$/)
})

t.test('tracing: an invalid traceparent is replaced, with its tracestate', async (t) => {
  const observer = await observe(t, new FakeClock())
  for (const fields of [
    [`traceparent: 00-${TRACE}-${SPAN}`],
    [`traceparent: 00-${'0'.repeat(32)}-${SPAN}-01`],
    [`traceparent: 00-${TRACE}-${SPAN}-01`, `traceparent: 00-${TRACE}-${SPAN}-01`],
  ]) {
    const [line, cut] = sent(observer, [...fields, 'tracestate: a=b'])
    t.match(line, /^traceparent: 00-[0-9a-f]{32}-[0-9a-f]{16}-01\r\n$/)
    t.notMatch(line, TRACE)
    t.equal(cut, BOTH)
  }
})

t.test('tracing: lines that are to be added stay', async (t) => {
  const observer = await observe(t, new FakeClock())
  const exchange = exchangeOf()
  exchange.requestLines = Buffer.from('a: b\r\n')
  exchange.requestCut = fieldBits(Field.via)
  observer.began(exchange)
  t.match(exchange.requestLines.toString(), /^a: b\r\ntraceparent: 00-[^\r]{52}\r\n$/)
  t.equal(exchange.requestCut, BOTH | fieldBits(Field.via))
})

/** Traces one request after another and gives the spans that a collector got. */
async function collected(
  t: Test,
  ...requests: readonly ((observer: Observer, clock: FakeClock) => void)[]
): Promise<CollectedSpan[]> {
  const collector = await openCollector(t)
  const clock = new FakeClock()
  const observer = await observe(t, clock, { endpoint: collector.url })
  for (const request of requests) request(observer, clock)
  clock.advance(1000)
  await until('the spans', () => collector.spans.length === requests.length)
  await until('their count', () => observer.spans?.exported === requests.length)
  t.equal(collector.asked[0]?.what, 'POST /v1/traces')
  t.same(collector.services, ['web.shop'])
  return collector.spans
}

t.test('tracing: a span of an outbound request, as a collector gets it', async (t) => {
  let line = ''
  const [span] = await collected(t, (observer, clock) => {
    clock.advance(500)
    const exchange = exchangeOf({
      line: 'GET /cart/7?item=1&sig=abc%2F&b=?',
      authority: 'shop.default:8080',
      fields: [`traceparent: 00-${TRACE}-${SPAN}-01`],
      at: 500,
    })
    observer.began(exchange)
    line = exchange.requestLines?.toString() ?? ''
    clock.advance(12.5)
    observer.ended(answered(exchange, 404))
  })
  if (span === undefined) throw new Error('no span')
  t.equal(span.traceId, TRACE)
  t.equal(span.parentSpanId, SPAN)
  t.equal(line, `traceparent: 00-${TRACE}-${span.spanId}-01\r\n`, 'the span that was announced')
  t.equal(span.name, 'GET')
  t.equal(span.kind, 3, 'CLIENT')
  t.equal(span.startTimeUnixNano, '1700000000500000000')
  t.equal(span.endTimeUnixNano, '1700000000512500000')
  t.equal(span.status.code, 2)
  t.same(attributesOf(span), {
    'http.request.method': 'GET',
    'url.scheme': 'http',
    'url.path': '/cart/7',
    'url.query': 'item=1&sig=REDACTED&b=?',
    'url.full': 'http://shop.default:8080/cart/7?item=1&sig=REDACTED&b=?',
    'server.address': 'shop.default',
    'server.port': 8080,
    'http.response.status_code': 404,
    'network.protocol.name': 'http',
    'network.protocol.version': '1.1',
    'network.peer.address': '198.18.0.7',
    'network.peer.port': 8080,
    'error.type': '404',
    'underpass.service': 'shop.default:80',
  })
})

t.test('tracing: a span of an inbound request', async (t) => {
  const [span, failed, odd] = await collected(
    t,
    (observer) => {
      const exchange = exchangeOf({ direction: 'inbound', authority: '[::1]' })
      observer.began(exchange)
      observer.ended(answered(exchange, 404))
    },
    (observer) => {
      const exchange = exchangeOf({ direction: 'inbound', line: 'POST /' })
      observer.began(exchange)
      exchange.error = 'endpoint-refused'
      exchange.details = 'nobody is there'
      exchange.attempt = 3
      observer.ended(exchange)
    },
    (observer) => {
      const exchange = exchangeOf({ direction: 'inbound', line: 'BREW http://shop.default?x' })
      observer.began(exchange)
      observer.ended(answered(exchange, 503))
    },
  )
  if (span === undefined || failed === undefined || odd === undefined) throw new Error('no span')
  t.equal(span.kind, 2, 'SERVER')
  t.notOk(span.parentSpanId, 'the first of its trace')
  t.equal(span.status.code, 0, 'a 404 is not an error of the server')
  t.same(attributesOf(span), {
    'http.request.method': 'GET',
    'url.scheme': 'http',
    'url.path': '/',
    'server.address': '[::1]',
    'http.response.status_code': 404,
    'network.protocol.name': 'http',
    'network.protocol.version': '1.1',
    'network.peer.address': '198.18.0.1',
    'client.address': '198.18.0.1',
    'underpass.service': 'local',
  })
  t.same(failed.status, { code: 2, message: 'nobody is there' })
  const {
    'error.type': error,
    'http.request.resend_count': resends,
    ...rest
  } = attributesOf(failed)
  t.same([error, resends], ['endpoint-refused', 2])
  t.notOk('http.response.status_code' in rest)
  t.equal(odd.name, 'HTTP')
  t.match(attributesOf(odd), {
    'http.request.method': '_OTHER',
    'http.request.method_original': 'BREW',
    'url.path': '/',
    'url.query': 'x',
    'error.type': '503',
  })
})

t.test('tracing: spans go to the endpoint of the settings and nowhere else', async (t) => {
  const [collector, other] = [await openCollector(t), await openCollector(t)]
  const variables = {
    OTEL_EXPORTER_OTLP_ENDPOINT: other.url,
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: other.url,
    OTEL_EXPORTER_OTLP_HEADERS: 'x-token=sesame',
  }
  Object.assign(process.env, variables)
  t.teardown(() => {
    for (const name of Object.keys(variables)) Reflect.deleteProperty(process.env, name)
  })
  const clock = new FakeClock()
  const observer = await observe(t, clock, { endpoint: collector.url })
  const exchange = exchangeOf()
  observer.began(exchange)
  observer.ended(answered(exchange, 200))
  await observer.stop()
  t.equal(collector.spans.length, 1, 'what waits is handed over at the end')
  t.equal(collector.asked[0]?.headers['x-token'], 'sesame')
  t.same(other.asked, [])
})

t.test('tracing: of a long target and authority only the beginning is kept', async (t) => {
  const [span] = await collected(t, (observer) => {
    const exchange = exchangeOf({
      line: `GET /${'a'.repeat(7000)}`,
      authority: `${'b'.repeat(5000)}:80`,
    })
    observer.began(exchange)
    observer.ended(answered(exchange, 200))
  })
  if (span === undefined) throw new Error('no span')
  const attributes = attributesOf(span)
  t.equal(attributes['url.path'], `/${'a'.repeat(2047)}\u2026`)
  t.equal(attributes['server.address'], `${'b'.repeat(256)}\u2026`)
})
