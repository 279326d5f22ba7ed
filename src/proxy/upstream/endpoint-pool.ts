// What every pool of connections to one endpoint does, whatever they speak: requests wait for dials, and the connections
// that are open or being opened count for the endpoint and for the destination that asked for them.
//
// Which connection a request gets, and how many requests one has room for, is left to the pools of each protocol.

import type { Clock } from '../../lib/clock.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { Limits } from '../http/limits.ts'
import type { Connection } from '../net/connection.ts'
import type { ByteCounters } from '../net/relay.ts'
import type { ConnectionCounters } from '../stack/counters.ts'
import type { Destination } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import type { Exchange } from '../stack/exchange.ts'
import { connectError } from './connect-error.ts'
import { type DialOwner, type Held, PoolDial } from './pool-dial.ts'
import type { PoolHost } from './pool-host.ts'

export abstract class EndpointPool implements DialOwner {
  readonly endpoint: Endpoint
  readonly clock: Clock
  readonly limits: Limits
  readonly counters: ByteCounters & ConnectionCounters
  /** Told to end: the next request needs another pool. */
  isRetired = false
  protected readonly host: PoolHost
  /** Requests without a connection, those that came first in front. */
  protected readonly waiting: Exchange[] = []
  protected readonly dials: Set<PoolDial> = new Set<PoolDial>()
  #isEvicting = false

  constructor(endpoint: Endpoint, host: PoolHost) {
    this.endpoint = endpoint
    this.counters = endpoint.counters
    this.clock = host.clock
    this.limits = host.limits
    this.host = host
  }

  /** Requests that wait may be carried by what is being dialled: so many. */
  protected abstract readonly dialledRoom: number

  /** A connection that was dialled is there. */
  protected abstract take(connection: Connection, held: Held): void

  headers(exchange: Exchange): void {
    exchange.chooser?.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    const at = this.waiting.indexOf(exchange)
    if (at >= 0) this.waiting.splice(at, 1)
    exchange.chooser?.ended(exchange, error)
  }

  refused(reason: string): void {
    this.host.refused(this.endpoint, reason)
  }

  dialled(dial: PoolDial, connection: Connection): void {
    this.dials.delete(dial)
    this.counters.opened += 1
    this.take(connection, dial)
  }

  dialFailed(dial: PoolDial, errno: string): void {
    this.dials.delete(dial)
    this.host.disconnected(dial.path)
    dial.destination.open -= 1
    const reason = connectError(errno)
    this.host.connectFailed(this.waiting[0]?.attempt ?? 0, this.endpoint, reason, errno)
    for (let left = this.waiting.length - this.dialledRoom; left > 0; left -= 1) {
      const first = this.waiting.shift()
      if (first === undefined) break
      first.details = this.endpoint.key
      this.ended(first, reason)
    }
    this.host.roomMade(dial.destination)
  }

  protected dialFor(exchange: Exchange): void {
    this.dials.add(new PoolDial(this, this.host, exchange))
  }

  /** A connection is closed. */
  protected gone({ destination, path }: Held): void {
    this.counters.closed += 1
    this.host.disconnected(path)
    destination.open -= 1
  }

  /** The place of one is free: for requests that wait, unless it was evicted for another one. */
  protected placeFree(destination: Destination): void {
    if (!this.#isEvicting) this.host.roomMade(destination)
  }

  /** Closes a connection to make room for a request that is about to be dialled for. */
  protected evictFor(connection: { close(): void }): void {
    this.#isEvicting = true
    connection.close()
    this.#isEvicting = false
  }
}
