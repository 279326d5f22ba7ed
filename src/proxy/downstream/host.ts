// What all clients' HTTP connections of a proxy share: the world around one of them.

import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { HeadWriter } from '../http/h1/head-writer.ts'
import type { H2Limits } from '../http/h2/h2-limits.ts'
import type { Limits } from '../http/limits.ts'
import type { Ticker } from '../net/ticker.ts'
import type { Turn } from '../net/turn.ts'
import type { Carried } from '../stack/carried.ts'
import type { Direction } from '../stack/counters.ts'
import type { Exchange } from '../stack/exchange.ts'
import type { Http2Counters } from '../stack/http2-counters.ts'

/** What is counted of a request that was sent nowhere. */
export type Answered = Pick<Exchange, 'destination' | 'status' | 'requestBytes' | 'isGrpc'>

export interface DownstreamHost {
  readonly clock: Clock
  readonly ticker: Ticker
  /** For the heads of responses. */
  readonly writer: HeadWriter
  readonly limits: Limits
  readonly h2Limits: H2Limits
  /** When what was put together in a turn leaves. */
  readonly turn: Turn
  /** No connection is to be kept for another request. */
  isDraining: boolean
  /** A request was refused, for the reason of that name. */
  refused(at: Pick<Exchange, 'destination' | 'source'>, error: ErrorCode, reason: string): void
  /** A request was answered before it was sent on its way; with an error, or as its last recipient. */
  answered(at: Answered, error: ErrorCode | undefined): void
  /** A connection is ended because of what the client did on it. */
  broken(at: Pick<Exchange, 'destination' | 'source'>, error: ErrorCode, details: string): void
  /** What is counted of clients' HTTP/2 connections in that direction. */
  http2Of(direction: Direction): Http2Counters
  /** The connection is closed, and its exchange, if it has one only, will not be used again. */
  closed(carried: Carried, exchange?: Exchange): void
}

/** Who has a client's connection when no more requests are read from it. */
export interface Successor {
  /** Once a second. */
  sweep(now: Millis, idleTimeout: Millis): void
  abort(error: ErrorCode): void
}
