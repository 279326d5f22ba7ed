// Which ends of an attempt count against its endpoint, and which a client or the mesh itself has brought about.

import t from 'tap'
import { ERRORS, type ErrorCode } from '../../../src/lib/errors.ts'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { ResponseReader } from '../../../src/proxy/http/h1/response-reader.ts'
import { askedBy } from '../../../src/proxy/http/h1/response-rules.ts'
import type { Head } from '../../../src/proxy/http/head.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { Method } from '../../../src/proxy/http/method.ts'
import { isBadResponse, isToBlame } from '../../../src/proxy/resilience/blame.ts'
import type { Exchange } from '../../../src/proxy/stack/exchange.ts'
import { Verdict } from '../../../src/proxy/stack/health.ts'
import { proxyStatus } from '../../../src/proxy/stack/proxy-status.ts'
import { PLAIN_ROUTE } from '../../../src/proxy/stack/route.ts'
import { exchangeOf } from '../balance/fixture.ts'

const CODES = Object.keys(ERRORS) as ErrorCode[]
const ALWAYS: readonly ErrorCode[] = [
  ...(['endpoint-refused', 'endpoint-timeout', 'endpoint-unreachable', 'endpoint-reset'] as const),
  ...(['connect-failed', 'upstream-reset', 'response-refused', 'response-incomplete'] as const),
]
const TIMEOUTS: readonly ErrorCode[] = ['response-timeout', 'per-try-timeout', 'idle-timeout']

function blamed(exchange: Exchange, took = 5000): ErrorCode[] {
  return CODES.filter((code) => isToBlame(exchange, code, took, 1000)).sort()
}

/** A POST of which the endpoint has not got all. */
function posting(): Exchange {
  const exchange = exchangeOf(['Content-Length: 5'])
  exchange.request.method = Method.post
  return exchange
}

t.test('blame: what the endpoint has done, and nothing else', async (t) => {
  t.same(blamed(exchangeOf([])), [...ALWAYS, ...TIMEOUTS, 'deadline-exceeded'].sort())
})

t.test('blame: a deadline counts only after longer than is usual', async (t) => {
  t.ok(blamed(exchangeOf([]), 1001).includes('deadline-exceeded'))
  t.notOk(blamed(exchangeOf([]), 1000).includes('deadline-exceeded'))
})

t.test('blame: a policy’s own time counts, if the endpoint had half of it', async (t) => {
  const exchange = exchangeOf([])
  exchange.route = { ...PLAIN_ROUTE, timeouts: { ...PLAIN_ROUTE.timeouts, request: 500 } }
  t.notOk(blamed(exchange, 500).includes('deadline-exceeded'), 'it was not what it ran out of')
  exchange.deadlineSource = 'route'
  t.ok(blamed(exchange, 250).includes('deadline-exceeded'))
  t.notOk(blamed(exchange, 249).includes('deadline-exceeded'), 'the rest of a retry')
  exchange.response = responding(504, told('deadline-exceeded')).response
  exchange.status = 504
  t.ok(isBadResponse(exchange, 250, 1000), 'its own sidecar says so first')
  t.notOk(isBadResponse(exchange, 249, 1000))
})

t.test('blame: who sends slowly runs out of time by himself', async (t) => {
  const exchange = posting()
  // Servers too tire of a client that stands still.
  t.same(blamed(exchange), ALWAYS.filter((code) => code !== 'upstream-reset').sort())
  exchange.response = responding(502, told('upstream-reset')).response
  exchange.status = 502
  t.notOk(isBadResponse(exchange, 0, 1000), 'seen by its own sidecar')
  exchange.requestEnded = true
  t.same(blamed(exchange), [...ALWAYS, ...TIMEOUTS, 'deadline-exceeded'].sort())
})

t.test('blame: who reads slowly does too, but a response that breaks off is bad', async (t) => {
  const exchange = exchangeOf([])
  exchange.verdict = Verdict.good
  t.same(blamed(exchange), [...ALWAYS].sort())
  exchange.wasHeldBack = true
  t.same(blamed(exchange), ALWAYS.filter((code) => code !== 'response-incomplete').sort())
})

t.test(
  'blame: an idle connection that was closed is no failure of a request that goes again',
  async (t) => {
    const exchange = exchangeOf([])
    exchange.wasReused = true
    t.notOk(blamed(exchange).includes('upstream-reset'))
    exchange.needsNew = true
    t.ok(blamed(exchange).includes('upstream-reset'), 'the second time it is')
    const post = posting()
    post.requestEnded = true
    post.wasReused = true
    t.ok(blamed(post).includes('upstream-reset'), 'and so it is where it cannot go again')
  },
)

/** What an endpoint's own sidecar says of a failure. */
function told(error: ErrorCode): string {
  return `Proxy-Status: ${proxyStatus(error, 'some, "details"', '10.1.0.1:80')}`
}

function responding(status: number, ...fields: readonly string[]): Exchange {
  const text = [`HTTP/1.1 ${status} X`, ...fields, 'Content-Length: 0', '', ''].join('\r\n')
  const reader = new ResponseReader(DEFAULT_LIMITS)
  const bytes = Buffer.from(text, 'latin1')
  const exchange = exchangeOf([])
  reader.expect(askedBy(exchange.request))
  if (reader.read(bytes, 0, bytes.length) !== Event.head) throw new Error(text)
  const response: Head = reader.head
  exchange.response = response
  exchange.status = status
  return exchange
}

t.test('blame: statuses from 500 on, but for those that speak of the request', async (t) => {
  for (const status of [500, 502, 503, 504, 599]) t.ok(isBadResponse(responding(status), 0, 1000))
  for (const status of [501, 505]) t.notOk(isBadResponse(responding(status), 0, 1000))
})

t.test('blame: what the endpoint’s own sidecar says is heard', async (t) => {
  const isBad = (error: ErrorCode, took = 0): boolean =>
    isBadResponse(responding(503, told(error)), took, 1000)
  for (const error of ['endpoint-refused', 'upstream-reset', 'internal', 'idle-timeout'] as const) {
    t.ok(isBad(error), error)
  }
  for (const error of [
    ...(['overloaded', 'request-limit', 'pending-limit', 'connection-limit'] as const),
    ...(['deadline-unmeetable', 'request-refused', 'fault-injected'] as const),
  ]) {
    t.notOk(isBad(error), error)
  }
  t.notOk(isBad('deadline-exceeded', 1000), 'a deadline that nobody could meet')
  t.ok(isBad('deadline-exceeded', 1001))
  for (const value of [
    'other; error=overloaded; details="overloaded"',
    'underpass; error=connection_limit_reached',
    'underpass; error=connection_limit_reached; details="made-up: x"',
    'underpass; error=connection_limit_reached; details="toString"',
    'underpass; error="; details=overloaded"; details="x"',
  ]) {
    t.ok(isBadResponse(responding(503, `Proxy-Status: ${value}`), 0, 1000), value)
  }
})
