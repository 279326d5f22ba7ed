// One request and its response, on their way between a client's connection and an endpoint's.
//
// An exchange belongs to the client's side, which uses the same object for one request after another, so that a
// request allocates nothing here. Every stage finds its per-request state in it. No codec is known: what stands on
// either side is seen through the two interfaces below, and body bytes go from one to the other without passing
// through the stages.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { Alarm, type TimerWheel } from '../../lib/timer-wheel.ts'
import { Field, fieldBits } from '../http/fields.ts'
import { Event } from '../http/h1/event.ts'
import { RequestReader } from '../http/h1/request-reader.ts'
import { Framing, type Head } from '../http/head.ts'
import { DEFAULT_LIMITS } from '../http/limits.ts'
import type { Connection } from '../net/connection.ts'
import type { ByteCounters } from '../net/relay.ts'
import type { Choice, Destination, Wire } from './destination.ts'
import type { Endpoint } from './endpoint.ts'
import type { Verdict } from './health.ts'
import type { Observation } from './observation.ts'
import { Replay } from './replay.ts'
import type { DeadlineSource } from './resilience-counters.ts'
import { NO_LIMIT, type Route } from './route.ts'

/** No affinity: any endpoint will do. */
export const NO_AFFINITY = -1

/** It neither waits for the application nor is being worked on there, or nobody counts. */
export const NO_PLACE = -1
/** It is one of those that the application works on. */
export const AT_WORK = -2

/** A response of gRPC that did not say how the call ended, or none. */
export const NO_GRPC_STATUS = -1

const UPGRADE = fieldBits(Field.upgrade)
const HOST = fieldBits(Field.host)

/** A step on the way of a request: built once for a destination; what it needs for a request it keeps in the exchange. */
export interface Stage {
  /** Takes a request further down. Its head can be read until it is sent. */
  open(exchange: Exchange): void
  /** The response's head is there, on its way up. */
  headers(exchange: Exchange): void
  /** The exchange is over, `now` being the time, or this attempt of it has failed with `error`. */
  ended(exchange: Exchange, error: ErrorCode | undefined): void
}

/**
 * The client's side. What it is given is staged and leaves with `flush`, when all bytes at hand were found sound;
 * `discard` drops what is staged.
 */
export interface Downstream {
  /** What it does not take at once it has copied: the bytes need not stay as they are. */
  readonly copies?: true
  /** The head of the response proper has left: nothing else can be answered any more. */
  readonly hasBegun: boolean
  /** All of the response has left: of the exchange nothing is awaited but the rest of the request. */
  readonly isAnswered: boolean
  /** The request can be sent now: gives upstream the body that is there, and goes on reading. */
  ready(): void
  /** A 1xx other than 101. */
  interim(response: Head): void
  head(response: Head): void
  /** Bytes of the body as they stand between `start` and `end`: what they are is said by the head's framing. */
  body(bytes: Buffer, start: number, end: number): void
  /** What follows the body, in fields; only of a message that is not chunked. Good until the next `flush`. */
  trailers(fields: Head): void
  end(): void
  /** False if the client does not take more for now; upstream is told to `resume`. */
  flush(): boolean
  discard(): void
  /** Upstream takes bytes again. */
  resume(): void
  /** Both messages are through. */
  over(): void
  /** There is no response, or the rest of it will not come: answers with the exchange's status if it still can. */
  fail(error: ErrorCode): void
  /** The exchange becomes a tunnel: both connections are joined, beginning with what upstream sent already. */
  tunnel(upstream: TunnelEnd, bytes: Buffer | undefined): void
}

/** A connection to an endpoint that has become one end of a tunnel. */
export interface TunnelEnd {
  readonly connection: Connection
  readonly counters: ByteCounters
  /** Both directions are over and the connection is closed. */
  closed(): void
}

/** The endpoint's side, from `Downstream.ready` on until the exchange ends. Staged and flushed as the other. */
export interface Upstream {
  /** As of the other side. */
  readonly copies?: true
  body(bytes: Buffer, start: number, end: number): void
  trailers(fields: Head): void
  end(): void
  /** False if the endpoint does not take more for now; downstream is told by `resume`. */
  flush(): boolean
  /** The client takes bytes again. */
  resume(): void
  /** Nothing that is still under way is wanted: the client is gone, or the time is over. */
  cancel(): void
  /** The rest of the response is not wanted. Unlike `cancel`, it may be read to its end and the connection kept. */
  abandon(): void
}

