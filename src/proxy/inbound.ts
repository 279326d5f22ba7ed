// The way of a connection that somebody makes to the pod's application, from top to bottom.
//
// accept -> original destination (the pod's own address and the application's port) -> then, in the session:
// connect -> relay. Composition only: each step is in its own room.

import { formatAddress, isLoopback, type SocketAddress } from '../lib/address.ts'
import { MeshError } from '../lib/errors.ts'
import type { Acceptor, Connection } from './net/connection.ts'
import type { DestinationSource } from './net/original-destination.ts'
import type { CounterRegistry } from './stack/counters.ts'
import { Destination, SinglePicker } from './stack/destination.ts'
import { Endpoint } from './stack/endpoint.ts'
import type { Sessions } from './upstream/sessions.ts'

export interface InboundRules {
  readonly connectTimeout: number
  readonly idleTimeout: number
}

/** What the client connected to, and what that means: the same but for explicit listeners. */
interface Way {
  readonly target: SocketAddress
  readonly dialled: SocketAddress | undefined
}

export class Inbound {
  readonly #sessions: Sessions
  readonly #rules: InboundRules
  readonly #originalDestination: DestinationSource
  readonly #counters: CounterRegistry

  constructor(
    sessions: Sessions,
    rules: InboundRules,
    originalDestination: DestinationSource,
    counters: CounterRegistry,
  ) {
    this.#sessions = sessions
    this.#rules = rules
    this.#originalDestination = originalDestination
    this.#counters = counters
  }

  /** For connections that the rules redirected to us. */
  transparent(): Acceptor {
    return this.#acceptor('', (connection) => {
      const dialled = this.#originalDestination(connection)
      // Whoever routes a foreign address through this pod, or its loopback to it, must not find a relay that dials it.
      if (isLoopback(dialled.ip) || !this.#sessions.isLocal(dialled.ip)) {
        throw new MeshError('not-local', { target: formatAddress(dialled.ip, dialled.port) })
      }
      return { target: dialled, dialled }
    })
  }

  /** For connections that are made to a listener of ours, which stands for one address of the application. */
  explicit(target: SocketAddress): Acceptor {
    return this.#acceptor(formatAddress(target.ip, target.port), (connection) => ({
      target,
      dialled: connection.local(),
    }))
  }

  #acceptor(label: string, wayOf: (connection: Connection) => Way): Acceptor {
    const sessions = this.#sessions
    const counters = this.#counters.of('inbound', 'local', label)
    return {
      onAccept: (connection) => {
        try {
          const { target, dialled } = wayOf(connection)
          if (sessions.isOwnPort(target)) {
            throw new MeshError('proxy-loop', { target: formatAddress(target.ip, target.port) })
          }
          const endpoint = new Endpoint(target, 1, counters)
          const picker = new SinglePicker(endpoint)
          const destination = new Destination('inbound', 'local', picker, this.#rules)
          sessions.start(connection, destination, dialled)
        } catch (error) {
          sessions.refuse(connection, 'inbound', MeshError.from(error))
        }
      },
      onAcceptFailed: (errno) => {
        sessions.acceptFailed('inbound', errno)
      },
    }
  }
}
