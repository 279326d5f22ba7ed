// Requests whose tries do anything at any time, in any order: each ends once, is answered at most once, is not sent
// more often than its policy allows, and when all are over nothing is left of them.

import t from 'tap'
import type { ErrorCode } from '../../../src/lib/errors.ts'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { SlidingBudget } from '../../../src/proxy/resilience/sliding-budget.ts'
import type { Exchange } from '../../../src/proxy/stack/exchange.ts'
import { NOTHING, Tries } from './tries.ts'
import { Client, type Try } from './tries-parts.ts'

const SEEDS = 400
const STEPS = 300
const LINES = ['GET /', 'HEAD /', 'POST /', 'PUT /']
const BEFORE = ['endpoint-refused', 'endpoint-timeout', 'connection-limit'] as const
const AFTER = ['upstream-reset', 'response-refused'] as const
const STATUSES = [200, 204, 404, 500, 503]
const STOPS: readonly ErrorCode[] = ['downstream-reset', 'deadline-exceeded', 'idle-timeout']

class Storm {
  readonly f: Tries
  readonly random: Random
  readonly #busy = new Set<Exchange>()
  readonly #free: Exchange[] = []
  readonly #heads = new Set<Try>()
  ended = 0
  readonly problems: string[] = []
  readonly #attempts: number

  constructor(seed: number) {
    this.random = seededRandom(seed)
    const maybe = (value: number, chance: number): number => (this.random() < chance ? value : 0)
    this.#attempts = this.below(4)
    this.f = new Tries(
      1 + this.below(4),
      {
        retries: {
          attempts: this.#attempts,
          on: ['connect-failure', 'reset', 'per-try-timeout', 503],
          methods: ['GET', 'PUT'],
          backoff: { base: 20, max: 100 },
          hedgeAfter: maybe(30, 0.6),
        },
        timeouts: { perTry: maybe(90, 0.5), responseHeaders: maybe(60, 0.4) },
      },
      this.random,
    )
    this.f.sends = this.random() < 0.5
    if (this.random() < 0.3) this.f.destination.maxRetries = this.below(4)
    if (this.random() < 0.3) this.f.destination.maxRequests = 1 + this.below(5)
    if (this.random() < 0.3) {
      this.f.destination.retryBudget = new SlidingBudget({
        ...{ percent: 50, minPerSecond: 1, window: 1000 },
      })
    }
  }

  below(count: number): number {
    return Math.floor(this.random() * count)
  }

  #one<T>(list: readonly T[]): T | undefined {
    return list[this.below(list.length)]
  }

  step(): void {
    const chance = this.random()
    if (chance < 0.3) this.f.clock.advance(this.below(50))
    else if (chance < 0.5 && this.#busy.size < 6) this.#open()
    else if (chance < 0.53) this.#stop(this.#one([...this.#busy]))
    else this.#move(this.#one(this.f.all.filter(({ isOver }) => !isOver)))
    this.#collect()
  }

  #open(): void {
    const exchange = this.#free.pop() ?? this.f.request({ line: this.#one(LINES) ?? 'GET /' })
    const client = clientOf(exchange)
    client.said.length = 0
    client.hasBegun = false
    exchange.begin(this.f.clock.now())
    exchange.isAtHand = true
    this.#busy.add(exchange)
    this.f.retrying.open(exchange)
  }

  #stop(exchange: Exchange | undefined): void {
    if (exchange !== undefined) this.f.stop(exchange, this.#one(STOPS) ?? 'downstream-reset')
  }

  #move(made: Try | undefined): void {
    if (made === undefined) return
    if (!made.isSent) {
      if (this.random() < 0.7) made.send()
      else made.fail(this.#one(BEFORE) ?? 'connect-failed')
    } else if (this.#heads.has(made)) {
      if (this.random() < 0.8) made.finish()
      else made.fail('response-incomplete')
    } else if (this.random() < 0.6) {
      this.#heads.add(made)
      made.head(this.#one(STATUSES) ?? 200)
    } else {
      made.fail(this.#one(AFTER) ?? 'upstream-reset')
    }
  }

  /** Those that have ended can be used again. */
  #collect(): void {
    for (const exchange of this.#busy) {
      const { said } = clientOf(exchange)
      const ends = said.filter((line) => line === 'over' || line.startsWith('fail'))
      if (said.filter((line) => line.startsWith('head')).length > 1) this.problems.push('two heads')
      if (ends.length > 1) this.problems.push(`ended ${ends.length} times`)
      if (exchange.retries > this.#attempts) this.problems.push(`${exchange.retries} retries`)
      if (ends.length === 0) continue
      this.#busy.delete(exchange)
      this.#free.push(exchange)
      this.ended += 1
      this.#judge(exchange)
    }
  }

  #judge(exchange: Exchange): void {
    if (exchange.stepAlarm.isSet) this.problems.push('an alarm is set')
    if (exchange.hedge !== undefined) this.problems.push('a second try is left')
    if (exchange.upstream !== undefined) this.problems.push('a connection is left')
    const isSafe = /^(?:GET|PUT)/.test(exchange.request.methodText)
    const { methodText } = exchange.request
    // A HEAD may be hedged, but is not in the policy's list.
    if (!isSafe && methodText !== 'HEAD' && exchange.sent > 1) {
      this.problems.push(`${methodText} sent ${exchange.sent} times`)
    }
  }

  finish(): void {
    for (let turn = 0; turn < 100 && this.#busy.size > 0; turn += 1) {
      for (const made of this.f.all.filter(({ isOver }) => !isOver)) {
        if (!made.isOver) this.#move(made)
      }
      this.f.clock.advance(30)
      this.#collect()
    }
    for (const exchange of this.#busy) this.#stop(exchange)
    this.#collect()
    this.f.clock.advance(10_000)
  }

  get left(): number {
    return this.#busy.size + this.f.all.filter(({ isOver }) => !isOver).length
  }
}

function clientOf({ downstream }: Exchange): Client {
  if (downstream instanceof Client) return downstream
  throw new Error('the client of a second try')
}

t.test('storm: nothing is left, whatever happened', async (t) => {
  let ended = 0
  let hedges = 0
  let retries = 0
  let won = 0
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const storm = new Storm(seed)
    const { f } = storm
    for (let step = 0; step < STEPS; step += 1) storm.step()
    storm.finish()
    const { said } = f.health
    const count = (word: string): number => said.filter((line) => line.startsWith(word)).length
    const found = [
      ...storm.problems,
      ...(storm.left > 0 ? [`${storm.left} are left`] : []),
      ...(f.clock.timers > 0 ? ['a timer is left'] : []),
      ...(count('chosen') === count('failed') + count('left') ? [] : ['an endpoint was not left']),
      ...Object.entries(f.underWay)
        .filter(([, value]) => value !== 0)
        .map(([name, value]) => `${name} ${value}`),
    ]
    if (found.length > 0) t.same(found, [], `seed ${seed}`)
    t.same(f.underWay, NOTHING)
    const outcomes = f.outcomes[0] + f.outcomes[1]
    ended += storm.ended
    hedges += f.retries['hedge'] ?? 0
    won += f.destination.resilience.hedgesWon
    retries += outcomes
  }
  t.comment(
    `${ended} requests, ${retries} sent again, ${hedges} second tries, ${won} of them taken`,
  )
  t.ok(retries > 1000 && hedges > 1000 && won > 200, 'there was something to see')
})