export class Exchange implements Choice {
  readonly destination: Destination
  readonly downstream: Downstream
  upstream: Upstream | undefined = undefined
  /** The stage that it came to, and the one that chose the endpoint: the answer returns through them. */
  lowest: Stage | undefined = undefined
  chooser: Stage | undefined = undefined
  request: Head
  response: Head | undefined = undefined
  /** The client's IP address; empty if it is not known. */
  readonly source: string
  /** How many connections through this very process it has come over. */
  readonly depth: number
  /** A hash of what the client is to stay by, or NO_AFFINITY. */
  affinity: number = NO_AFFINITY
  readonly tried: Endpoint[] = []
  /** For this choice: ejected endpoints may be asked; and what one that comes back slowly must be above, 0 to 1. */
  isPanicking = false
  lot: number = NaN
  /** It decides whether a half-open breaker closes. */
  isProbe = false
  /** What this attempt was counted as for its endpoint's health. */
  verdict: Verdict = 0
  endpoint: Endpoint | undefined = undefined
  /** Times that an endpoint was asked, from 1. */
  attempt = 0
  /** Of those, before this try. */
  earlierAttempts = 0
  /** Times that it was sent, at least in part. */
  sent = 0
  /** Times that the retry policy had it sent again. */
  retries = 0
  /** What its policy demands. */
  route: Route
  /** When its time is over, by the clock; NO_LIMIT if it has as long as it likes. What each hop passes on is the rest. */
  deadline: Millis = NO_LIMIT
  /** Who said so. */
  deadlineSource: DeadlineSource = 'given'
  /** Where its deadline is remembered under its trace's ids; the trace memory's own. */
  traces: Float64Array | undefined = undefined
  /** Where among the requests that wait for the application it stands; NO_PLACE if it does not wait, or AT_WORK. */
  place: number = NO_PLACE
  /** A copy of it goes to the route's mirror. */
  isMirrored = false
  /** It is such a copy: no route's demands hold for it. */
  isCopy = false
  /** The exchange that this one is a second try of. */
  leader: Exchange | undefined = undefined
  /** The second try of this one. */
  hedge: Exchange | undefined = undefined
  /** By the clock, when a stage was last entered. Starts as a double, which times are. */
  now: Millis = NaN
  startedAt: Millis = NaN
  /** When this attempt was sent. */
  sentAt: Millis = NaN
  /** It was sent on a connection that had carried others before, and next time it must be a new one. */
  wasReused = false
  needsNew = false
  /** What the client speaks, and the endpoint too unless it is known to speak something else. */
  speaks: Wire = 'http1'
  /** It was agreed on with us, in a TLS handshake (ALPN), and so says nothing of the endpoint. */
  isAgreed = false
  /** It is a call of gRPC, by its Content-Type. */
  isGrpc = false
  /** What the call ended with, in a head or in trailers; NO_GRPC_STATUS as long as there is none. */
  grpcStatus: number = NO_GRPC_STATUS
  /** The HTTP/2 error code that the endpoint reset it with: passed on to a client whose response has begun. */
  resetCode = 0
  /** The client knows no chunks (HTTP/1.0, HTTP/2): the body is given as its content alone, and trailers apart. */
  plainBody = false
  /** It came without a Host, and is sent with its endpoint's name. */
  lacksHost = false
  /** The request as it was sent, if that was all of it: it can be sent again. */
  kept: Buffer | undefined = undefined
  /** Asked for by whoever may send it again (`keepForReplay`): what does not leave in one write is kept here. */
  replay: Replay | undefined = undefined
  /** What followed its body, in fields, where that is given apart from it; set by the client's side. */
  requestTrailers: Head | undefined = undefined
  /** All of it was read. */
  isAtHand = false
  /** All of the request was given to the endpoint's side. */
  requestEnded = false
  /** When this try began: the first one, or one that the retry policy had made. */
  tryAt: Millis = NaN
  /** Of this try: when the head of its response must be there, NaN before the request has ended; when to hedge. */
  headersDue: Millis = NaN
  hedgeAt: Millis = NO_LIMIT
  /** The client did not take the response as fast as it came. */
  wasHeldBack = false
  /** 0 as long as there is no response. */
  status = 0
  error: ErrorCode | undefined = undefined
  /** Why the last attempt failed. */
  failure: ErrorCode | undefined = undefined
  /** What the log says of the error, besides its name. */
  details = ''
  requestBytes: number = NaN
  responseBytes: number = NaN
  /** Recognised fields to take out of the request besides those of the hop, as bits, and lines to add to it. */
  requestCut = 0
  requestLines: Buffer | undefined = undefined
  responseLines: Buffer | undefined = undefined
  /** What logs and traces noted; only where there are any. */
  observation: Observation | undefined = undefined

  /** For the end of its time, and for the step that it is at: both belong to the exchange for good. */
  readonly deadlineAlarm: Alarm<Exchange> = new Alarm<Exchange>(this)
  readonly stepAlarm: Alarm<Exchange> = new Alarm<Exchange>(this)
  /** For a delay that a policy asked for: made when the first one does. */
  faultAlarm: Alarm<Exchange> | undefined = undefined
  readonly #head: Head
  #spare: RequestReader | undefined = undefined
  #spareReplay: Replay | undefined = undefined

