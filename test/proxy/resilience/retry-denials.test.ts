// Why a request is not sent again although its policy would have it, and how long it waits where it is.

import t from 'tap'
import { PLAIN_ROUTE } from '../../../src/proxy/stack/route.ts'
import { type Asked, NOTHING, Tries } from './tries.ts'

t.test('denied: no policy, no retries', async (t) => {
  const f = new Tries(2)
  f.destination.route = PLAIN_ROUTE
  f.open()
  f.last.fail('upstream-reset')
  t.same(f.above, ['upstream-reset'])
  t.same(f.denied, {})
})

t.test('denied: attempts', async (t) => {
  const f = new Tries(3, { retries: { attempts: 2 } })
  f.open()
  for (let turn = 0; turn < 3; turn += 1) {
    f.last.fail('upstream-reset')
    f.clock.advance(250)
  }
  t.equal(f.all.length, 3)
  t.same(f.above, ['upstream-reset'])
  t.same(f.denied, { attempts: 1 })
})

t.test('denied: body', async (t) => {
  const f = new Tries(2)
  const exchange = f.open()
  exchange.kept = undefined
  f.last.fail('upstream-reset', 'why')
  t.same(f.above, ['upstream-reset'])
  t.equal(exchange.details, 'why')
  t.same(f.denied, { body: 1 })
})

t.test('denied: deadline', async (t) => {
  for (const [deadline, isDenied] of [
    [112, true],
    [112.5, true],
    [113, false],
  ] as const) {
    const f = new Tries(2)
    f.clock.advance(100)
    const exchange = f.open()
    exchange.deadline = deadline
    f.last.fail('upstream-reset')
    t.same(f.denied, isDenied ? { deadline: 1 } : {}, `${deadline} with 12.5 to wait`)
  }
})

t.test('denied: limit', async (t) => {
  const f = new Tries(3)
  f.destination.maxRetries = 1
  const exchange = f.open()
  const first = f.last
  f.open()
  const second = f.last
  first.fail('upstream-reset')
  t.equal(f.destination.retrying, 1)
  second.fail('upstream-reset')
  t.same(f.denied, { limit: 1 })
  t.same(f.above, ['upstream-reset'])
  f.clock.advance(30)
  f.last.fail('upstream-reset')
  t.equal(exchange.retries, 2, 'one that is retried already is the one')
  f.clock.advance(60)
  f.last.answer(200)
  t.equal(f.destination.retrying, 0)
  f.open()
  f.last.fail('upstream-reset')
  t.equal(f.destination.retrying, 1, 'there is room again')
})

t.test('denied: budget', async (t) => {
  const f = new Tries(2)
  const asked: string[] = []
  let left = 1
  f.destination.retryBudget = {
    earn: (now) => asked.push(`earn ${now}`),
    spend: (now) => {
      asked.push(`spend ${now}`)
      left -= 1
      return left >= 0
    },
    left: () => left,
  }
  f.clock.advance(5)
  f.open()
  f.clock.advance(2)
  f.last.fail('upstream-reset')
  f.clock.advance(40)
  f.last.fail('upstream-reset')
  t.same(asked, ['earn 5', 'spend 7', 'spend 47'])
  t.same(f.denied, { budget: 1 })
  t.same(f.above, ['upstream-reset'])
  t.same(f.outcomes, [0, 1])
})

t.test('denied: a budget is spent by nothing that is denied for another reason', async (t) => {
  const f = new Tries(2, { retries: { attempts: 1, retryAfter: 1000, on: ['5xx', 'reset'] } })
  f.destination.retryBudget = {
    earn: () => undefined,
    spend: () => {
      throw new Error('it was spent')
    },
    left: () => 0,
  }
  const open = (asked?: Asked): ReturnType<Tries['open']> => f.open(asked)
  open().kept = undefined
  f.last.fail('upstream-reset')
  open().deadline = 1
  f.last.fail('upstream-reset')
  open().retries = 1
  f.destination.retrying += 1
  f.last.fail('upstream-reset')
  open({ line: 'POST /' })
  f.last.fail('upstream-reset')
  open()
  f.last.head(503, 'Retry-After: 2')
  f.destination.maxRetries = 0
  open()
  f.last.fail('upstream-reset')
  t.same(f.denied, { body: 1, deadline: 1, attempts: 1, 'retry-after': 1, limit: 1 })
})

