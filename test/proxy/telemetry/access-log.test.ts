import { pino } from 'pino'
import t from 'tap'
import { makeObserver, type Observer } from '../../../src/proxy/telemetry/observer.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'
import { type Asked, answered, exchangeOf } from './exchanges.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const OFF = { endpoint: undefined, sample: 1 }

interface Open {
  readonly observer: Observer
  readonly clock: FakeClock
  readonly lines: Record<string, unknown>[]
}

async function open(level?: string): Promise<Open> {
  const { log, lines } = logLines(level)
  const clock = new FakeClock()
  const settings = { workload: '', accessLog: 'json', tracing: OFF } as const
  const observer = await makeObserver(settings, clock, () => 0, log)
  if (observer === undefined) throw new Error('nobody observes')
  return { observer, clock, lines }
}

/** The line of a request that was answered with 200 at once. */
async function lineOf(asked: Asked): Promise<Record<string, unknown> | undefined> {
  const { observer, lines } = await open()
  const exchange = exchangeOf(asked)
  observer.began(exchange)
  observer.ended(answered(exchange, 200))
  return lines[0]
}

t.test('access log: a request that was answered', async (t) => {
  const { observer, clock, lines } = await open()
  t.equal(observer.spans, undefined)
  clock.advance(100)
  const exchange = exchangeOf({ line: 'POST /cart?item=1', authority: 'shop:80', at: 100 })
  observer.began(exchange)
  exchange.requestBytes = 12
  exchange.responseBytes = 3456
  clock.advance(7.26)
  observer.ended(answered(exchange, 201))
  const [{ time, ...line } = {}, ...more] = lines
  t.type(time, 'number')
  t.same(more, [])
  t.strictSame(line, {
    level: 'info',
    event: 'request',
    direction: 'outbound',
    source: '198.18.0.1',
    method: 'POST',
    target: '/cart?item=1',
    authority: 'shop:80',
    protocol: 'HTTP/1.1',
    service: 'shop.default:80',
    endpoint: '198.18.0.7:8080',
    status: 201,
    requestBytes: 12,
    responseBytes: 3456,
    milliseconds: 7.3,
    attempts: 1,
  })
})

t.test('access log: a request that failed', async (t) => {
  const { observer, lines } = await open()
  const exchange = exchangeOf({ direction: 'inbound' })
  observer.began(exchange)
  exchange.attempt = 2
  exchange.error = 'endpoint-timeout'
  exchange.details = 'tried 2'
  observer.ended(exchange)
  t.match(lines, [
    { status: 0, attempts: 2, error: 'endpoint-timeout', details: 'tried 2', service: 'local' },
  ])
  t.notOk('endpoint' in (lines[0] ?? {}))
})

t.test('access log: a call of gRPC, by its name', async (t) => {
  const { observer, lines } = await open()
  for (const [code, error] of [
    [0, undefined],
    [14, 'no-endpoints'],
  ] as const) {
    const exchange = exchangeOf({ line: 'POST /shop.Cart/Add' })
    exchange.speaks = 'http2'
    exchange.isGrpc = true
    observer.began(exchange)
    exchange.grpcStatus = code
    exchange.error = error
    observer.ended(answered(exchange, 200))
  }
  t.match(lines, [
    { protocol: 'HTTP/2', status: 200, grpcStatus: 'OK' },
    { protocol: 'HTTP/2', grpcStatus: 'UNAVAILABLE', error: 'no-endpoints' },
  ])
  t.notOk('grpcStatus' in ((await lineOf({})) ?? {}))
})

t.test('access log: the name of a route that a policy has', async (t) => {
  t.notOk('route' in ((await lineOf({})) ?? {}))
  const { observer, lines } = await open()
  const exchange = exchangeOf({})
  exchange.route = { ...exchange.route, name: 'checkout' }
  observer.began(exchange)
  observer.ended(answered(exchange, 200))
  t.match(lines, [{ route: 'checkout', status: 200 }])
})

t.test('access log: nothing of the head but what is meant to be there', async (t) => {
  const line = await lineOf({
    fields: ['Authorization: Bearer sesame', 'Cookie: sid=sesame', 'X-Token: sesame'],
  })
  t.equal(line?.['event'], 'request')
  t.notMatch(JSON.stringify(line), 'sesame')
})

t.test('access log: a long target is cut', async (t) => {
  t.equal((await lineOf({ line: `GET /${'a'.repeat(2047)}` }))?.['target'], `/${'a'.repeat(2047)}`)
  t.equal(
    (await lineOf({ line: `GET /${'a'.repeat(2048)}` }))?.['target'],
    `/${'a'.repeat(2047)}\u2026`,
  )
})

t.test('access log: the trace that a request came with', async (t) => {
  const fields = [`traceparent: 00-${TRACE}-00f067aa0ba902b7-00`]
  t.equal((await lineOf({ fields }))?.['traceId'], TRACE)
  t.equal((await lineOf({ fields: ['traceparent: no'] }))?.['traceId'], undefined)
})

t.test('access log: without tracing the request is sent on as it is', async (t) => {
  const { observer } = await open()
  const exchange = exchangeOf({ fields: [`traceparent: no`] })
  observer.began(exchange)
  t.same([exchange.requestLines, exchange.requestCut], [undefined, 0])
})

t.test('access log: with tracing every request is in it, with its trace', async (t) => {
  const { log, lines } = logLines()
  const clock = new FakeClock()
  const tracing = { endpoint: 'http://127.0.0.1:9/v1/traces', sample: 0 }
  const settings = { workload: '', accessLog: 'json', tracing } as const
  const observer = await makeObserver(settings, clock, () => 0.5, log)
  if (observer === undefined) throw new Error('nobody observes')
  const [fresh, unsampled] = [
    exchangeOf(),
    exchangeOf({ fields: [`traceparent: 00-${TRACE}-00f067aa0ba902b7-00`] }),
  ]
  for (const exchange of [fresh, unsampled]) {
    observer.began(exchange)
    observer.ended(answered(exchange, 200))
  }
  const announced = fresh.requestLines?.toString().slice(16, 48)
  t.same(
    lines.map(({ traceId }) => traceId),
    [announced, TRACE],
  )
  t.equal(unsampled.requestLines, undefined)
  await observer.stop()
  t.equal(observer.spans?.exported, 0, 'none of them is sampled')
})

t.test('access log: it does not depend on the level of the log', async (t) => {
  for (const level of ['silent', 'error', 'info']) {
    const { observer, lines } = await open(level)
    const exchange = exchangeOf()
    observer.began(exchange)
    observer.ended(answered(exchange, 200))
    t.equal(lines.length, 1, level)
  }
})

t.test('access log: a line is one line', async (t) => {
  const written: string[] = []
  const log = pino({ base: {} }, { write: (text: string) => written.push(text) })
  const settings = { workload: '', accessLog: 'json', tracing: OFF } as const
  const observer = await makeObserver(settings, new FakeClock(), () => 0, log)
  if (observer === undefined) throw new Error('nobody observes')
  const exchange = exchangeOf()
  observer.began(exchange)
  exchange.details = 'a\nb\u0000"\u001b[2J'
  observer.ended(answered(exchange, 200))
  t.equal(written.length, 1)
  const [text = ''] = written
  t.ok(text.endsWith('}\n'))
  t.ok(Buffer.from(text.slice(0, -1)).every((byte) => byte >= 0x20))
  t.match(JSON.parse(text), { details: exchange.details })
})
