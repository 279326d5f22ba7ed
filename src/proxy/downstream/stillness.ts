// For how long no byte may move on a client's connection, and how long while a request is under way on it.

import type { Millis } from '../../lib/duration.ts'
import { TICK } from '../net/ticker.ts'
import type { Exchange } from '../stack/exchange.ts'

/** `idle` counts from the tick before the last byte: up to a second more than it has really been still. */
export function isTooStill(exchange: Exchange, idle: Millis, isUnderWay: boolean): boolean {
  const { idleTimeout } = exchange.destination
  if (idleTimeout > 0 && idle >= idleTimeout) return true
  // Such a time may be shorter than a tick, and must not end what moved a moment ago.
  return isUnderWay && idle >= exchange.route.timeouts.streamIdle + TICK
}
