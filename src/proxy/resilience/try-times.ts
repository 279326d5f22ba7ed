// The times that one try has, on one alarm: its own end, that of the wait for the response's head, and when a second
// try is sent after it. The alarm is set for whatever comes first, and looked at when it rings.
//
// The wait for the head begins when the request has ended. Nobody notes when that was: it is seen at once where the
// request was at hand, and looked for now and then where it is uploaded. So the limit can come late by a part of
// itself, and never early.

import type { Millis } from '../../lib/duration.ts'
import { PERIOD } from '../../lib/timer-wheel.ts'
import type { Exchange } from '../stack/exchange.ts'
import { NO_LIMIT, type Route } from '../stack/route.ts'
import { mayHedge } from './retry-rules.ts'

/** The part of a limit that it can be late by. */
const LATENESS = 1 / 8

/** Whether a try of that route has any. */
export function hasTimes({ timeouts, retry }: Route): boolean {
  const { perTry, responseHeaders } = timeouts
  return perTry !== NO_LIMIT || responseHeaders !== NO_LIMIT || retry.hedgeAfter !== NO_LIMIT
}

/** A try begins. A second one is not followed by a third. */
export function beginTimes(exchange: Exchange): void {
  const isFirst = exchange.leader === undefined
  exchange.headersDue = NaN
  exchange.hedgeAt =
    isFirst && mayHedge(exchange) ? exchange.now + exchange.route.retry.hedgeAfter : NO_LIMIT
}

/** When to look next; NO_LIMIT if there is nothing more to look for. */
export function nextLook(exchange: Exchange, now: Millis): Millis {
  const { perTry, responseHeaders } = exchange.route.timeouts
  const end = exchange.tryAt + perTry
  if (exchange.response !== undefined) return end
  return Math.min(end, exchange.hedgeAt, headersLook(exchange, responseHeaders, now))
}

/** The limit that has come, if any. */
export function overdue(
  exchange: Exchange,
  now: Millis,
): 'per-try-timeout' | 'response-timeout' | undefined {
  if (now >= exchange.tryAt + exchange.route.timeouts.perTry) return 'per-try-timeout'
  // Not a number as long as the request has not ended.
  if (exchange.response === undefined && now >= exchange.headersDue) return 'response-timeout'
  return undefined
}

/** The request is not there yet, or not as a whole: a second try must wait. */
export function delayHedge(exchange: Exchange, now: Millis): void {
  exchange.hedgeAt = now + lookAgainIn(exchange.route.retry.hedgeAfter)
}

function headersLook(exchange: Exchange, limit: Millis, now: Millis): Millis {
  if (limit === NO_LIMIT) return NO_LIMIT
  if (!exchange.requestEnded) return now + lookAgainIn(limit)
  if (Number.isNaN(exchange.headersDue)) exchange.headersDue = now + limit
  return exchange.headersDue
}

function lookAgainIn(limit: Millis): Millis {
  return Math.max(PERIOD, limit * LATENESS)
}
