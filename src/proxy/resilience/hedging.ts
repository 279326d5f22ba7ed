// The second try of a request whose first has no response yet: an exchange of its own below the retry policy, with
// the request as it was sent, and nobody behind it until its response is the one that is taken.
//
// From then on what comes of it goes to the client of the first, and what the client's side says goes to its
// endpoint. When to hedge, and which of the two is taken, is left to the stage.

import type { Millis } from '../../lib/duration.ts'
import type { Head } from '../http/head.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { type Downstream, Exchange, type Upstream } from '../stack/exchange.ts'

/**
 * The second try, not opened yet. `exchange` is the first: it becomes its leader. Undefined if there is no other
 * endpoint, or if the request is not at hand.
 */
export function secondTry(exchange: Exchange, now: Millis): Exchange | undefined {
  const { destination, endpoint, source, depth } = exchange
  if (endpoint === undefined || destination.picker.endpoints.length < 2) return undefined
  if (!exchange.rewind()) return undefined
  const downstream = new SecondDownstream(exchange)
  const hedge = new Exchange(destination, downstream, exchange.request, source, depth)
  downstream.exchange = hedge
  hedge.begin(now)
  hedge.leader = exchange
  hedge.route = exchange.route
  hedge.deadline = exchange.deadline
  hedge.speaks = exchange.speaks
  hedge.isAgreed = exchange.isAgreed
  hedge.isGrpc = exchange.isGrpc
  hedge.plainBody = exchange.plainBody
  hedge.lacksHost = exchange.lacksHost
  hedge.attempt = exchange.attempt
  hedge.sent = exchange.sent
  hedge.kept = exchange.kept
  hedge.replay = exchange.replay
  hedge.requestTrailers = exchange.requestTrailers
  hedge.rewind()
  hedge.requestCut = exchange.requestCut
  hedge.requestLines = exchange.requestLines
  hedge.tried.push(...exchange.tried)
  avoid(hedge, endpoint)
  // Those of earlier tries may be asked again, but not the one that is being asked now.
  if (isEveryTried(hedge)) hedge.tried.splice(0, hedge.tried.length, endpoint)
  return hedge
}

/** The response of the second try is the one that is taken: the first goes on with it. Its own attempt is over. */
export function adopt(leader: Exchange, hedge: Exchange): void {
  leader.upstream = new SecondUpstream(hedge)
  leader.endpoint = hedge.endpoint
  leader.response = hedge.response
  leader.status = hedge.status
  leader.grpcStatus = hedge.grpcStatus
  leader.now = hedge.now
  leader.sentAt = hedge.sentAt
  leader.attempt = hedge.attempt
  leader.details = ''
}

/** Whether the response that the client gets is the second try's. */
export function isTaken(leader: Exchange, hedge: Exchange): boolean {
  return hedge.response !== undefined && hedge.response === leader.response
}

/** For the next choice, another endpoint is preferred. */
export function avoid(exchange: Exchange, endpoint: Endpoint): void {
  if (!exchange.tried.includes(endpoint)) exchange.tried.push(endpoint)
}

export function isEveryTried({ tried, destination }: Exchange): boolean {
  return destination.picker.endpoints.every((endpoint) => tried.includes(endpoint))
}

/** In the client's stead: gives the request, and takes the response as soon as it is wanted. */
class SecondDownstream implements Downstream {
  exchange: Exchange | undefined
  readonly #leader: Exchange

  constructor(leader: Exchange) {
    this.#leader = leader
    this.exchange = undefined
  }

  get hasBegun(): boolean {
    return this.#client?.hasBegun === true
  }

  get isAnswered(): boolean {
    return this.#client?.isAnswered === true
  }

  ready(): void {
    const { exchange } = this
    const upstream = exchange?.upstream
    if (exchange === undefined || upstream === undefined) return
    const { kept, replay, request, requestTrailers } = exchange
    if (kept !== undefined) {
      upstream.body(kept, request.end, kept.length)
    } else {
      if (replay !== undefined) upstream.body(replay.body, 0, replay.length)
      if (requestTrailers !== undefined) upstream.trailers(requestTrailers)
    }
    upstream.end()
    upstream.flush()
  }

  interim(): void {
    // The first try's are passed on; nobody needs them twice.
  }

  head(): void {
    // The leader's own downstream is told.
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#client?.body(bytes, start, end)
  }

  trailers(head: Head): void {
    this.#client?.trailers(head)
  }

  end(): void {
    this.#client?.end()
  }

  flush(): boolean {
    return this.#client?.flush() ?? true
  }

  discard(): void {
    this.#client?.discard()
  }

  resume(): void {
    // All of the request was given already.
  }

  over(): void {
    // The leader's own downstream is told, as of the next two.
  }

  fail(): void {
    // As above.
  }

  tunnel(): void {
    // A request that may be hedged asks for none.
  }

  /** The client's side, once the response that it is to get is this one. */
  get #client(): Downstream | undefined {
    const { exchange } = this
    const isHeard = exchange !== undefined && isTaken(this.#leader, exchange)
    return isHeard ? this.#leader.downstream : undefined
  }
}

/** In the stead of the first try's connection: what the client's side says goes to the second's. */
class SecondUpstream implements Upstream {
  readonly #hedge: Exchange

  constructor(hedge: Exchange) {
    this.#hedge = hedge
  }

  body(): void {
    // All of the request was given already.
  }

  trailers(): void {
    // As above.
  }

  end(): void {
    // As above.
  }

  flush(): boolean {
    return true
  }

  resume(): void {
    this.#hedge.upstream?.resume()
  }

  cancel(): void {
    this.#hedge.upstream?.cancel()
  }

  abandon(): void {
    this.#hedge.upstream?.abandon()
  }
}
