// A finished span: what is kept of a request until it is exported.
//
// The exchange is used again at once, so its figures are copied. What a collector is told is made of them when the
// span is exported (otlp-span.ts).

import type { SocketAddress } from '../../lib/address.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { Direction } from '../stack/counters.ts'
import type { Exchange } from '../stack/exchange.ts'
import type { Observation } from '../stack/observation.ts'

export class Span {
  readonly observation: Observation
  readonly direction: Direction
  readonly service: string
  /** The client's IP address; empty if it is not known. */
  readonly source: string
  readonly endpoint: SocketAddress | undefined
  readonly status: number
  readonly error: ErrorCode | undefined
  readonly details: string
  readonly attempts: number
  /** HTTP's: `1.1`, `2`. */
  readonly version: string
  readonly isGrpc: boolean
  /** Of a call of gRPC: what it ended with. */
  readonly grpcStatus: number
  readonly duration: Millis

  constructor(exchange: Exchange, observation: Observation, duration: Millis) {
    this.observation = observation
    this.direction = exchange.destination.direction
    this.service = exchange.destination.service
    this.source = exchange.source
    this.endpoint = exchange.endpoint?.address
    this.status = exchange.status
    this.error = exchange.error
    this.details = exchange.details
    this.attempts = exchange.attempt
    this.version = exchange.speaks === 'http2' ? '2' : `1.${exchange.request.minor}`
    this.isGrpc = exchange.isGrpc
    this.grpcStatus = exchange.grpcStatus
    this.duration = duration
  }
}
