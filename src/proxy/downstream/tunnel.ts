// An exchange that became a tunnel (CONNECT, Upgrade): both connections joined, byte for byte, until both are done.
//
// The exchange ends with it. What either side sent behind its head goes first.

import type { Clock } from '../../lib/clock.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { type Connection, NO_RECEIVER } from '../net/connection.ts'
import type { Outlet } from '../net/outlet.ts'
import { Relay, type RelayEnd, type RelayOwner } from '../net/relay.ts'
import { TICK, type Ticker } from '../net/ticker.ts'
import type { Exchange, TunnelEnd } from '../stack/exchange.ts'
import type { Successor } from './host.ts'

export interface TunnelStart {
  readonly client: Connection
  readonly outlet: Outlet
  readonly upstream: TunnelEnd
  /** What each side sent already. */
  readonly fromClient: Buffer | undefined
  readonly fromUpstream: Buffer | undefined
  /** The client will send nothing more. */
  readonly clientEnded: boolean
}

export interface TunnelWorld {
  readonly clock: Clock
  readonly ticker: Ticker
}

export class Tunnel implements RelayOwner, Successor {
  readonly #exchange: Exchange
  readonly #start: TunnelStart
  readonly #relay: Relay
  readonly #clock: Clock
  readonly #closed: () => void
  #isOver = false

  constructor(exchange: Exchange, start: TunnelStart, world: TunnelWorld, closed: () => void) {
    const { client, upstream, outlet } = start
    this.#exchange = exchange
    this.#start = start
    this.#clock = world.clock
    this.#closed = closed
    this.#relay = new Relay(client, upstream.connection, upstream.counters, world.ticker, this)
    if (outlet.isEmpty) {
      this.#join()
      return
    }
    // What it sends meanwhile waits in the kernel.
    client.readStop()
    client.receiver = {
      ...NO_RECEIVER,
      onDrain: () => {
        if (outlet.drained()) this.#join()
      },
      onError: (_, code) => {
        this.onRelayEnd({ kind: 'broken', side: 'downstream', code })
      },
    }
  }

  sweep(now: number, idleTimeout: number): void {
    const idle = now - this.#relay.lastActive
    if (idleTimeout > 0 && idle >= idleTimeout) this.abort('idle-timeout')
    else if (idle >= TICK) this.#relay.look()
    if (idle >= 2 * TICK) this.#relay.rest()
  }

  abort(error: ErrorCode): void {
    this.#relay.abort()
    this.#end(error, '')
  }

  onRelayEnd(end: RelayEnd): void {
    if (end.kind === 'finished') {
      this.#end(undefined, '')
      return
    }
    this.#relay.abort()
    const side = end.kind === 'broken' ? end.side : 'upstream'
    this.#end(`${side}-reset`, end.code)
  }

  /** The client is released at once. */
  onServerFirst(): boolean {
    return true
  }

  #join(): void {
    const { upstream, fromClient, fromUpstream, clientEnded } = this.#start
    const relay = this.#relay
    relay.start()
    relay.release({ bytes: fromClient, isEnd: clientEnded })
    if (fromUpstream !== undefined) relay.onData(upstream.connection, fromUpstream)
  }

  #end(error: ErrorCode | undefined, details: string): void {
    if (this.#isOver) return
    this.#isOver = true
    const exchange = this.#exchange
    exchange.requestBytes += this.#relay.received
    exchange.responseBytes += this.#relay.sent
    exchange.details = error === undefined ? '' : details || ERRORS[error].title
    exchange.now = this.#clock.now()
    this.#start.upstream.closed()
    exchange.lowest?.ended(exchange, error)
    this.#closed()
  }
}
