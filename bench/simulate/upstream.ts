// One try of a request at a simulated server: an endpoint's side of an exchange, without a codec and without sockets.
//
// It tells the exchange what H1Upstream tells it, in the same order; what it is held against stands there.

import type { Clock } from '../../src/lib/clock.ts'
import type { ErrorCode } from '../../src/lib/errors.ts'
import type { Exchange, Upstream } from '../../src/proxy/stack/exchange.ts'
import { type Message, readRequest, responseHead } from './message.ts'
import type { Job, Server } from './server.ts'

export interface UpstreamHost {
  readonly clock: Clock
  readonly server: Server
  /** The connection can carry another request. */
  released(upstream: SimulatedUpstream): void
  /** The connection is closed. */
  lost(upstream: SimulatedUpstream): void
  headers(exchange: Exchange): void
  ended(exchange: Exchange, error: ErrorCode | undefined): void
}

const FOREVER = Number.POSITIVE_INFINITY
/** Until it begins. */
const NOTHING: Message = { method: '', host: '', trace: '', due: FOREVER, timeout: FOREVER }

export class SimulatedUpstream implements Upstream, Job {
  isLeft = false
  message: Message = NOTHING
  readonly #host: UpstreamHost
  #exchange: Exchange | undefined
  #requestEnded = false
  #isSent = false

  constructor(host: UpstreamHost, exchange: Exchange) {
    this.#host = host
    this.#exchange = exchange
  }

  /** Begins: the request is asked for. */
  carry(isReused: boolean): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    exchange.wasReused = isReused
    exchange.upstream = this
    exchange.sent += 1
    exchange.requestEnded = false
    const left = exchange.deadline - this.#host.clock.now()
    this.message = readRequest(exchange.request, left)
    exchange.downstream.ready()
  }

  body(): void {
    // Simulated requests have none.
  }

  trailers(): void {
    // None are sent here.
  }

  end(): void {
    this.#requestEnded = true
    if (this.#exchange !== undefined) this.#exchange.requestEnded = true
  }

  flush(): boolean {
    const exchange = this.#exchange
    if (exchange === undefined || !this.#requestEnded || this.#isSent) return true
    this.#isSent = true
    const { bytes, start, end } = exchange.request
    // Nobody fills these bytes again: each request of the simulation has its own.
    exchange.kept = bytes.subarray(start, end)
    const { clock, server } = this.#host
    clock.after(server.distance, () => {
      if (!this.isLeft) server.take(this)
    })
    return true
  }

  resume(): void {
    // Nothing is ever held back.
  }

  cancel(): void {
    this.#leave()
    this.#host.lost(this)
  }

  abandon(): void {
    this.cancel()
  }

  answered(status: number): void {
    const { clock, server } = this.#host
    clock.after(server.distance, () => {
      this.#respond(status)
    })
  }

  broken(): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    this.#leave()
    this.#host.lost(this)
    exchange.downstream.discard()
    exchange.details = 'ECONNRESET'
    this.#host.ended(exchange, 'upstream-reset')
  }

  #respond(status: number): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    const head = responseHead(status)
    exchange.now = this.#host.clock.now()
    exchange.status = status
    exchange.response = head
    exchange.responseBytes += head.end - head.start
    this.#host.headers(exchange)
    // A stage above took the attempt back.
    if (!this.#has(exchange)) return
    exchange.downstream.end()
    exchange.downstream.flush()
    if (!this.#has(exchange)) return
    this.#exchange = undefined
    exchange.upstream = undefined
    this.#host.released(this)
    this.#host.ended(exchange, undefined)
  }

  #has(exchange: Exchange): boolean {
    return this.#exchange === exchange
  }

  #leave(): void {
    const exchange = this.#exchange
    if (exchange === undefined) return
    this.#exchange = undefined
    exchange.upstream = undefined
    this.isLeft = true
    this.#host.server.left(this)
  }
}
