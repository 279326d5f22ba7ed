// What the pools of a proxy share, whatever their connections speak: the world around them.

import type { SocketAddress } from '../../lib/address.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { H2Limits } from '../http/h2/h2-limits.ts'
import type { Limits } from '../http/limits.ts'
import type { Dial, Dialer } from '../net/connection.ts'
import type { Turn } from '../net/turn.ts'
import type { Destination } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'

export interface PoolHost {
  readonly clock: Clock
  readonly limits: Limits
  readonly h2Limits: H2Limits
  /** What is written to HTTP/2 connections leaves at its end. */
  readonly turn: Turn
  connect(address: SocketAddress, dialer: Dialer): Dial
  /** `path` (see `pathOf`) of a connection of ours that begins, or has ended; the depth of who caused it. */
  connecting(depth: number, path: string): void
  disconnected(path: string): void
  connectFailed(attempt: number, endpoint: Endpoint, reason: ErrorCode, errno: string): void
  /** A response of the endpoint was refused, for the reason of that name. */
  refused(endpoint: Endpoint, reason: string): void
  /** It broke the rules of HTTP/2: its connection was ended with a GOAWAY of that code. */
  brokeRules(endpoint: Endpoint, code: number, details: string): void
  /** A connection to the destination is free or gone. */
  roomMade(destination: Destination): void
}
