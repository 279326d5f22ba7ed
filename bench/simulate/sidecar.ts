// One sidecar without sockets: the real catalog, the real Outbound and Inbound with all their stages, the real
// reception around them; only pools, and what asks and answers, are simulated.
//
// The stages are put together by the real composition, so that what is simulated cannot come apart from what runs.

import { type DestinationStream, pino } from 'pino'
import type { Resources } from '../../src/api/resources.ts'
import { formatAddress, type SocketAddress } from '../../src/lib/address.ts'
import type { Log } from '../../src/lib/log.ts'
import type { Random } from '../../src/lib/random.ts'
import { Catalog } from '../../src/proxy/discovery/catalog.ts'
import { Inbound } from '../../src/proxy/inbound.ts'
import { type Connection, NO_RECEIVER, type Sockets } from '../../src/proxy/net/connection.ts'
import { Outbound, type Parts } from '../../src/proxy/outbound.ts'
import { Reception } from '../../src/proxy/reception.ts'
import type { ConcurrencyRules } from '../../src/proxy/resilience/admission.ts'
import { TraceDeadlines } from '../../src/proxy/resilience/trace-deadlines.ts'
import { CounterRegistry } from '../../src/proxy/stack/counters.ts'
import type { Destination } from '../../src/proxy/stack/destination.ts'
import type { Endpoint, Pool } from '../../src/proxy/stack/endpoint.ts'
import { Sessions } from '../../src/proxy/upstream/sessions.ts'
import { Calls } from './call.ts'
import type { VirtualClock } from './clock.ts'
import { SimulatedPool } from './pool.ts'
import type { Server } from './server.ts'

const OUTBOUND = { egress: 'deny', connectTimeout: 1000, idleTimeout: 0 } as const
const INBOUND = { connectTimeout: 1000, idleTimeout: 0 } as const
const LIMITS = { keepAlive: 0, maxConnections: Number.POSITIVE_INFINITY }

/** Requests that wait for an application whose sidecar limits what it works on. */
const MOST_WAITING = 1000

/** Finds who stands at an address (`ip:port`). */
export type Network = Map<string, Server>

const NOWHERE: DestinationStream = { write: () => undefined }

function none(): never {
  throw new Error('a simulation has no sockets')
}

const NO_SOCKETS: Sockets = { kind: 'raw', listen: none, connect: none }

/** What an acceptor is given so that it makes the way of a connection's requests. */
const NO_CONNECTION: Connection = {
  receiver: NO_RECEIVER,
  fd: -1,
  remote: () => undefined,
  local: () => undefined,
  readStart: () => undefined,
  readStop: () => undefined,
  write: none,
  end: () => undefined,
  isGone: () => false,
  leave: () => undefined,
  rest: () => undefined,
  close: () => undefined,
  reset: () => undefined,
}

/** Takes no connections; a destination with its stages is all that is wanted of one. */
class SimulatedReception extends Reception {
  received: Destination | undefined = undefined
  readonly #network: Network

  constructor(
    sessions: Sessions,
    counters: CounterRegistry,
    log: Log,
    random: Random,
    network: Network,
  ) {
    super(sessions, 'l7', counters, log, random)
    this.#network = network
  }

  override receive(_: Connection, destination: Destination): void {
    this.received = destination
  }

  override makePool(endpoint: Endpoint): Pool {
    const server = this.#network.get(endpoint.key)
    if (server === undefined) throw new Error(`nobody is at ${endpoint.key}`)
    return new SimulatedPool(endpoint, server, this)
  }
}

export class Sidecar {
  readonly catalog: Catalog
  readonly #clock: VirtualClock
  readonly #parts: Parts
  readonly #reception: SimulatedReception

  constructor(clock: VirtualClock, random: Random, network: Network) {
    const counters = new CounterRegistry()
    const log: Log = pino({ level: 'silent' }, NOWHERE)
    const sessions = new Sessions(NO_SOCKETS, clock, LIMITS, counters, log)
    const reception = new SimulatedReception(sessions, counters, log, random, network)
    this.#clock = clock
    this.#reception = reception
    this.catalog = new Catalog(counters, { clock, random, log })
    this.#parts = {
      ...{ sessions, reception, counters, originalDestination: none, observer: undefined },
      // Its key is drawn anew in each process; what is remembered does not depend on it.
      traces: new TraceDeadlines(),
    }
    sessions.eachTick((now) => {
      this.catalog.sweep(now)
    })
  }

  /** As discovery does: policies are compiled and put in force. */
  update(resources: Resources): void {
    this.catalog.update(resources, this.#clock.now())
  }

  /** To a Service that the catalog has. */
  callsTo(service: string, port: number): Calls {
    new Outbound(this.#parts, this.catalog, OUTBOUND)
      .explicit(service, port)
      .onAccept(NO_CONNECTION)
    return this.#calls(`${service}:${port}`)
  }

  /** To the pod's application, as the pod's own sidecar passes them on: no more than `limit` at once. */
  callsFor(application: SocketAddress, limit: number | undefined): Calls {
    const concurrency: ConcurrencyRules = {
      ...{ limit, pending: MOST_WAITING, adaptive: 'off', min: 1 },
    }
    const rules = { ...INBOUND, concurrency }
    new Inbound(this.#parts, rules).explicit(application).onAccept(NO_CONNECTION)
    return this.#calls(formatAddress(application.ip, application.port))
  }

  #calls(name: string): Calls {
    const { received } = this.#reception
    if (received === undefined) throw new Error(`refused: ${name}`)
    this.#reception.received = undefined
    return new Calls(received, this.#clock)
  }
}
