// A single stage between two that only note what reaches them, and requests that nobody sent: what tests of a stage by
// itself start from.

import type { ErrorCode } from '../../../src/lib/errors.ts'
import { TimerWheel } from '../../../src/lib/timer-wheel.ts'
import { RequestReader } from '../../../src/proxy/http/h1/request-reader.ts'
import { DEFAULT_LIMITS } from '../../../src/proxy/http/limits.ts'
import { ConnectionCounters } from '../../../src/proxy/stack/counters.ts'
import { Destination, SinglePicker } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { type Downstream, Exchange, type Stage } from '../../../src/proxy/stack/exchange.ts'
import { PLAIN_ROUTE, type Route } from '../../../src/proxy/stack/route.ts'
import type { World } from '../../../src/proxy/stack/world.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { logLines } from '../../support/log-lines.ts'

/** A world whose clock stands still and whose chance is what the test says. */
export class FakeWorld implements World {
  readonly clock: FakeClock = new FakeClock()
  readonly wheel: TimerWheel<Exchange> = new TimerWheel<Exchange>(this.clock)
  readonly log: World['log'] = logLines().log
  /** The next numbers that chance gives; 0 when there are none. */
  readonly lots: number[] = []
  draws = 0

  random = (): number => {
    this.draws += 1
    return this.lots.shift() ?? 0
  }
}

/** Notes what reaches it, such as `open`, `headers`, `ended reset`, with the time. */
export class Notes implements Stage {
  readonly seen: string[] = []
  readonly #world: FakeWorld

  constructor(world: FakeWorld) {
    this.#world = world
  }

  open(exchange: Exchange): void {
    exchange.lowest = this
    this.#note('open')
  }

  headers(): void {
    this.#note('headers')
  }

  ended(_: Exchange, error: ErrorCode | undefined): void {
    this.#note(`ended ${error ?? 'well'}`)
  }

  #note(what: string): void {
    this.seen.push(`${this.#world.clock.now()} ${what}`)
  }
}

/** A client that hears of nothing. */
const NOBODY: Downstream = {
  hasBegun: false,
  isAnswered: false,
  ready: () => undefined,
  interim: () => undefined,
  head: () => undefined,
  body: () => undefined,
  trailers: () => undefined,
  end: () => undefined,
  flush: () => true,
  discard: () => undefined,
  resume: () => undefined,
  over: () => undefined,
  fail: () => undefined,
  tunnel: () => undefined,
}

export function destination(service = 'shop.default:80'): Destination {
  const counters = new ConnectionCounters('outbound', service, '10.1.0.1:80')
  const picker = new SinglePicker(new Endpoint({ ip: '10.1.0.1', port: 80 }, 1, counters))
  return new Destination('outbound', service, picker, { connectTimeout: 1000, idleTimeout: 0 })
}

/** A request that was read, on a route that demands what is given. */
export function exchange(
  world: FakeWorld,
  rules: Partial<Route>,
  text = 'GET /a HTTP/1.1\r\nHost: shop:80\r\n\r\n',
  to: Destination = destination(),
): Exchange {
  const reader = new RequestReader(DEFAULT_LIMITS)
  const bytes = Buffer.from(text, 'latin1')
  reader.read(bytes, 0, bytes.length)
  to.route = { ...PLAIN_ROUTE, ...rules }
  const made = new Exchange(to, NOBODY, reader.head, '10.0.0.1', 2)
  made.begin(world.clock.now())
  return made
}
