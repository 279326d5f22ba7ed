// Admission by itself: who goes on, who waits, who is refused, in which order, and that no place is ever lost.

import t from 'tap'
import type { ErrorCode } from '../../../src/lib/errors.ts'
import { GrpcStatus } from '../../../src/lib/grpc-status.ts'
import { seededRandom } from '../../../src/lib/random.ts'
import { TimerWheel } from '../../../src/lib/timer-wheel.ts'
import { Admission, type ConcurrencyRules } from '../../../src/proxy/resilience/admission.ts'
import {
  type Exchange,
  NO_GRPC_STATUS,
  NO_PLACE,
  type Stage,
} from '../../../src/proxy/stack/exchange.ts'
import { NO_LIMIT } from '../../../src/proxy/stack/route.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'
import { exchangeOf } from '../telemetry/exchanges.ts'

const limited = (
  limit: number | undefined,
  more: Partial<ConcurrencyRules> = {},
): ConcurrencyRules => ({
  ...{ limit, pending: 1024, adaptive: 'off', min: 1 },
  ...more,
})

/** The stage alone, between one that notes how requests end and one that notes which go on. */
class Alone {
  readonly clock = new FakeClock()
  readonly sent: Exchange[] = []
  readonly ended: [Exchange, ErrorCode | undefined][] = []
  readonly admission: Admission
  /** What becomes of a request that goes on; by default it is under way. */
  onOpen: (exchange: Exchange) => void = () => undefined
  readonly #destination = exchangeOf({ direction: 'inbound' }).destination

