// What is sent again, what is not and why, and what is counted of it.

import t from 'tap'
import type { RetryCauseWord } from '../../../src/api/resources.ts'
import { ERRORS, type ErrorCode } from '../../../src/lib/errors.ts'
import { NOTHING, routeOf, Tries, type Wish } from './tries.ts'

/** Every word of a policy but statuses. */
const ALL = [
  'connect-failure',
  'reset',
  'refused-stream',
  'per-try-timeout',
  'gateway-error',
  '5xx',
] as const
type Words = readonly (RetryCauseWord | number)[]
const everything: Wish = { retries: { on: ALL, attempts: 1 } }

t.test('retrying: a request that goes well goes by', async (t) => {
  const f = new Tries()
  const exchange = f.open()
  t.equal(f.destination.active, 1)
  f.last.answer(200)
  t.same(f.above, ['head 200', 'ended'])
  t.same(f.underWay, NOTHING)
  t.equal(exchange.retries, 0)
  t.equal(exchange.stepAlarm.isSet, false)
  t.same(f.outcomes, [0, 0])
  t.same(f.retries, {})
})

t.test('retrying: what failed goes to another endpoint, after a while', async (t) => {
  const f = new Tries(3)
  const exchange = f.open()
  f.last.fail('upstream-reset')
  t.same(f.above, [])
  t.equal(f.destination.retrying, 1)
  t.equal(exchange.details, '', 'nothing is said of what is mended')
  t.equal(f.all.length, 1, 'it waits')
  f.clock.advance(30)
  t.equal(f.all.length, 2)
  t.equal(f.last.exchange, exchange)
  t.equal(f.last.sentHead, f.at(0).sentHead)
  f.last.fail('upstream-reset')
  f.clock.advance(50)
  t.equal(f.went, '012')
  f.last.answer(200)
  t.same(f.above, ['head 200', 'ended'])
  t.equal(exchange.sent, 3)
  t.equal(exchange.retries, 2)
  t.equal(exchange.details, '')
  t.same(f.retries, { reset: 2 })
  t.same(f.denied, {})
  t.same(f.outcomes, [1, 0])
  t.same(f.underWay, NOTHING)
  t.same(f.health.said, [
    ...['chosen 10.0.0.1:80', 'failed 10.0.0.1:80 upstream-reset'],
    ...['chosen 10.0.1.1:80', 'failed 10.0.1.1:80 upstream-reset'],
    ...['chosen 10.0.2.1:80', 'answered 10.0.2.1:80 200', 'left 10.0.2.1:80'],
  ])
})

t.test('retrying: when all endpoints were tried it begins anew', async (t) => {
  const f = new Tries(2, { retries: { attempts: 3 } })
  f.open()
  for (let turn = 0; turn < 3; turn += 1) {
    f.last.fail('upstream-reset')
    f.clock.advance(250)
  }
  t.equal(f.all.length, 4)
  t.equal(f.went.slice(0, 2), '01')
  const single = new Tries(1)
  single.open()
  single.last.fail('upstream-reset')
  single.clock.advance(30)
  t.equal(single.went, '00')
})

t.test('retrying: the last failure is what the client hears of', async (t) => {
  const f = new Tries(3)
  const exchange = f.open()
  f.last.fail('upstream-reset', 'one')
  f.clock.advance(30)
  f.last.fail('upstream-reset', 'two')
  f.clock.advance(60)
  f.last.fail('response-refused', 'three')
  t.same(f.above, ['response-refused'])
  t.equal(exchange.details, 'three')
  t.same(f.outcomes, [0, 1])
  t.same(f.underWay, NOTHING)
})

for (const error of Object.keys(ERRORS) as ErrorCode[]) {
  // Balancing sends it to others itself, before the policy is asked.
  const times = error === 'stream-refused' ? 3 : 1
  const cause = ERRORS[error].retriable
    ? 'connect-failure'
    : {
        'upstream-reset': 'reset',
        'per-try-timeout': 'per-try-timeout',
        'response-timeout': 'per-try-timeout',
        overloaded: 'refused-stream',
        'stream-refused': 'refused-stream',
      }[error as string]
  t.test(`retrying: a try that ends with ${error} is ${cause ?? 'not sent again'}`, async (t) => {
    const f = new Tries(1, everything)
    f.open()
    for (let turn = 0; turn < times; turn += 1) f.last.fail(error)
    t.same(f.retries, cause === undefined ? {} : { [cause]: 1 })
    t.same(f.above, cause === undefined ? [error] : [])
    const without = ALL.filter((word) => word !== cause)
    const other = new Tries(1, { retries: { on: without, attempts: 1 } })
    other.open()
    for (let turn = 0; turn < times; turn += 1) other.last.fail(error)
    t.same(other.above, [error], 'where the policy does not say so it is not')
    t.same(other.denied, {})
    t.same(other.underWay, NOTHING)
  })
}

