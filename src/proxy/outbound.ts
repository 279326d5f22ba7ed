// The way of a connection that the pod's application makes, from top to bottom.
//
// accept -> original destination -> route (a Service, an endpoint, or outside the mesh) -> then, in the session:
// balance -> connect -> relay. Composition only: each step is in its own room.

import { formatAddress, type SocketAddress } from '../lib/address.ts'
import { MeshError } from '../lib/errors.ts'
import type { Acceptor, Connection } from './net/connection.ts'
import type { DestinationSource } from './net/original-destination.ts'
import type { RouteTable } from './route/route-table.ts'
import type { ConnectionCounters, CounterRegistry } from './stack/counters.ts'
import { Destination, SinglePicker } from './stack/destination.ts'
import { Endpoint } from './stack/endpoint.ts'
import type { Sessions } from './upstream/sessions.ts'

export interface OutboundRules {
  readonly egress: 'allow' | 'deny'
  readonly connectTimeout: number
  readonly idleTimeout: number
}

export class Outbound {
  readonly #sessions: Sessions
  readonly #routes: { readonly table: RouteTable }
  readonly #rules: OutboundRules
  readonly #originalDestination: DestinationSource
  readonly #egressCounters: ConnectionCounters

  constructor(
    sessions: Sessions,
    routes: { readonly table: RouteTable },
    rules: OutboundRules,
    originalDestination: DestinationSource,
    counters: CounterRegistry,
  ) {
    this.#sessions = sessions
    this.#routes = routes
    this.#rules = rules
    this.#originalDestination = originalDestination
    this.#egressCounters = counters.of('outbound', 'egress', '')
  }

  /** For connections that the rules redirected to us. */
  transparent(): Acceptor {
    return this.#acceptor((connection) => {
      const dialled = this.#originalDestination(connection)
      this.#sessions.start(connection, this.#route(dialled), dialled)
    })
  }

  /** For connections that are made to a listener of ours, which stands for one Service port. */
  explicit(service: string, port: number): Acceptor {
    return this.#acceptor((connection) => {
      const found = this.#routes.table.named(service, port)
      if (found === undefined) throw new MeshError('service-unknown', { service, port })
      this.#sessions.start(connection, found, connection.local())
    })
  }

  #acceptor(carry: (connection: Connection) => void): Acceptor {
    const sessions = this.#sessions
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
    const endpoint = new Endpoint({ ip, port }, 1, this.#egressCounters)
    return new Destination('outbound', 'egress', new SinglePicker(endpoint), this.#rules)
  }
}
