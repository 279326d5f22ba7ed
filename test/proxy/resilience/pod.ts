// A pod over real loopback sockets, in the test's own process: a raw client, the inbound way, the application, the
// outbound way and a service behind it, with a clock that the test turns.

import type { Test } from 'tap'
import { makePicker } from '../../../src/proxy/balance/picker.ts'
import { Inbound } from '../../../src/proxy/inbound.ts'
import type { Acceptor, Listener } from '../../../src/proxy/net/connection.ts'
import { chooseSockets } from '../../../src/proxy/net/sockets.ts'
import { Outbound, type Parts } from '../../../src/proxy/outbound.ts'
import { Reception } from '../../../src/proxy/reception.ts'
import type { ConcurrencyRules } from '../../../src/proxy/resilience/admission.ts'
import { TraceDeadlines } from '../../../src/proxy/resilience/trace-deadlines.ts'
import { DEFAULT_ROUTE } from '../../../src/proxy/route/make-route.ts'
import { RouteTable } from '../../../src/proxy/route/route-table.ts'
import { CounterRegistry } from '../../../src/proxy/stack/counters.ts'
import { Destination } from '../../../src/proxy/stack/destination.ts'
import { Endpoint } from '../../../src/proxy/stack/endpoint.ts'
import type { RequestObserver } from '../../../src/proxy/stack/observation.ts'
import { Sessions } from '../../../src/proxy/upstream/sessions.ts'
import { FakeClock } from '../../support/fake-clock.ts'
import { type RawBackend, RawClient } from '../../support/http-peer.ts'
import { logLines } from '../../support/log-lines.ts'
import { until } from '../../support/until.ts'

const RULES = { connectTimeout: 1000, idleTimeout: 60_000 }
const SERVICE = 'shop.default'
const LABEL = `${SERVICE}:80`

export interface PodOptions {
  readonly concurrency?: ConcurrencyRules
  readonly observer?: RequestObserver
  /** Where outbound requests go. */
  readonly service?: RawBackend
}

export class Pod {
  readonly clock: FakeClock = new FakeClock()
  readonly counters: CounterRegistry = new CounterRegistry()
  readonly traces: TraceDeadlines = new TraceDeadlines()
  readonly sessions: Sessions
  readonly reception: Reception
  readonly inbound: Inbound
  readonly service: Destination
  readonly #outbound: Outbound
  readonly #sockets = chooseSockets('auto').sockets
  readonly #clients: RawClient[] = []
  readonly #listeners: Listener[] = []

  /** Closed with the test. */
  static async start(t: Test, application: RawBackend, options: PodOptions = {}): Promise<Pod> {
    const f = new Pod(options)
    t.teardown(() => {
      f.#close()
    })
    await f.#listen(f.inbound.explicit({ ip: '127.0.0.1', port: application.port }))
    await f.#listen(f.#outbound.explicit(SERVICE, 80))
    return f
  }

  private constructor({ concurrency, observer, service }: PodOptions) {
    const { log } = logLines()
    const limits = { keepAlive: 0, maxConnections: 10_000 }
    this.sessions = new Sessions(this.#sockets, this.clock, limits, this.counters, log)
    this.reception = new Reception(this.sessions, 'l7', this.counters, log)
    const address = { ip: '127.0.0.1', port: service?.port ?? 1 }
    const endpoint = new Endpoint(address, 1, this.counters.of('outbound', LABEL, 'a'))
    const rule = { algorithm: 'roundRobin', affinity: { kind: 'none' } } as const
    const picker = makePicker(rule, [endpoint], () => 0)
    this.service = new Destination('outbound', LABEL, picker, RULES, DEFAULT_ROUTE)
    this.service.protocol = 'http'
    const parts: Parts = {
      ...{ sessions: this.sessions, reception: this.reception, counters: this.counters, observer },
      originalDestination: () => {
        throw new Error('nothing is redirected here')
      },
      traces: this.traces,
    }
    this.inbound = new Inbound(parts, concurrency === undefined ? RULES : { ...RULES, concurrency })
    const table = new RouteTable(new Map(), new Map([[LABEL, this.service]]), new Set())
    this.#outbound = new Outbound(parts, { table }, { ...RULES, egress: 'deny' })
  }

  async #listen(acceptor: Acceptor): Promise<void> {
    const address = { ip: '127.0.0.1', port: 0 }
    this.#listeners.push(await this.#sockets.listen(address, acceptor, { keepAlive: 0 }))
  }

  /** A client of the pod, or the application as a client of the mesh. */
  async client(direction: 'inbound' | 'outbound' = 'inbound'): Promise<RawClient> {
    const listener = this.#listeners[direction === 'inbound' ? 0 : 1]
    const client = await RawClient.connect(listener?.address.port ?? 0)
    this.#clients.push(client)
    return client
  }

  /** Requests at work and waiting, over all of the application's ports. */
  get load(): { readonly active: number; readonly waiting: number } {
    const all = [...this.inbound.applications()]
    return {
      active: all.reduce((sum, { active }) => sum + active, 0),
      waiting: all.reduce((sum, { waiting }) => sum + waiting, 0),
    }
  }

  async loaded(active: number, waiting: number): Promise<void> {
    await until(`${active} at work, ${waiting} waiting`, () => {
      const { load } = this
      return load.active === active && load.waiting === waiting
    })
  }

  get shed(): Record<string, number> {
    return Object.fromEntries(this.inbound.local.resilience.shed)
  }

  #close(): void {
    for (const listener of this.#listeners) listener.close()
    for (const { socket } of this.#clients) socket.destroy()
    this.sessions.abort()
    this.reception.stop()
    this.sessions.stop()
  }
}
