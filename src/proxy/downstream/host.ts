// What all clients' HTTP connections of a proxy share: the world around one of them.

import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { HeadWriter } from '../http/h1/head-writer.ts'
import type { Limits } from '../http/limits.ts'
import type { Ticker } from '../net/ticker.ts'
import type { Carried } from '../stack/carried.ts'
import type { Exchange } from '../stack/exchange.ts'

export interface DownstreamHost {
  readonly clock: Clock
  readonly ticker: Ticker
  /** For the heads of responses. */
  readonly writer: HeadWriter
  readonly limits: Limits
  /** No connection is to be kept for another request. */
  isDraining: boolean
  /** A request was refused, for the reason of that name. */
  refused(exchange: Exchange, error: ErrorCode, reason: string): void
  /** A request was answered before it was sent on its way; with an error, or as its last recipient. */
  answered(exchange: Exchange, error: ErrorCode | undefined): void
  /** The connection is closed, and its exchange will not be used again. */
  closed(carried: Carried, exchange: Exchange): void
}

/** Who has a client's connection when no more requests are read from it. */
export interface Successor {
  /** Once a second. */
  sweep(now: Millis, idleTimeout: Millis): void
  abort(error: ErrorCode): void
}
