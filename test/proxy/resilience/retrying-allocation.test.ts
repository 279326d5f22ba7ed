// A request that is not sent again leaves nothing behind for the collector, with and without times; and one that is
// keeps the shape of its exchange.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext, runInThisContext } from 'node:vm'
import t from 'tap'
import { DEFAULT_RETRY_BUDGET } from '../../../src/api/resources.ts'
import { Retrying } from '../../../src/proxy/resilience/retrying.ts'
import { SlidingBudget } from '../../../src/proxy/resilience/sliding-budget.ts'
import type { Exchange, Stage } from '../../../src/proxy/stack/exchange.ts'
import { type Asked, Tries, type Wish } from './tries.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
setFlagsFromString('--allow-natives-syntax')
const sameShape = runInThisContext('(one, other) => %HaveSameMap(one, other)') as (
  one: object,
  other: object,
) => boolean
/**
 * For the loop that stands for the client's side: optimized, it takes into itself as many of the functions it calls as
 * V8 allows for one, and which those are, and so whether a time between them is a number object, is up to chance.
 */
const neverOptimize = runInThisContext('(one) => %NeverOptimizeFunction(one)') as (
  one: () => void,
) => void

// A machine that is busy elsewhere compiles late.
t.setTimeout(120_000)

const REQUESTS = 100_000
/** As for choices (balance/allocation.test.ts): an object for every request would be 1.6 MB at least. */
const MOST_BYTES = 200_000
/** The times that are handed to the wheel are number objects where V8 does not see through it: a few of 16 bytes. */
const MOST_TIMED = 128 * REQUESTS

/** The time of each 2048 requests: among others, these are number objects already. A computed one becomes one at a call. */
const TIMES: readonly unknown[] = [
  '',
  ...Array.from({ length: 1 + (REQUESTS >> 11) }, (_, at) => 1000.5 + 128 * at),
]

/** Where a try ends at once. */
class Below implements Stage {
  open(exchange: Exchange): void {
    exchange.lowest = this
    exchange.requestEnded = true
  }

  headers(): void {
    // Nothing comes from further down.
  }

  ended(): void {
    // As above.
  }
}

class Above implements Stage {
  count = 0

  open(): void {
    // Nothing comes from further up.
  }

  headers(): void {
    this.count += 1
  }

  ended(): void {
    this.count += 1
  }
}

function bytesOf(run: () => void, most: number, rounds = 200): number {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds && least > most; round += 1) {
    collect()
    const before = process.memoryUsage().heapUsed
    run()
    least = Math.min(least, process.memoryUsage().heapUsed - before)
  }
  return least
}

const timed: Wish = {
  retries: { hedgeAfter: 100 },
  timeouts: { perTry: 1000, responseHeaders: 500 },
}
const small = { line: 'PUT /', fields: ['Content-Length: 3'], body: 'abc' }
const CASES: readonly (readonly [string, Wish, Asked])[] = [
  ['no body', {}, {}],
  ['a small body', { retries: { methods: ['PUT'] } }, small],
  ['times of a try (but numbers)', timed, {}],
]

for (const [what, wish, asked] of CASES) {
  t.test(`allocation: a request with ${what} makes nothing`, async (t) => {
    const f = new Tries(3, wish)
    f.destination.retryBudget = new SlidingBudget(DEFAULT_RETRY_BUDGET)
    const above = new Above()
    const world = { clock: f.clock, wheel: f.wheel, log: f.retrying.world.log, random: () => 0.5 }
    const retrying = new Retrying(world, above)
    const below = new Below()
    retrying.above(below)
    const exchange = f.request(asked)
    const { requestBytes } = exchange
    const most = wish === timed ? MOST_TIMED : MOST_BYTES
    const run = (): void => {
      for (let turn = 0; turn < REQUESTS; turn += 1) {
        exchange.begin(TIMES[1 + (turn >> 11)] as number)
        exchange.requestBytes = requestBytes
        exchange.isAtHand = true
        retrying.open(exchange)
        exchange.status = 200
        retrying.headers(exchange)
        retrying.ended(exchange, undefined)
      }
    }
    neverOptimize(run)
    const bytes = bytesOf(run, most)
    t.ok(bytes <= most, `${bytes} bytes for ${REQUESTS} requests`)
    t.equal(f.destination.active, 0)
    t.ok(above.count >= 2 * REQUESTS)
  })
}

t.test('hidden classes: an exchange that is retried and hedged keeps its shape', async (t) => {
  const f = new Tries(3, {
    retries: { hedgeAfter: 50.5, on: ['reset', 503], attempts: 3 },
    timeouts: { perTry: 900.25, responseHeaders: 700 },
  })
  let fresh = f.request()
  for (let turn = 0; turn < 20; turn += 1) fresh = f.request()
  const exchange = f.open()
  const same = (when: string): void => {
    t.ok(sameShape(fresh, exchange), when)
    t.ok(sameShape(fresh.stepAlarm, exchange.stepAlarm), `${when}: the alarm`)
  }
  same('opened')
  f.clock.advance(0.125)
  f.last.fail('upstream-reset')
  same('waiting')
  f.clock.advance(30)
  f.clock.advance(70)
  t.equal(f.all.length, 3)
  same('hedged')
  f.at(1).head(503)
  same('the first has failed')
  f.last.head(200)
  same('answered by the second')
  f.last.finish()
  same('ended')
  exchange.begin(f.clock.now())
  same('used again')
})

t.test('hidden classes: a budget keeps its shape', async (t) => {
  const make = (): SlidingBudget => new SlidingBudget({ percent: 20, minPerSecond: 3, window: 7 })
  let fresh = make()
  for (let turn = 0; turn < 20; turn += 1) fresh = make()
  const used = make()
  used.earn(1.5)
  used.spend(2.25)
  used.earn(1000)
  t.ok(sameShape(fresh, used))
})