t.test('retrying: an injected fault counts as its status', async (t) => {
  for (const [status, on, isMended] of [
    [503, ['gateway-error'], true],
    [503, ['reset'], false],
    [500, ['gateway-error'], false],
    [500, ['5xx'], true],
    [429, [429], true],
    [400, ['5xx'], false],
  ] as const) {
    const f = new Tries(2, { retries: { on, attempts: 1 } })
    const exchange = f.open()
    exchange.status = status
    f.last.fail('fault-injected')
    t.same(f.retries, isMended ? { 'fault-injected': 1 } : {}, `${status} ${on.join()}`)
    t.equal(exchange.status, isMended ? 0 : status)
    t.equal(exchange.failure, undefined)
    if (!isMended) continue
    f.clock.advance(30)
    f.last.answer(200)
    t.same(f.above, ['head 200', 'ended'])
  }
})

t.test('retrying: responses by status', async (t) => {
  const cases: readonly (readonly [number, Words, string | undefined])[] = [
    [200, ALL, undefined],
    [404, ALL, undefined],
    [404, [404], 'status'],
    [429, [429, 503], 'status'],
    [500, ['gateway-error'], undefined],
    [500, ['5xx'], '5xx'],
    [501, ['gateway-error'], undefined],
    [502, ['gateway-error'], 'gateway-error'],
    [503, ['5xx', 'gateway-error'], 'gateway-error'],
    [503, [503, '5xx', 'gateway-error'], 'status'],
    [504, ['gateway-error'], 'gateway-error'],
    [505, ['gateway-error'], undefined],
    [599, ['5xx'], '5xx'],
    [503, ['reset', 'connect-failure'], undefined],
  ]
  for (const [status, on, reason] of cases) {
    const f = new Tries(2, {
      retries: { on },
    })
    const exchange = f.open()
    f.last.head(status)
    const what = `${status} on ${on.join()}`
    t.same(f.retries, reason === undefined ? {} : { [reason]: 1 }, what)
    if (reason === undefined) {
      t.same(f.above, [`head ${status}`], what)
      continue
    }
    t.same(f.at(0).heard, ['abandon'])
    t.same([exchange.status, exchange.response, exchange.responseBytes], [0, undefined, 0])
    t.same({ ...f.underWay, active: 0, retrying: 0 }, NOTHING, 'its endpoint has nothing of it')
    f.clock.advance(30)
    f.last.answer(200)
    t.same(f.above, ['head 200', 'ended'])
    t.same(f.went, '01')
    t.same(
      f.health.said.filter((line) => line.includes('10.0.0.1')),
      ['chosen 10.0.0.1:80', `answered 10.0.0.1:80 ${status}`, 'left 10.0.0.1:80'],
      'one verdict',
    )
    t.same(f.underWay, NOTHING)
  }
})

const told = (word: string, code: string): string =>
  `Proxy-Status: underpass; error=${word}; details="${code}: x"; next-hop="10.0.0.1:80"`

t.test('retrying: what the endpoint’s own sidecar says', async (t) => {
  const reset = told('connection_terminated', 'upstream-reset')
  const f = new Tries(2, { retries: { on: ['reset'] } })
  f.open()
  f.last.head(502, reset)
  t.same(f.retries, { reset: 1 })
  const other = new Tries(2, { retries: { on: ['reset'] } })
  other.open()
  other.last.head(502, reset.replace('10.0.0.1', '10.0.9.1'))
  t.same(other.above, ['head 502'], 'of another hop')
  const post = new Tries(2, { retries: { on: ['reset'] } })
  post.open({ line: 'POST /' })
  post.last.head(502, reset)
  t.same(post.above, ['head 502'], 'its application may have seen it')
})

