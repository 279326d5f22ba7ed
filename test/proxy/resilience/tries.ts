// The retry policy between a client's side that keeps what it is told and the real balancing over endpoints that do
// what a test says: every try is at hand, to be answered, broken or left alone, and time is turned by hand.

import { DEFAULT_RULES, type RouteRules } from '../../../src/api/resources.ts'
import type { ErrorCode } from '../../../src/lib/errors.ts'
import { type Random, seededRandom } from '../../../src/lib/random.ts'
import { TimerWheel } from '../../../src/lib/timer-wheel.ts'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import { Event } from '../../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../../src/proxy/http/h1/request-reader.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { Retrying } from '../../../src/proxy/resilience/retrying.ts'
import { makeRoute } from '../../../src/proxy/route/make-route.ts'
import { ConnectionCounters } from '../../../src/proxy/stack/counters.ts'
import { Destination } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { Exchange, type Stage } from '../../../src/proxy/stack/exchange.ts'
import { isGrpc } from '../../../src/proxy/stack/grpc.ts'
import { Balancing } from '../../../src/proxy/upstream/balancing.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'
import { Client, FakePool, HealthLog, type Try } from './tries-parts.ts'

/** The parts of a route's rules that a test cares for. */
export interface Wish {
  readonly retries?: Partial<RouteRules['retries']>
  readonly timeouts?: Partial<RouteRules['timeouts']>
}

/** `METHOD target` and lines; with a body, its whole text. */
export interface Asked {
  readonly line?: string
  readonly fields?: readonly string[]
  /** Of the body, what had come when the request came to the stages. */
  readonly body?: string
  /** That was all of it. */
  readonly isAtHand?: boolean
}

export class Tries {
  readonly clock: FakeClock = new FakeClock()
  readonly wheel: TimerWheel<Exchange> = new TimerWheel<Exchange>(this.clock)
  readonly destination: Destination
  readonly health: HealthLog = new HealthLog()
  readonly retrying: Retrying
  /** In the order in which they began. */
  readonly all: Try[] = []
  /** What came up to the stage above. */
  readonly above: string[] = []
  /** Sends every try as soon as it has an endpoint. */
  sends = true
  chance: Random

  constructor(endpoints = 3, wish: Wish = {}, chance: number | Random = 0.5) {
    this.chance = typeof chance === 'number' ? () => chance : chance
    const { clock, wheel } = this
    const { log } = logLines()
    const world = { clock, wheel, log, random: () => this.chance() }
    const picker = makePicker(
      { algorithm: 'roundRobin', affinity: { kind: 'none' } },
      Array.from({ length: endpoints }, (_, at) => endpointOf(at)),
      () => 0,
    )
    const rules = { connectTimeout: 1000, idleTimeout: 0 }
    this.destination = new Destination('outbound', 'shop:80', picker, rules, routeOf(wish))
    this.destination.health = this.health
    this.retrying = new Retrying(world, this.#top())
    const host = {
      ...{ clock, random: seededRandom(1) },
      isOwnPort: () => false,
      connectFailed: () => undefined,
      makePool: (endpoint: Endpoint) =>
        new FakePool(endpoint, clock, (made) => {
          this.all.push(made)
          if (this.sends) made.send()
        }),
    }
    this.retrying.above(new Balancing(this.destination, host, this.retrying))
  }

  /** Keeps what comes up, and tells the client's side as the real one does. */
  #top(): Stage {
    return {
      open: () => undefined,
      headers: (exchange) => {
        this.above.push(`head ${exchange.status}`)
        if (exchange.response !== undefined) exchange.downstream.head(exchange.response)
      },
      ended: (exchange, error) => {
        this.above.push(error ?? 'ended')
        exchange.error = error
        if (error === undefined) exchange.downstream.over()
        else exchange.downstream.fail(error)
      },
    }
  }

  /** A request that has begun, but is not opened. */
  request(asked: Asked = {}): Exchange {
    const { line = 'GET /', fields = [], body = '', isAtHand = true } = asked
    const text = [
      `${line} HTTP/1.1`,
      `Host: ${line.startsWith('CONNECT') ? 'shop:80' : 'shop'}`,
      ...fields,
      '',
      '',
    ].join('\r\n')
    const reader = new RequestReader(DEFAULT_LIMITS)
    const bytes = Buffer.from(`-${text}${body}`, 'latin1')
    if (reader.read(bytes, 1, bytes.length) !== Event.head) throw new Error(`refused: ${text}`)
    const client = new Client()
    const exchange = new Exchange(this.destination, client, reader.head, '10.0.0.1', 1)
    client.exchange = exchange
    exchange.begin(this.clock.now())
    exchange.requestBytes = bytes.length - 1
    exchange.isAtHand = isAtHand
    exchange.isGrpc = isGrpc(reader.head)
    return exchange
  }

  open(asked: Asked = {}): Exchange {
    const exchange = this.request(asked)
    this.retrying.open(exchange)
    return exchange
  }

  /** As the client's side, or a stage above, ends a request. */
  stop(exchange: Exchange, error: ErrorCode): void {
    exchange.upstream?.cancel()
    exchange.downstream.discard()
    exchange.details = 'stopped'
    exchange.now = this.clock.now()
    exchange.lowest?.ended(exchange, error)
  }

  get last(): Try {
    const last = this.all.at(-1)
    if (last === undefined) throw new Error('no try was begun')
    return last
  }

  at(index: number): Try {
    const found = this.all[index]
    if (found === undefined) throw new Error(`no try ${index}`)
    return found
  }

  /** Where the tries went: the endpoints' last numbers. */
  get went(): string {
    return this.all.map(({ endpoint }) => endpoint.key.slice(5, 6)).join('')
  }

  /** How often, by reason. */
  get retries(): Record<string, number> {
    return Object.fromEntries(this.destination.resilience.retries)
  }

  get denied(): Record<string, number> {
    return Object.fromEntries(this.destination.resilience.denied)
  }

  /** Requests that were sent again: answered well, and not. */
  get outcomes(): readonly [number, number] {
    const { retrySuccesses, retryFailures } = this.destination.resilience
    return [retrySuccesses, retryFailures]
  }

  /** All that must be 0 when nothing is under way. */
  get underWay(): Record<string, number> {
    const { active, retrying, picker, pending } = this.destination
    const { endpoints } = picker
    return {
      ...{ active, retrying, pending: pending.length },
      open: endpoints.reduce((sum, { open }) => sum + open, 0),
      requests: endpoints.reduce((sum, { counters }) => sum + counters.forRequests().active, 0),
    }
  }
}

export function routeOf({ retries, timeouts }: Wish): ReturnType<typeof makeRoute> {
  return makeRoute('default', {
    ...DEFAULT_RULES,
    retries: { ...DEFAULT_RULES.retries, ...retries },
    timeouts: { ...DEFAULT_RULES.timeouts, ...timeouts },
  })
}

/** A call of gRPC, as a test may open it. */
export const CALL: Asked = {
  line: 'POST /shop.Cart/Add',
  fields: ['Content-Type: application/grpc', 'TE: trailers', 'Content-Length: 0'],
}

/** 10.0.N.1:80 */
function endpointOf(at: number): Endpoint {
  const ip = `10.0.${at}.1`
  return new Endpoint({ ip, port: 80 }, 1, new ConnectionCounters('outbound', 'shop:80', ip))
}

export const NOTHING = { active: 0, retrying: 0, pending: 0, open: 0, requests: 0 }
