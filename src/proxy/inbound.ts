// The way of a connection and of a request that somebody makes to the pod's application, from top to bottom.
//
// accept -> original destination (the pod's own address and the application's port) -> then what the connection
// speaks decides (reception.ts): as it is, in a session: connect -> relay; or request by request, through the stages
// below. Composition only: each step is in its own room.

import { formatAddress, isLoopback, type SocketAddress } from '../lib/address.ts'
import { MeshError } from '../lib/errors.ts'
import type { Acceptor, Connection } from './net/connection.ts'
import type { Parts } from './outbound.ts'
import { Admission } from './resilience/admission.ts'
import { Deadlines } from './resilience/deadlines.ts'
import { DialledDestinations } from './route/dialled-destinations.ts'
import { Destination, SinglePicker } from './stack/destination.ts'
import { Endpoint } from './stack/endpoint.ts'
import type { Stage } from './stack/exchange.ts'
import { ResilienceCounters, type ResilienceLine } from './stack/resilience-counters.ts'
import { PLAIN_ROUTE } from './stack/route.ts'
import { Measurement } from './telemetry/measurement.ts'
import { Balancing } from './upstream/balancing.ts'

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
  /** What is counted of all ports of the application together. */
  readonly local: ResilienceLine
  readonly #parts: Parts
  readonly #rules: InboundRules

  constructor(parts: Parts, rules: InboundRules) {
    this.local = { direction: 'inbound', service: 'local', resilience: new ResilienceCounters() }
    this.#parts = parts
    this.#rules = rules
  }

  /** For connections that the rules redirected to us. */
  transparent(): Acceptor {
    const { originalDestination, sessions } = this.#parts
    return this.#acceptor('', (connection) => {
      const dialled = originalDestination(connection)
      // Whoever routes a foreign address through this pod, or its loopback to it, must not find a relay that dials it.
      if (isLoopback(dialled.ip) || !sessions.isLocal(dialled.ip)) {
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
    const { sessions, reception } = this.#parts
    const applications = this.#applications(label)
    return {
      onAccept: (connection) => {
        try {
          const { target, dialled } = wayOf(connection)
          if (sessions.isOwnPort(target)) {
            throw new MeshError('proxy-loop', { target: formatAddress(target.ip, target.port) })
          }
          const destination = applications.at(target, sessions.ticker.now)
          destination.requests ??= this.#stages(destination)
          reception.receive(connection, destination, dialled)
        } catch (error) {
          sessions.refuse(connection, 'inbound', MeshError.from(error))
        }
      },
      onAcceptFailed: (errno) => {
        sessions.acceptFailed('inbound', errno)
      },
    }
  }

  #applications(label: string): DialledDestinations {
    const { counters, sessions } = this.#parts
    const line = counters.of('inbound', 'local', label)
    const { direction, service, resilience } = this.local
    const applications = new DialledDestinations((address) => {
      const endpoint = new Endpoint(address, 1, line)
      const picker = new SinglePicker(endpoint)
      return new Destination(direction, service, picker, this.#rules, PLAIN_ROUTE, resilience)
    })
    sessions.eachTick((now) => {
      applications.sweep(now)
    })
    return applications
  }

  /** The way of a request: each stage knows the one above it. */
  #stages(destination: Destination): Stage {
    const { counters, observer, reception } = this.#parts
    const line = counters.of(destination.direction, destination.service, '')
    const measurement = new Measurement(reception.clock, line, observer)
    const deadlines = new Deadlines(reception, measurement)
    const admission = new Admission(reception, deadlines)
    const connecting = new Balancing(destination, reception, admission)
    measurement.above(deadlines)
    deadlines.above(admission)
    admission.above(connecting)
    return measurement
  }
}
