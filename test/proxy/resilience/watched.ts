// A Service whose endpoints are watched, without a network: attempts are made, and end, as a test says.

import {
  type Algorithm,
  DEFAULT_OUTLIER,
  type Outlier,
  type SessionAffinity,
} from '../../../src/api/resources.ts'
import type { ErrorCode } from '../../../src/lib/errors.ts'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import { Breaker } from '../../../src/proxy/resilience/breaker.ts'
import { OutlierDetection } from '../../../src/proxy/resilience/outlier-detection.ts'
import type { Picker } from '../../../src/proxy/stack/destination.ts'
import type { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import type { Exchange } from '../../../src/proxy/stack/exchange.ts'
import { ResilienceCounters } from '../../../src/proxy/stack/resilience-counters.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'
import { endpointsOf, exchangeOf } from '../balance/fixture.ts'

/** Without chance in the lengths of ejections. */
const CERTAIN: Random = () => 0

export class Watched {
  readonly clock: FakeClock = new FakeClock()
  readonly resilience: ResilienceCounters = new ResilienceCounters()
  readonly lines: Record<string, unknown>[]
  readonly health: OutlierDetection
  readonly rule: Outlier
  readonly random: Random
  endpoints: Endpoint[]

  constructor(count: number, change: Partial<Outlier> = {}, random: Random = CERTAIN) {
    const { log, lines } = logLines()
    this.lines = lines
    this.rule = { ...DEFAULT_OUTLIER, ...change }
    this.random = random
    const world = { clock: this.clock, random, log }
    const destination = { service: 'shop.default:80', resilience: this.resilience }
    this.health = new OutlierDetection(destination, this.rule, world)
    this.endpoints = endpointsOf(...new Array<number>(count).fill(1))
    this.health.watch(this.endpoints)
    this.clock.advance(10_000)
  }

  picker(algorithm: Algorithm = 'roundRobin', seed = 1): Picker {
    const affinity: SessionAffinity = { kind: 'none' }
    return makePicker({ algorithm, affinity }, this.endpoints, seededRandom(seed))
  }

  at(at: number): Endpoint {
    const endpoint = this.endpoints[at]
    if (endpoint === undefined) throw new Error(`no endpoint ${at}`)
    return endpoint
  }

  breaker(at = 0): Breaker {
    const { breaker } = this.at(at)
    if (!(breaker instanceof Breaker)) throw new Error(`endpoint ${at} has no breaker`)
    return breaker
  }

  state(at = 0): string {
    return this.health.view(this.at(at), this.clock.now()).state
  }

  get states(): string {
    return this.endpoints.map((_, at) => this.state(at)).join(' ')
  }

  /** A GET for that endpoint. */
  send(at = 0, exchange: Exchange = exchangeOf([])): Exchange {
    const now = this.clock.now()
    exchange.begin(now)
    exchange.attempt = 1
    exchange.sentAt = now
    exchange.endpoint = this.at(at)
    this.health.chosen(exchange, this.at(at))
    return exchange
  }

  /** The head of its response, now. */
  answer(exchange: Exchange, status = 200): void {
    exchange.now = this.clock.now()
    exchange.status = status
    this.health.answered(exchange, endpointOf(exchange))
  }

  /** A call of gRPC to that endpoint. */
  call(at = 0): Exchange {
    const exchange = this.send(at)
    exchange.isGrpc = true
    return exchange
  }

  /** The end of the response to a call, with what its trailers say; -1 if they do not. */
  conclude(exchange: Exchange, grpcStatus: number): void {
    exchange.now = this.clock.now()
    exchange.grpcStatus = grpcStatus
    this.health.concluded(exchange, endpointOf(exchange))
    this.leave(exchange)
  }

  /** A whole call: the code in the head, or after it. */
  called(at: number, grpcStatus: number, isInHead = false): void {
    const exchange = this.call(at)
    if (isInHead) exchange.grpcStatus = grpcStatus
    this.answer(exchange)
    this.conclude(exchange, grpcStatus)
  }

  /** Its end in order, or without anybody to blame. */
  leave(exchange: Exchange): void {
    this.health.left(exchange, endpointOf(exchange))
  }

  fail(exchange: Exchange, error: ErrorCode = 'upstream-reset'): void {
    this.health.failed(exchange, endpointOf(exchange), error)
  }

  /** A whole attempt that takes so long. */
  attempt(at = 0, status = 200, took = 0): Exchange {
    const exchange = this.send(at)
    this.clock.advance(took)
    this.answer(exchange, status)
    this.leave(exchange)
    return exchange
  }

  /** Attempts with a status. */
  attempts(at: number, count: number, status = 200): void {
    for (let turn = 0; turn < count; turn += 1) this.attempt(at, status)
  }

  /** Trips it by failures in a row. */
  trip(at = 0): void {
    this.attempts(at, this.rule.consecutiveFailures, 503)
  }

  sweep(): void {
    this.health.sweep(this.clock.now())
  }

  /** Time passes, with a look every second. */
  pass(time: number): void {
    for (let left = time; left > 0; left -= 1000) {
      this.clock.advance(Math.min(1000, left))
      this.sweep()
    }
  }

  events(event: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line['event'] === event)
  }
}

function endpointOf({ endpoint }: Exchange): Endpoint {
  if (endpoint === undefined) throw new Error('no endpoint')
  return endpoint
}
