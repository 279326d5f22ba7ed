// Thousands of random events in a row, over every way of choosing, and what must be true after each of them.

import t from 'tap'
import { ALGORITHMS, type Algorithm } from '../../../src/api/resources.ts'
import type { ErrorCode } from '../../../src/lib/errors.ts'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { breakerOf } from '../../../src/proxy/resilience/breaker.ts'
import { allowance } from '../../../src/proxy/resilience/ejection.ts'
import type { Picker } from '../../../src/proxy/stack/destination.ts'
import type { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import type { Exchange } from '../../../src/proxy/stack/exchange.ts'
import { endpointsOf, exchangeOf } from '../balance/fixture.ts'
import { Watched } from './watched.ts'

t.setTimeout(120_000)

const EVENTS = 5000
const ENDS: readonly (ErrorCode | number)[] = [
  ...[200, 200, 200, 200, 404, 500, 503],
  ...(['upstream-reset', 'per-try-timeout', 'endpoint-refused', 'deadline-exceeded'] as const),
  ...(['downstream-reset', 'response-incomplete', 'drain-timeout'] as const),
]

class Storm {
  readonly w: Watched
  readonly #random: Random
  readonly #algorithm: Algorithm
  readonly #all: Endpoint[]
  /** By endpoint: how likely it is to fail. */
  readonly #faults = new Map<Endpoint, number>()
  readonly underWay: Exchange[] = []
  picker: Picker

  constructor(seed: number, algorithm: Algorithm) {
    this.#random = seededRandom(seed)
    this.#algorithm = algorithm
    const random = this.#random
    const count = 1 + Math.floor(random() * 8)
    const rule = {
      ...{ consecutiveFailures: 1 + Math.floor(random() * 4), minSuccessRate: random() },
      ...{ slowerThanPeers: random() < 0.5 ? 0 : 3, minRequests: 5, window: 5000 },
      ...{ maxEjectedPercent: Math.floor(random() * 5) * 25 },
      ...{ panicPercent: Math.floor(random() * 3) * 40, slowStart: random() < 0.5 ? 0 : 3000 },
      ejection: { base: 200 + random() * 1000, max: 5000 },
    }
    this.w = new Watched(count, rule, random)
    this.#all = endpointsOf(...new Array<number>(8).fill(1))
    this.picker = this.#watch(count)
  }

  #watch(count: number): Picker {
    const { w } = this
    const from = Math.floor(this.#random() * (this.#all.length - count + 1))
    w.endpoints = this.#all.slice(from, from + count)
    w.health.watch(w.endpoints)
    this.picker = w.picker(this.#algorithm, Math.floor(this.#random() * 1000))
    return this.picker
  }

  chaos(): void {
    const random = this.#random
    const turn = random()
    if (turn < 0.4) this.send()
    else if (turn < 0.75) this.#end()
    else if (turn < 0.97) this.w.clock.advance(random() * 120)
    else if (turn < 0.985) this.w.sweep()
    else if (turn < 0.99) this.#faults.set(this.#any(this.#all), random())
    else if (turn < 0.995) this.#any(this.w.endpoints).connectFailed(this.w.clock.now())
    else if (turn < 0.997) this.w.clock.advance(20_000)
    else this.#watch(1 + Math.floor(random() * this.#all.length))
  }

  send(): Exchange {
    const { health, clock } = this.w
    const exchange = exchangeOf([])
    exchange.begin(clock.now())
    exchange.affinity = Math.floor(this.#random() * 2 ** 32)
    exchange.isPanicking = health.isPanicking
    exchange.lot = health.isRamping ? this.#random() : NaN
    const endpoint = this.picker.pick(exchange)
    if (endpoint === undefined) throw new Error('an endpoint is there, and none is found')
    exchange.endpoint = endpoint
    exchange.sentAt = clock.now()
    health.chosen(exchange, endpoint)
    endpoint.open += 1
    this.underWay.push(exchange)
    return exchange
  }

  end(exchange: Exchange, how: ErrorCode | number): void {
    const { w } = this
    this.underWay.splice(this.underWay.indexOf(exchange), 1)
    if (exchange.endpoint !== undefined) exchange.endpoint.open -= 1
    if (typeof how === 'number' || how === 'response-incomplete') {
      w.answer(exchange, typeof how === 'number' ? how : 200)
    }
    if (typeof how === 'number' || how === 'downstream-reset') w.leave(exchange)
    else w.fail(exchange, how)
  }

  #end(): void {
    if (this.underWay.length === 0) return
    const exchange = this.#any(this.underWay)
    const { endpoint } = exchange
    const fault = endpoint === undefined ? 0 : (this.#faults.get(endpoint) ?? 0)
    this.end(exchange, this.#random() < fault ? this.#any(ENDS) : 200)
  }

  #any<T>(all: readonly T[]): T {
    const one = all[Math.floor(this.#random() * all.length)]
    if (one === undefined) throw new Error('nobody')
    return one
  }

  /** What is wrong now; empty if nothing is. */
  wrong(): string {
    const { w } = this
    const { health, endpoints, rule, clock } = w
    const now = clock.now()
    const out = endpoints.filter((each) => (breakerOf(each)?.state ?? 'closed') !== 'closed')
    if (out.length !== health.ejected) return `${out.length} are out, ${health.ejected} are counted`
    if (out.length > allowance(rule, endpoints.length)) return `${out.length} are out: too many`
    for (const endpoint of endpoints) {
      const breaker = breakerOf(endpoint)
      if (breaker === undefined) continue
      if (breaker.state === 'closed' && endpoint.ejectedUntil > now) return 'closed and ejected'
      if (breaker.state !== 'closed' && endpoint.rampsUntil > now) return 'out and coming back'
      const longest = Math.max(1000, 1.1 * rule.ejection.max)
      if (endpoint.ejectedUntil > now + longest) return 'out for too long'
      const probes = this.underWay.filter(
        ({ endpoint: asked, isProbe, sentAt }) =>
          asked === endpoint && isProbe && sentAt >= breaker.since && now - sentAt < 1000,
      )
      if (breaker.state === 'half-open' && probes.length > 1) return `${probes.length} probes`
    }
    if (health.isPanicking && (rule.panicPercent === 0 || out.length === 0)) return 'panic'
    return ''
  }
}

for (const algorithm of ALGORITHMS) {
  t.test(`storm: ${algorithm}`, async (t) => {
    for (let seed = 1; seed <= 6; seed += 1) {
      const storm = new Storm(seed, algorithm)
      for (let turn = 0; turn < EVENTS; turn += 1) {
        storm.chaos()
        const wrong = storm.wrong()
        if (wrong !== '') {
          t.fail(`seed ${seed}, event ${turn}: ${wrong}`)
          return
        }
      }
      t.ok(calm(storm), `seed ${seed}: when all are well again, all are let back`)
    }
  })
}

/** Everything is answered well from now on. */
function calm(storm: Storm): boolean {
  const { w } = storm
  for (const exchange of [...storm.underWay]) storm.end(exchange, 'downstream-reset')
  for (let turn = 0; turn < 2000; turn += 1) {
    w.clock.advance(50)
    if (turn % 20 === 0) w.sweep()
    storm.end(storm.send(), 200)
  }
  return w.endpoints.every((_, at) => w.state(at) === 'closed') && !w.health.isPanicking
}
