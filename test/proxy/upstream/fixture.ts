// Sessions over fake sockets and a clock that stands still: what the tests of this folder start from.

import type { Test } from 'tap'
import { seededRandom } from '../../../src/lib/random.ts'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { Destination } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import { Sessions } from '../../../src/proxy/upstream/sessions.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { FakeConnection, FakeSockets } from '../../support/fake-sockets.ts'
import { logLines } from '../../support/log-lines.ts'

export const CONNECT_TIMEOUT = 1000
export const IDLE_TIMEOUT = 60_000

export class Fixture {
  readonly clock: FakeClock = new FakeClock()
  readonly sockets: FakeSockets = new FakeSockets()
  readonly counters: CounterRegistry = new CounterRegistry()
  readonly lines: Record<string, unknown>[]
  readonly sessions: Sessions
  #port = 50_000

  constructor(t: Test, limits: { maxConnections?: number } = {}) {
    const { log, lines } = logLines()
    this.lines = lines
    const { maxConnections = 1000 } = limits
    const rules = { keepAlive: 0, maxConnections }
    this.sessions = new Sessions(this.sockets, this.clock, rules, this.counters, log)
    t.teardown(() => {
      this.sessions.stop()
    })
  }

  /** A destination with endpoints 10.1.0.1:80, 10.1.0.2:80 and so on, in turn. */
  destination(count: number, maxConnections?: number): Destination {
    const endpoints = Array.from({ length: count }, (_, at) => {
      const address = { ip: `10.1.0.${at + 1}`, port: 80 }
      const counters = this.counters.of('outbound', 'shop.default:80', `${address.ip}:80`)
      return new Endpoint(address, 1, counters)
    })
    const balancer = { algorithm: 'roundRobin', affinity: { kind: 'none' } } as const
    const picker = makePicker(balancer, endpoints, seededRandom(1))
    return new Destination('outbound', 'shop.default:80', picker, {
      connectTimeout: CONNECT_TIMEOUT,
      idleTimeout: IDLE_TIMEOUT,
      maxConnections,
    })
  }

  /** A client's connection, given to the sessions. */
  arrive(destination: Destination, port?: number): FakeConnection {
    this.#port += 1
    const client = new FakeConnection({ ip: '10.0.0.1', port: port ?? this.#port })
    const dialled = destination.picker.endpoints[0]?.address
    const admitted = this.sessions.admit(client, destination, dialled)
    if (admitted !== undefined) this.sessions.start(client, destination, admitted)
    return client
  }

  /** How often each error was counted. */
  get errors(): Record<string, number> {
    return Object.fromEntries(
      [...this.counters.errors()].map(({ reason, count }) => [reason, count]),
    )
  }

  events(event: string): Record<string, unknown>[] {
    return this.lines.filter((line) => line['event'] === event)
  }
}
