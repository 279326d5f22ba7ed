// A client's side of exchanges, without a codec and without sockets: one request after another, each read from the
// bytes of a real one, with the same exchange for all of them, as a connection does it.

import type { Clock } from '../../src/lib/clock.ts'
import type { ErrorCode } from '../../src/lib/errors.ts'
import { Event } from '../../src/proxy/http/h1/event.ts'
import { RequestReader } from '../../src/proxy/http/h1/request-reader.ts'
import { DEFAULT_LIMITS } from '../../src/proxy/http/limits.ts'
import type { Destination } from '../../src/proxy/stack/destination.ts'
import { type Downstream, Exchange } from '../../src/proxy/stack/exchange.ts'

const SOURCE = '198.18.0.1'

/** What became of a request: 0 and an error if there was no response, or a status that the mesh gave for it. */
export type Ended = (status: number, error: ErrorCode | undefined) => void

class Call implements Downstream {
  hasBegun = false
  readonly isAnswered = false
  isFree = true
  readonly #exchange: Exchange
  readonly #reader = new RequestReader(DEFAULT_LIMITS)
  readonly #calls: Calls
  #ended: Ended | undefined
  #isStaged = false

  constructor(calls: Calls) {
    this.#calls = calls
    this.#exchange = new Exchange(calls.destination, this, this.#reader.head, SOURCE, 1)
    this.#ended = undefined
  }

  begin(text: Buffer, ended: Ended): void {
    const exchange = this.#exchange
    this.isFree = false
    this.hasBegun = false
    this.#isStaged = false
    this.#ended = ended
    this.#reader.restart()
    if (this.#reader.read(text, 0, text.length) !== Event.head) {
      throw new Error(`not a request: ${text.toString('latin1')}`)
    }
    exchange.begin(this.#calls.clock.now())
    exchange.requestBytes = text.length
    exchange.destination.requests?.open(exchange)
  }

  /** Nobody waits any more, as when a client closes its connection. */
  giveUp(): void {
    if (this.isFree) return
    const exchange = this.#exchange
    exchange.upstream?.cancel()
    exchange.details = 'gave up'
    exchange.lowest?.ended(exchange, 'downstream-reset')
  }

  ready(): void {
    const { upstream } = this.#exchange
    if (upstream === undefined) return
    upstream.end()
    upstream.flush()
  }

  head(): void {
    this.#isStaged = true
  }

  flush(): boolean {
    if (this.#isStaged) this.hasBegun = true
    return true
  }

  discard(): void {
    if (!this.hasBegun) this.#isStaged = false
  }

  over(): void {
    this.#end(this.#exchange.status, undefined)
  }

  fail(error: ErrorCode): void {
    this.#end(this.#exchange.status, error)
  }

  interim(): void {
    // No simulated server sends any.
  }

  body(): void {
    // Nor bodies.
  }

  trailers(): void {
    // None are sent here.
  }

  end(): void {
    // The response is whole with its head.
  }

  resume(): void {
    // Nothing is ever held back.
  }

  tunnel(): void {
    throw new Error('nothing here asks for a tunnel')
  }

  #end(status: number, error: ErrorCode | undefined): void {
    if (this.isFree) return
    this.isFree = true
    const ended = this.#ended
    this.#ended = undefined
    this.#calls.free(this)
    ended?.(status, error)
  }
}

/** Gives a request up, if it is not over. */
export type GiveUp = () => void

export class Calls {
  readonly destination: Destination
  readonly clock: Clock
  readonly #free: Call[] = []

  constructor(destination: Destination, clock: Clock) {
    this.destination = destination
    this.clock = clock
  }

  /** Begins a request; it may be over before this returns. */
  begin(text: Buffer, ended: Ended): GiveUp {
    const call = this.#free.pop() ?? new Call(this)
    let isOver = false
    call.begin(text, (status, error) => {
      isOver = true
      ended(status, error)
    })
    return () => {
      if (!isOver) call.giveUp()
    }
  }

  free(call: Call): void {
    this.#free.push(call)
  }
}
