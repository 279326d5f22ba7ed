// One request and its response, on their way between a client's connection and an endpoint's.
//
// An exchange belongs to the client's side, which uses the same object for one request after another, so that a
// request allocates nothing here. Every stage finds its per-request state in it. No codec is known: what stands on
// either side is seen through the two interfaces below, and body bytes go from one to the other without passing
// through the stages.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { Head } from '../http/h1/head.ts'
import type { Choice, Destination } from './destination.ts'
import type { Endpoint } from './endpoint.ts'
import type { Observation } from './observation.ts'

/** No affinity: any endpoint will do. */
export const NO_AFFINITY = -1

/** A step on the way of a request: built once for a destination, it keeps what it needs of a request in the exchange. */
export interface Stage {
  /** Takes a request further down. Its head may be read until the exchange is `sent` or has ended. */
  open(exchange: Exchange): void
  /** The response's head is there, on its way up. */
  headers(exchange: Exchange): void
  /** The exchange is over, or this attempt of it has failed with `error`. */
  ended(exchange: Exchange, error: ErrorCode | undefined): void
}

/**
 * The client's side. What it is given is staged and leaves with `flush`, when all bytes at hand were found sound;
 * `discard` drops what is staged.
 */
export interface Downstream {
  /** The request can be sent now: gives upstream the body that is there, and goes on reading. */
  ready(): void
  /** A 1xx other than 101. */
  interim(response: Head): void
  head(response: Head): void
  /** Bytes of the body as they stand between `start` and `end`. */
  body(bytes: Buffer, start: number, end: number): void
  end(): void
  /** False if the client does not take more for now; upstream is told to `resume`. */
  flush(): boolean
  discard(): void
  /** There is no response, or the rest of it will not come. */
  fail(error: ErrorCode, details: string): void
}

/** The endpoint's side, from `Downstream.ready` on until the exchange ends. Staged and flushed as the other. */
export interface Upstream {
  body(bytes: Buffer, start: number, end: number): void
  end(): void
  /** False if the endpoint does not take more for now; downstream is told by `resume`. */
  flush(): boolean
  /** The client takes bytes again. */
  resume(): void
  /** The client is gone: nothing that is still under way is wanted. */
  cancel(): void
}

export class Exchange implements Choice {
  destination: Destination
  readonly downstream: Downstream & { resume(): void }
  upstream: Upstream | undefined = undefined
  request: Head
  response: Head | undefined = undefined
  /** The client's IP address; empty if it is not known. */
  source: string
  /** A hash of what the client is to stay by, or NO_AFFINITY. */
  affinity: number = NO_AFFINITY
  readonly tried: Endpoint[] = []
  endpoint: Endpoint | undefined = undefined
  /** Times that an endpoint was asked, from 1. */
  attempt = 0
  /** By the clock, when a stage was last entered. Starts as a double, which times are. */
  now: Millis = NaN
  startedAt: Millis = NaN
  /** When this attempt was sent. */
  sentAt: Millis = NaN
  /** 0 as long as there is no response. */
  status = 0
  error: ErrorCode | undefined = undefined
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

  constructor(
    destination: Destination,
    downstream: Downstream & { resume(): void },
    request: Head,
    source: string,
  ) {
    this.destination = destination
    this.downstream = downstream
    this.request = request
    this.source = source
  }

  /** For the next request of the same client. */
  begin(now: Millis): void {
    this.upstream = undefined
    this.response = undefined
    this.affinity = NO_AFFINITY
    this.tried.length = 0
    this.endpoint = undefined
    this.attempt = 0
    this.now = now
    this.startedAt = now
    this.sentAt = now
    this.status = 0
    this.error = undefined
    this.details = ''
    this.requestBytes = 0
    this.responseBytes = 0
    this.requestCut = 0
    this.requestLines = undefined
    this.responseLines = undefined
    this.observation = undefined
  }
}
