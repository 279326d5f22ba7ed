// The way of a connection and of a request that the pod's application makes, from top to bottom.
//
// accept -> original destination -> route (a Service, an endpoint, or outside the mesh) -> then what the connection
// speaks decides (reception.ts): as it is, in a session: balance -> connect -> relay; or request by request, through
// the stages below. Composition only: each step is in its own room.

import { formatAddress, type SocketAddress } from '../lib/address.ts'
import { MeshError } from '../lib/errors.ts'
import type { Acceptor, Connection } from './net/connection.ts'
import type { DestinationSource } from './net/original-destination.ts'
import type { Reception } from './reception.ts'
import { Deadlines } from './resilience/deadlines.ts'
import { Faults } from './resilience/faults.ts'
import { Mirroring } from './resilience/mirroring.ts'
import { Retrying } from './resilience/retrying.ts'
import { DialledDestinations } from './route/dialled-destinations.ts'
import type { RouteTable } from './route/route-table.ts'
import { Routing } from './route/routing.ts'
import type { ConnectionCounters, CounterRegistry } from './stack/counters.ts'
import { Destination, SinglePicker } from './stack/destination.ts'
import { Endpoint } from './stack/endpoint.ts'
import type { Stage } from './stack/exchange.ts'
import type { RequestObserver } from './stack/observation.ts'
import { ResilienceCounters, type ResilienceLine } from './stack/resilience-counters.ts'
import { PLAIN_ROUTE } from './stack/route.ts'
import { Measurement } from './telemetry/measurement.ts'
import { Balancing } from './upstream/balancing.ts'
import type { Sessions } from './upstream/sessions.ts'

export interface OutboundRules {
  readonly egress: 'allow' | 'deny'
  readonly connectTimeout: number
  readonly idleTimeout: number
}

/** What both directions are made of. */
export interface Parts {
  readonly sessions: Sessions
  readonly reception: Reception
  readonly counters: CounterRegistry
  readonly originalDestination: DestinationSource
  readonly observer: RequestObserver | undefined
}

export class Outbound {
  /** What is counted of all destinations outside the mesh together. */
  readonly outside: ResilienceLine
  readonly #parts: Parts
  readonly #routes: { readonly table: RouteTable }
  readonly #rules: OutboundRules
  readonly #egressCounters: ConnectionCounters
  readonly #outside: DialledDestinations

  constructor(parts: Parts, routes: { readonly table: RouteTable }, rules: OutboundRules) {
    this.outside = {
      direction: 'outbound',
      service: 'egress',
      resilience: new ResilienceCounters(),
    }
    this.#parts = parts
    this.#routes = routes
    this.#rules = rules
    this.#egressCounters = parts.counters.of('outbound', 'egress', '')
    this.#outside = new DialledDestinations((address) => this.#egress(address))
    parts.sessions.eachTick((now) => {
      this.#outside.sweep(now)
    })
  }

  /** For connections that the rules redirected to us. */
  transparent(): Acceptor {
    return this.#acceptor((connection) => {
      const dialled = this.#parts.originalDestination(connection)
      this.#carry(connection, this.#route(dialled), dialled)
    })
  }

  /** For connections that are made to a listener of ours, which stands for one Service port. */
  explicit(service: string, port: number): Acceptor {
    return this.#acceptor((connection) => {
      const found = this.#routes.table.named(service, port)
      if (found === undefined) throw new MeshError('service-unknown', { service, port })
      this.#carry(connection, found, connection.local())
    })
  }

  #acceptor(carry: (connection: Connection) => void): Acceptor {
    const { sessions } = this.#parts
    return {
      onAccept: (connection) => {
        try {
          carry(connection)
        } catch (error) {
          sessions.refuse(connection, 'outbound', MeshError.from(error))
        }
      },
      onAcceptFailed: (errno) => {
        sessions.acceptFailed('outbound', errno)
      },
    }
  }

  #carry(
    connection: Connection,
    destination: Destination,
    dialled: SocketAddress | undefined,
  ): void {
    destination.requests ??= this.#stages(destination)
    this.#parts.reception.receive(connection, destination, dialled)
  }

  /** The way of a request: each stage knows the one above it. */
  #stages(destination: Destination): Stage {
    const { counters, observer, reception } = this.#parts
    const line = counters.of(destination.direction, destination.service, '')
    const measurement = new Measurement(reception.clock, line, observer)
    const deadlines = new Deadlines(reception, measurement)
    const mirroring = new Mirroring(reception, deadlines)
    const retrying = new Retrying(reception, mirroring)
    const faults = new Faults(reception, retrying)
    const balancing = new Balancing(destination, reception, retrying)
    measurement.above(new Routing(deadlines))
    deadlines.above(mirroring)
    mirroring.above(retrying)
    retrying.above(faults)
    faults.above(balancing)
    return measurement
  }

  #route({ ip, port }: SocketAddress): Destination {
    const { table } = this.#routes
    const found = table.find(ip, port)
    if (found !== undefined) return found
    // Nobody but the mesh answers for a Service's address: passing it on could only come back.
    if (table.isServiceIp(ip)) {
      throw new MeshError('service-unknown', { target: formatAddress(ip, port) })
    }
    if (this.#rules.egress === 'deny') {
      throw new MeshError('egress-denied', { target: formatAddress(ip, port) })
    }
    return this.#outside.at({ ip, port }, this.#parts.sessions.ticker.now)
  }

  #egress(address: SocketAddress): Destination {
    const endpoint = new Endpoint(address, 1, this.#egressCounters)
    const picker = new SinglePicker(endpoint)
    const { direction, service, resilience } = this.outside
    return new Destination(direction, service, picker, this.#rules, PLAIN_ROUTE, resilience)
  }
}
