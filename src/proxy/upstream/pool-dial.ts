// A connection of a pool that is being opened, and what is known of one that is open.
//
// It counts among the connections that its destination may have from the moment it is dialled. Who is waiting for it,
// and what is spoken on it, is left to the pool.

import type { Timer } from '../../lib/clock.ts'
import type { Connection, Dial, Dialer } from '../net/connection.ts'
import type { Destination } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import type { Exchange } from '../stack/exchange.ts'
import { pathOf } from './path.ts'
import type { PoolHost } from './pool-host.ts'

/** Told once what became of a dial. */
export interface DialOwner {
  readonly endpoint: Endpoint
  dialled(dial: PoolDial, connection: Connection): void
  /** `errno` is its name. */
  dialFailed(dial: PoolDial, errno: string): void
}

/** A pooled connection, and what is to be undone when it ends. */
export interface Held {
  readonly destination: Destination
  readonly path: string
}

/** A connection that is being opened because a request found none. */
export class PoolDial implements Dialer {
  readonly destination: Destination
  path = ''
  readonly #owner: DialOwner
  readonly #dial: Dial
  readonly #timer: Timer
  #isOver = false

  constructor(owner: DialOwner, host: PoolHost, exchange: Exchange) {
    const { address } = owner.endpoint
    this.#owner = owner
    this.destination = exchange.destination
    this.destination.open += 1
    this.#dial = host.connect(address, this)
    const register = (): void => {
      if (this.#isOver || this.#dial.local === undefined || this.path !== '') return
      this.path = pathOf(this.#dial.local, address)
      host.connecting(exchange.depth, this.path)
    }
    register()
    // Streams know their own address a tick later.
    if (this.path === '') process.nextTick(register)
    this.#timer = host.clock.after(this.destination.connectTimeout, () => {
      // An answer that has long arrived must not lose against a timer that ran out in a stall.
      host.clock.afterPoll(() => {
        if (this.#isOver) return
        this.#dial.cancel()
        this.onConnectFailed('ETIMEDOUT')
      })
    })
  }

  onConnected(connection: Connection): void {
    this.#end()
    this.#owner.dialled(this, connection)
  }

  onConnectFailed(code: string): void {
    this.#end()
    this.#owner.dialFailed(this, code)
  }

  #end(): void {
    this.#isOver = true
    this.#timer.cancel()
  }
}