t.test('limit: as many requests as may be', async (t) => {
  const f = new Tries(1)
  f.destination.maxRequests = 2
  f.open()
  f.open()
  const [first] = f.all
  const third = f.open()
  t.same(f.above, ['request-limit'])
  t.equal(third.details, 'shop:80, 2 requests are under way')
  t.same(Object.fromEntries(f.destination.resilience.shed), { 'request-limit': 1 })
  t.equal(f.destination.active, 2)
  first?.answer(200)
  f.open()
  t.equal(f.destination.active, 2)
  t.equal(f.all.length, 3)
})

t.test('backoff: between nothing and twice as much for each, up to the most', async (t) => {
  for (const chance of [0, 0.25, 0.999]) {
    const f = new Tries(5, { retries: { attempts: 6, backoff: { base: 20, max: 100 } } }, chance)
    const exchange = f.open()
    for (const most of [20, 40, 80, 100, 100, 100]) {
      const from = f.clock.now()
      f.last.fail('upstream-reset')
      t.equal(exchange.stepAlarm.at, from + chance * most)
      f.clock.advance(110)
    }
    t.equal(f.all.length, 7)
  }
})

t.test('backoff: Retry-After is the wait, if it is not too long', async (t) => {
  const f = new Tries(2, { retries: { on: [503], retryAfter: 3000, attempts: 9 } })
  const wall = f.clock.wall()
  const date = (ahead: number): string => new Date(wall + ahead).toUTCString()
  const waitFor = (...fields: readonly string[]): number => {
    const g = new Tries(2, { retries: { on: [503], retryAfter: 3000, attempts: 9 } })
    const exchange = g.open()
    g.last.head(503, ...fields)
    return exchange.stepAlarm.isSet ? exchange.stepAlarm.at : NaN
  }
  t.equal(waitFor(), 12.5)
  t.equal(waitFor('Retry-After: 2'), 2000)
  t.equal(waitFor('retry-after: 3'), 3000)
  t.equal(waitFor('Retry-After: 0'), 0)
  t.equal(waitFor(`Retry-After: ${date(1000)}`), 1000)
  t.equal(waitFor(`Retry-After: ${date(-5000)}`), 0)
  t.equal(waitFor('Retry-After: soon'), 12.5, 'not in a form of the standard')
  t.same(waitFor('Retry-After: 4'), NaN)
  t.same(waitFor(`Retry-After: ${date(5000)}`), NaN)
  f.open()
  f.last.answer(503, 'Retry-After: 4')
  t.same(f.denied, { 'retry-after': 1 })
  t.same(f.above, ['head 503', 'ended'])
})

t.test('waiting: whoever ends the request ends the wait', async (t) => {
  for (const error of ['downstream-reset', 'deadline-exceeded', 'drain-timeout'] as const) {
    const f = new Tries(2)
    const exchange = f.open()
    f.last.fail('upstream-reset')
    t.equal(exchange.lowest, f.retrying)
    f.stop(exchange, error)
    t.same(f.above, [error])
    t.same(f.underWay, NOTHING)
    t.same(f.outcomes, [0, 1])
    f.clock.advance(5000)
    t.equal(f.all.length, 1, 'nothing comes after it')
    t.equal(f.clock.timers, 0)
  }
})

t.test('waiting: the endpoint that failed last is known meanwhile', async (t) => {
  const f = new Tries(2)
  const exchange = f.open()
  f.last.fail('upstream-reset')
  t.equal(exchange.lastEndpoint, f.last.endpoint)
  t.equal(exchange.endpoint?.open, 0)
})

t.test('waiting: the same exchange carries the client’s next request', async (t) => {
  const f = new Tries(2)
  const exchange = f.open()
  f.last.fail('upstream-reset')
  f.clock.advance(30)
  f.last.answer(200)
  exchange.begin(f.clock.now())
  f.retrying.open(exchange)
  t.equal(exchange.retries, 0)
  t.same(exchange.tried, [])
  f.last.answer(200)
  t.same(f.above, ['head 200', 'ended', 'head 200', 'ended'])
  t.same(f.outcomes, [1, 0])
  t.same(f.underWay, NOTHING)
})