  /** `request` is the head that every request of this client is read into. */
  constructor(
    destination: Destination,
    downstream: Downstream,
    request: Head,
    source: string,
    depth: number,
  ) {
    this.destination = destination
    this.downstream = downstream
    this.request = request
    this.#head = request
    this.route = destination.route
    this.source = source
    this.depth = depth
  }

  /** For the next request of the same client. */
  begin(now: Millis): void {
    this.request = this.#head
    this.upstream = undefined
    this.lowest = undefined
    this.chooser = undefined
    this.response = undefined
    this.affinity = NO_AFFINITY
    if (this.tried.length > 0) this.tried.length = 0
    this.isPanicking = false
    this.isProbe = false
    this.verdict = 0
    this.endpoint = undefined
    this.attempt = 0
    this.earlierAttempts = 0
    this.sent = 0
    this.retries = 0
    this.route = this.destination.route
    this.deadline = NO_LIMIT
    this.deadlineSource = 'given'
    this.isMirrored = false
    this.hedge = undefined
    this.now = now
    this.startedAt = now
    this.sentAt = now
    this.tryAt = now
    this.wasReused = false
    this.needsNew = false
    this.isGrpc = false
    this.grpcStatus = NO_GRPC_STATUS
    this.resetCode = 0
    this.plainBody = false
    this.lacksHost = false
    this.kept = undefined
    this.replay = undefined
    this.requestTrailers = undefined
    this.isAtHand = false
    this.requestEnded = false
    this.wasHeldBack = false
    this.status = 0
    this.error = undefined
    this.failure = undefined
    this.details = ''
    this.requestBytes = 0
    this.responseBytes = 0
    this.requestCut = 0
    this.requestLines = undefined
    this.responseLines = undefined
    this.observation = undefined
  }

  /** The endpoint that it is with, or failed at last. */
  get lastEndpoint(): Endpoint | undefined {
    return this.endpoint ?? this.tried[this.tried.length - 1]
  }

  /**
   * From now on it could be sent again, although it does not leave in one write. To be called before any of its body
   * is given. Nothing is done for what can be sent again anyway: what was kept or is, and a head that stays as it is
   * without a body.
   */
  keepForReplay(): void {
    if (this.isReplayable || this.replay !== undefined) return
    this.#spareReplay ??= new Replay()
    this.#spareReplay.begin(this.request)
    this.replay = this.#spareReplay
  }

  /** As much of it as was given can be given again. */
  get isReplayable(): boolean {
    if (this.kept !== undefined) return true
    if (this.replay !== undefined) return !this.replay.isCut
    return this.#head.isStable && this.#head.framing === Framing.none
  }

  /**
   * Makes the head readable again, from the bytes that were sent; false if they were not kept. The connection's own
   * buffer may have been filled again since. What is kept is copied: the connection that it was sent on owns it, and
   * may write another request over it before this one has been sent again. Its body stands behind its head, as the
   * head says; what a replay has is framed as the request came.
   */
  rewind(): boolean {
    if (!this.isReplayable) return false
    if (this.kept === undefined && this.#head.isStable) {
      this.request = this.#head
      return true
    }
    const kept = this.kept === undefined ? this.replay?.head : Buffer.from(this.kept)
    if (kept === undefined) return false
    this.#spare ??= new RequestReader(DEFAULT_LIMITS)
    const reader = this.#spare
    reader.restart()
    if (reader.read(kept, 0, kept.length) !== Event.head) return false
    this.request = reader.head
    if (this.kept === undefined) {
      // As it came, it asks for what it was kept from asking for.
      if ((this.requestCut & UPGRADE) !== 0) this.request.upgrade = false
      return true
    }
    this.kept = kept
    // They stand in what was sent. So does the name of the endpoint that it was sent to.
    this.requestCut = this.lacksHost ? HOST : 0
    this.requestLines = undefined
    return true
  }

  /** It is over, and may be long before the next one: gives back what a large request has taken. */
  settle(): void {
    this.kept = undefined
    this.replay?.settle()
  }

  /** Nothing is under way, and nothing has moved for a while: gives back the memory of what was sent. */
  rest(): void {
    this.kept = undefined
    this.replay = undefined
    this.requestTrailers = undefined
    this.request = this.#head
    this.#spare = undefined
    this.#spareReplay = undefined
  }

  /** The client's connection is closed, and nothing of it is under way. */
  letGo(wheel: TimerWheel<Exchange>): void {
    wheel.forget(this.deadlineAlarm)
    wheel.forget(this.stepAlarm)
    if (this.faultAlarm !== undefined) wheel.forget(this.faultAlarm)
  }
}