t.test('retrying: a denied one leaves the response as it is', async (t) => {
  const f = new Tries(2, { retries: { on: ['5xx'], attempts: 1 } })
  const exchange = f.open()
  f.last.head(503)
  f.clock.advance(30)
  f.last.head(500)
  t.same(f.above, ['head 500'])
  t.equal(exchange.status, 500)
  t.equal(exchange.details, '')
  t.same(f.denied, { attempts: 1 })
  f.last.finish()
  t.same(f.outcomes, [0, 1])
  t.same(f.underWay, NOTHING)
})

t.test('retrying: methods, where the application may have seen the request', async (t) => {
  const methods = ['GET', 'PUT', 'PROPFIND']
  for (const [line, isAllowed] of [
    ['GET /', true],
    ['PUT /', true],
    ['PROPFIND /', true],
    ['HEAD /', false],
    ['POST /', false],
    ['DELETE /', false],
    ['PATCH /', false],
    ['SEARCH /', false],
  ] as const) {
    const f = new Tries(2, { retries: { methods } })
    f.open({ line })
    f.last.fail('upstream-reset')
    t.same(f.above, isAllowed ? [] : ['upstream-reset'], line)
    t.same(f.denied, {}, 'nothing that the policy would have had')
    const connecting = new Tries(1, { retries: { methods } })
    connecting.open({ line })
    connecting.last.fail('endpoint-refused')
    t.same(connecting.above, [], `${line}: any, if it was not sent`)
    t.same(connecting.retries, { 'connect-failure': 1 })
  }
  const other = new Tries(2, { retries: { methods: ['GET'] } })
  other.open({ line: 'SEARCH /' })
  other.last.fail('upstream-reset')
  t.same(other.above, ['upstream-reset'], 'no names at all')
})

t.test('retrying: the name of a method is read from what was kept', async (t) => {
  const f = new Tries(2, { retries: { methods: ['SEARCH'] } })
  const exchange = f.open({ line: 'SEARCH /' })
  // The connection's buffer has been read into since.
  exchange.request.bytes.fill(0x58)
  f.last.fail('upstream-reset')
  t.same(f.retries, { reset: 1 })
})

t.test('retrying: tunnels are never sent again', async (t) => {
  const methods = ['GET', 'CONNECT']
  const upgrade = { fields: ['Connection: Upgrade', 'Upgrade: websocket'] }
  for (const asked of [{ line: 'CONNECT shop:80', fields: [] }, upgrade]) {
    for (const error of ['upstream-reset', 'endpoint-refused'] as const) {
      const f = new Tries(1, { retries: { methods, hedgeAfter: 10 } })
      f.sends = false
      f.open(asked)
      t.match(f.last.exchange.request, asked === upgrade ? { upgrade: true } : { method: 6 })
      f.last.fail(error)
      t.same(f.above, [error])
      t.same(f.denied, {})
    }
  }
})

t.test('retrying: connects are tried at every endpoint first, then all over again', async (t) => {
  const f = new Tries(2, { retries: { attempts: 1 } })
  f.sends = false
  const exchange = f.open({ line: 'POST /' })
  f.last.fail('endpoint-refused')
  t.equal(f.went, '01', 'at once')
  t.same(f.retries, {})
  f.last.fail('endpoint-timeout')
  t.same(f.retries, { 'connect-failure': 1 })
  f.clock.advance(30)
  t.equal(f.all.length, 3)
  f.last.send().answer(200)
  t.same(f.above, ['head 200', 'ended'])
  t.equal(exchange.sent, 1)
})

t.test('retrying: a try has all the time for its connects that a first one has', async (t) => {
  const f = new Tries(2, { retries: { on: ['per-try-timeout'] }, timeouts: { perTry: 20_000 } })
  f.sends = false
  f.open()
  f.clock.advance(20_010)
  t.same(f.retries, { 'per-try-timeout': 1 })
  f.clock.advance(30)
  t.equal(f.went, '01')
  f.last.fail('endpoint-refused')
  // The first one had been tried, and is no longer asked within this try.
  t.same(f.above, ['endpoint-refused'])
})

t.test('retrying: a head that has left is the last word', async (t) => {
  const f = new Tries(2, everything)
  f.open()
  f.last.head(200)
  f.last.fail('upstream-reset')
  t.same(f.above, ['head 200', 'upstream-reset'])
  t.same(f.denied, {})
})

t.test('retrying: routes have policies of their own', async (t) => {
  const f = new Tries(2)
  const exchange = f.request()
  exchange.route = routeOf({ retries: { on: [418] } })
  f.retrying.open(exchange)
  f.last.head(418)
  t.same(f.retries, { status: 1 })
})
