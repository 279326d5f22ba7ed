// One copy of a request on its way to a mirror: the client's side of an exchange behind which there is no client.
//
// It gives the request when it is asked for it, takes all of the response and keeps nothing of it. When to send one,
// and how many at once, is left to the stage.

import type { Millis } from '../../lib/duration.ts'
import { Event } from '../http/h1/event.ts'
import { RequestReader } from '../http/h1/request-reader.ts'
import { DEFAULT_LIMITS } from '../http/limits.ts'
import type { Destination, Wire } from '../stack/destination.ts'
import { type Downstream, Exchange, type TunnelEnd } from '../stack/exchange.ts'
import { grpcStatusAtEnd, isServerFailure } from '../stack/grpc.ts'
import { PLAIN_ROUTE } from '../stack/route.ts'

/** What a copy has of the request that it is one of. */
export interface Original {
  readonly source: string
  readonly depth: number
  readonly speaks: Wire
  readonly isAgreed: boolean
  readonly isGrpc: boolean
}

export interface MirrorOwner {
  /** The copy is over, well or not, and nothing of it is under way. */
  copied(copy: MirrorCopy, isWell: boolean): void
}

export class MirrorCopy implements Downstream {
  hasBegun = false
  readonly isAnswered = false
  readonly exchange: Exchange
  readonly bytes: Buffer
  /** It is a request that would be taken from a client. */
  readonly isSound: boolean
  readonly #owner: MirrorOwner
  readonly #deadline: Millis
  readonly #isGrpc: boolean
  #hasHead = false

  /** `bytes` are its own. `deadline` is by the clock. */
  constructor(
    destination: Destination,
    { source, depth, speaks, isAgreed, isGrpc }: Original,
    bytes: Buffer,
    deadline: Millis,
    owner: MirrorOwner,
  ) {
    this.bytes = bytes
    this.#deadline = deadline
    this.#isGrpc = isGrpc
    this.#owner = owner
    const reader = new RequestReader(DEFAULT_LIMITS)
    this.isSound = reader.read(bytes, 0, bytes.length) === Event.head
    this.exchange = new Exchange(destination, this, reader.head, source, depth)
    this.exchange.isCopy = true
    // To an endpoint of which nothing else is known it goes in the protocol that its original came in.
    this.exchange.speaks = speaks
    this.exchange.isAgreed = isAgreed
  }

  /** Sends it on its way. */
  start(now: Millis): void {
    const { exchange } = this
    exchange.begin(now)
    exchange.isGrpc = this.#isGrpc
    // Nobody waits for an answer, and nobody would know which of several came.
    exchange.route = PLAIN_ROUTE
    exchange.deadline = this.#deadline
    exchange.requestBytes = this.bytes.length
    exchange.destination.requests?.open(exchange)
  }

  ready(): void {
    const { upstream, kept, request } = this.exchange
    if (upstream === undefined) return
    const bytes = kept ?? this.bytes
    if (request.end < bytes.length) upstream.body(bytes, request.end, bytes.length)
    upstream.end()
    // What is not taken at once stays where it is.
    upstream.flush()
  }

  interim(): void {
    // Nobody is told.
  }

  head(): void {
    this.#hasHead = true
  }

  body(): void {
    // Read, and that is all.
  }

  trailers(): void {
    // Read, too.
  }

  end(): void {
    // Then it is over.
  }

  flush(): boolean {
    this.hasBegun ||= this.#hasHead
    return true
  }

  discard(): void {
    this.#hasHead = this.hasBegun
  }

  resume(): void {
    // All of it was given.
  }

  over(): void {
    const { exchange } = this
    const isBadCall = exchange.isGrpc && isServerFailure(grpcStatusAtEnd(exchange))
    this.#owner.copied(this, exchange.status < 500 && !isBadCall)
  }

  fail(): void {
    this.#owner.copied(this, false)
  }

  /** Cannot come about: none is asked for. */
  tunnel(upstream: TunnelEnd): void {
    upstream.connection.reset()
    upstream.closed()
    this.exchange.lowest?.ended(this.exchange, 'response-refused')
  }
}