  constructor(rules?: ConcurrencyRules) {
    const above: Stage = {
      open: () => undefined,
      headers: () => undefined,
      ended: (exchange, error) => this.ended.push([exchange, error]),
    }
    const below: Stage = {
      open: (exchange) => {
        this.sent.push(exchange)
        exchange.sentAt = exchange.now
        this.onOpen(exchange)
      },
      headers: () => undefined,
      ended: () => undefined,
    }
    const wheel = new TimerWheel<Exchange>(this.clock)
    const world = { clock: this.clock, wheel, random: () => 0, log: logLines().log }
    this.admission = new Admission(world, above, this.#destination, rules)
    this.admission.above(below)
  }

  get shed(): Record<string, number> {
    return Object.fromEntries(this.#destination.resilience.shed)
  }

  make(deadline = NO_LIMIT): Exchange {
    const exchange = exchangeOf({ direction: 'inbound', at: this.clock.now() })
    exchange.deadline = deadline
    return exchange
  }

  open(deadline = NO_LIMIT): Exchange {
    const exchange = this.make(deadline)
    this.admission.open(exchange)
    return exchange
  }

  end(exchange: Exchange, error?: ErrorCode): void {
    exchange.now = this.clock.now()
    this.admission.ended(exchange, error)
  }

  /** The application has taken so long lately. */
  learn(time: number): void {
    const exchange = this.open()
    this.clock.advance(time)
    this.end(exchange)
    this.sent.length = this.ended.length = 0
  }
}

t.test('admission: without a limit nobody waits, and all are counted', async (t) => {
  const f = new Alone()
  const all = Array.from({ length: 50 }, () => f.open())
  t.same([f.admission.limit, f.admission.active, f.admission.waiting], [Infinity, 50, 0])
  for (const each of all) f.end(each)
  t.equal(f.admission.active, 0)
  t.equal(f.ended.length, 50)
})

t.test('admission: the earliest deadline first, then in order of arrival', async (t) => {
  const f = new Alone(limited(1))
  const first = f.open()
  const waiting = [NO_LIMIT, 5000, 3000, NO_LIMIT, 3000, 9000].map((deadline) => f.open(deadline))
  t.same([f.admission.active, f.admission.waiting], [1, 6])
  t.ok(waiting.every(({ lowest }) => lowest === f.admission))
  f.end(first)
  while (f.sent.length < 7) f.end(f.sent.at(-1) ?? first)
  t.same(
    f.sent.slice(1).map((each) => waiting.indexOf(each)),
    [2, 4, 1, 5, 0, 3],
  )
  f.end(f.sent.at(-1) ?? first)
  t.same([f.admission.active, f.admission.waiting], [0, 0])
  t.ok(f.ended.every(([, error]) => error === undefined))
})

t.test('admission: it knows the time when it goes on', async (t) => {
  const f = new Alone(limited(1))
  const first = f.open()
  const second = f.open()
  f.clock.advance(70)
  f.end(first)
  t.equal(second.now, 70)
})

t.test('admission: the queue is full', async (t) => {
  const f = new Alone(limited(2, { pending: 3 }))
  const all = Array.from({ length: 5 }, () => f.open())
  const newcomer = f.open(10_000)
  t.same(f.ended, [[newcomer, 'overloaded']])
  t.equal(newcomer.details, '2 at work, 3 wait')
  t.equal(newcomer.lastEndpoint?.key, '198.18.0.7:8080', 'whom it was meant for')
  t.same(f.shed, { overloaded: 1 })
  f.end(all[0] ?? newcomer)
  t.equal(f.admission.waiting, 2)
  f.open()
  t.equal(f.admission.waiting, 3)
  t.equal(f.ended.length, 2)
})

t.test('admission: nobody may wait', async (t) => {
  const f = new Alone(limited(1, { pending: 0 }))
  const first = f.open()
  const second = f.open()
  t.same(f.ended, [[second, 'overloaded']])
  f.end(first)
  f.open()
  t.equal(f.admission.active, 1)
})

t.test('admission: who cannot make it is refused at once', async (t) => {
  const f = new Alone(limited(2))
  f.learn(100)
  f.open()
  f.open()
  t.equal(f.ended.length, 0)
  const at = (left: number): Exchange => f.open(f.clock.now() + left)
  at(101)
  t.equal(f.admission.waiting, 1, 'nobody is ahead of it')
  const late = at(99)
  t.same(f.ended, [[late, 'deadline-unmeetable']], 'it could not be answered in time')
  t.equal(late.details, '99 ms left, 1 wait')
  f.open()
  t.equal(f.admission.waiting, 2, 'who has all the time may wait')
  t.same(f.shed, { 'deadline-unmeetable': 1 })
})

t.test('admission: the wait is what those ahead take', async (t) => {
  const f = new Alone(limited(2))
  f.learn(100)
  f.open()
  f.open()
  for (let count = 0; count < 4; count++) f.open(f.clock.now() + 400)
  t.equal(f.admission.waiting, 4)
  // Four ahead at two a turn: 200 ms, and 100 for itself.
  f.open(f.clock.now() + 299 + 101)
  t.equal(f.admission.waiting, 5)
  f.open(f.clock.now() + 150)
  t.equal(f.admission.waiting, 6, 'it goes before all of them')
  const late = f.open(f.clock.now() + 400)
  t.equal(f.admission.waiting, 7)
  t.notOk(f.ended.some(([each]) => each === late))
  f.open(f.clock.now() + 400)
  t.equal(f.admission.waiting, 7, 'seven ahead are 350 ms, and 100 more')
  t.same(f.shed, { 'deadline-unmeetable': 1 })
})

t.test('admission: nothing was measured yet, and nobody is too late', async (t) => {
  const f = new Alone(limited(1))
  f.open()
  f.open(1)
  t.equal(f.admission.waiting, 1)
})

t.test('admission: who cannot make it any more is refused when it is its turn', async (t) => {
  const f = new Alone(limited(1))
  f.learn(100)
  const first = f.open()
  const now = f.clock.now()
  const [tight, wide] = [f.open(now + 150), f.open(now + 1000)]
  f.clock.advance(80)
  f.end(first)
  const ends = f.ended.map(([each, error]) => [[first, tight, wide].indexOf(each), error])
  t.same(ends, [
    [1, 'deadline-unmeetable'],
    [0, undefined],
  ])
  t.equal(f.sent.at(-1), wide)
  t.same([f.admission.active, f.admission.waiting], [1, 0])
})

t.test('admission: who leaves while it waits takes nobody’s place', async (t) => {
  const f = new Alone(limited(1))
  const first = f.open()
  const [second, third] = [f.open(), f.open()]
  f.end(second, 'downstream-reset')
  t.same([f.admission.active, f.admission.waiting], [1, 1])
  t.equal(second.place, NO_PLACE)
  f.end(first)
  t.equal(f.sent.at(-1), third)
  f.end(third, 'deadline-exceeded')
  t.same([f.admission.active, f.admission.waiting], [0, 0])
})

t.test('admission: all that wait fail at once, without end of the stack', async (t) => {
  const f = new Alone(limited(1, { pending: 100_000 }))
  const first = f.open()
  for (let count = 0; count < 50_000; count++) f.open()
  f.onOpen = (exchange) => {
    f.admission.ended(exchange, 'no-endpoints')
  }
  f.end(first)
  t.same([f.admission.active, f.admission.waiting], [0, 0])
  t.equal(f.ended.length, 50_001)
})

t.test('admission: who comes while others go on waits behind them', async (t) => {
  const f = new Alone(limited(1))
  const first = f.open()
  const second = f.open()
  let newcomer: Exchange | undefined
  f.onOpen = (exchange) => {
    if (newcomer !== undefined) return
    // The next request of the same client, from within the end of its last one.
    newcomer = f.make()
    f.admission.ended(exchange, 'no-endpoints')
    f.admission.open(newcomer)
  }
  const third = f.open()
  f.end(first)
  t.same(f.sent.slice(1, 3), [second, third])
  t.equal(f.admission.waiting, 1)
  f.end(third)
  t.equal(f.sent.at(-1), newcomer)
})

t.test('admission: no place is lost, whatever happens', async (t) => {
  const seed = 23_112_026
  t.comment(`seed ${seed}`)
  const random = seededRandom(seed)
  const f = new Alone(limited(5, { pending: 20 }))
  const open: Exchange[] = []
  let most = 0
  for (let turn = 0; turn < 30_000; turn++) {
    const what = random()
    f.clock.advance(Math.floor(random() * 5))
    if (what < 0.5) {
      const left = random() < 0.3 ? NO_LIMIT : Math.floor(random() * 300)
      open.push(f.open(f.clock.now() + left))
    } else {
      const at = Math.floor(random() * open.length)
      const exchange = open[at]
      if (exchange !== undefined && !f.ended.some(([each]) => each === exchange)) {
        f.end(exchange, what < 0.8 ? undefined : what < 0.9 ? 'downstream-reset' : 'upstream-reset')
      }
    }
    for (const [each] of f.ended.splice(0)) open.splice(open.indexOf(each), 1)
    most = Math.max(most, f.admission.active)
    if (f.admission.active + f.admission.waiting !== open.length) t.fail(`turn ${turn}`)
    if (f.admission.waiting > 0 && f.admission.active < 5) t.fail(`turn ${turn}: a place is free`)
  }
  t.equal(most, 5)
  for (const each of [...open]) f.end(each)
  t.same([f.admission.active, f.admission.waiting], [0, 0])
})

t.test('admission: the limit follows latency', async (t) => {
  const f = new Alone(limited(undefined, { adaptive: 'gradient', min: 4 }))
  t.equal(f.admission.limit, 20)
  const answer = (exchange: Exchange, status: number, grpcStatus = NO_GRPC_STATUS): void => {
    exchange.now = f.clock.now()
    exchange.status = status
    exchange.grpcStatus = grpcStatus
    f.admission.headers(exchange)
    f.end(exchange)
  }
  const round = (time: number, status: number, grpcStatus?: number): void => {
    const all = Array.from({ length: f.admission.limit }, () => f.open())
    f.clock.advance(time)
    for (const each of all) answer(each, status, grpcStatus)
  }
  for (let count = 0; count < 30; count++) round(10, 500)
  for (let count = 0; count < 30; count++) round(10, 200, GrpcStatus.unavailable)
  t.equal(f.admission.limit, 20, 'failures say nothing')
  for (let count = 0; count < 100; count++) round(10, 200)
  const good = f.admission.limit
  t.ok(good > 25, `${good}`)
  f.sent.length = 0
  for (let count = 0; count < 12; count++) round(500, 200)
  t.ok(f.admission.limit < good / 2, `${f.admission.limit}`)
  t.ok(f.admission.limit >= 4)
})

t.test('admission: an application that hangs is slow', async (t) => {
  const f = new Alone(limited(undefined, { adaptive: 'gradient', min: 4 }))
  const round = (time: number, error?: ErrorCode): void => {
    const all = Array.from({ length: f.admission.limit }, () => f.open())
    f.clock.advance(time)
    for (const each of all) {
      each.now = f.clock.now()
      if (error === undefined) {
        each.status = 200
        f.admission.headers(each)
      }
      f.end(each, error)
    }
  }
  for (let count = 0; count < 40; count++) round(10)
  const good = f.admission.limit
  for (let count = 0; count < 12; count++) round(1000, 'deadline-exceeded')
  t.ok(f.admission.limit < good / 2, `${good}, then ${f.admission.limit}`)
})
