// What a failed try may be sent again for, and which requests may be at all: the words of a policy, held against what
// happened.
//
// Nothing is decided here that depends on the load, on the time or on what is at hand: that is the stage's part.

import type { Millis } from '../../lib/duration.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { SMALL_BODY } from '../http/h1/staging.ts'
import { Framing, type Head } from '../http/head.ts'
import { isSafe, Method } from '../http/method.ts'
import type { Exchange } from '../stack/exchange.ts'
import { reportedError } from '../stack/proxy-status.ts'
import { MOST_KEPT } from '../stack/replay.ts'
import type { RetryReason } from '../stack/resilience-counters.ts'
import { NO_LIMIT, RetryCause, type RetryRule } from '../stack/route.ts'

/** For these no application can have seen the request, so that its method does not matter. */
const UNPROCESSED = RetryCause.connectFailure | RetryCause.refusedStream

/** Besides those that failed to connect. */
const BY_ERROR: ReadonlyMap<ErrorCode, number> = new Map([
  ['upstream-reset', RetryCause.reset],
  ['overloaded', RetryCause.refusedStream],
  ['per-try-timeout', RetryCause.perTryTimeout],
  ['response-timeout', RetryCause.perTryTimeout],
])

/** The first that applies is the one that is counted. */
const REASONS: readonly (readonly [number, RetryReason])[] = [
  [RetryCause.connectFailure, 'connect-failure'],
  [RetryCause.refusedStream, 'refused-stream'],
  [RetryCause.reset, 'reset'],
  [RetryCause.perTryTimeout, 'per-try-timeout'],
  [RetryCause.status, 'status'],
  [RetryCause.gatewayError, 'gateway-error'],
  [RetryCause.serverError, '5xx'],
]

/** Of the causes that the policy names, those that the error is; `status` is that of a fault that was injected. */
export function causesOfError(error: ErrorCode, status: number, rule: RetryRule): number {
  if (error === 'fault-injected') return causesOfStatus(status, rule)
  const cause = ERRORS[error].retriable ? RetryCause.connectFailure : (BY_ERROR.get(error) ?? 0)
  return cause & rule.on
}

/** The same for a response: its status, and what the endpoint's own sidecar says in the application's stead. */
export function causesOfResponse({ response, endpoint, status, route }: Exchange): number {
  const causes = causesOfStatus(status, route.retry)
  if (response === undefined || endpoint === undefined) return causes
  const told = reportedError(response, endpoint.key)
  return told === undefined ? causes : causes | causesOfError(told, status, route.retry)
}

function causesOfStatus(status: number, { on, statuses }: RetryRule): number {
  let causes = statuses.has(status) ? RetryCause.status : 0
  if (status >= 500) causes |= RetryCause.serverError
  if (status >= 502 && status <= 504) causes |= RetryCause.gatewayError
  return causes & on
}

/** A response that no policy would want to have again. */
export function isGood(status: number, { statuses }: RetryRule): boolean {
  return status < 500 && !statuses.has(status)
}

export function reasonOf(causes: number): RetryReason {
  return REASONS.find(([cause]) => (causes & cause) !== 0)?.[1] ?? 'status'
}

/** Whether an application can have seen the request. */
export function isProcessed(causes: number): boolean {
  return (causes & UNPROCESSED) === 0
}

/** Whether the policy lets a request with that method be processed twice; names are read only of methods without code. */
export function allows({ methods, otherMethods }: RetryRule, request: Head): boolean {
  if (request.method !== Method.other) return methods[request.method] === true
  return otherMethods.size > 0 && otherMethods.has(request.methodText)
}

/** A request for a tunnel: what follows it is no message, and may be on its way already. */
export function isForTunnel({ method, upgrade }: Head): boolean {
  return upgrade || method === Method.connect
}

/** Whether the try may be followed by a second one while it is under way. */
export function mayHedge({ request, route }: Exchange): boolean {
  return route.retry.hedgeAfter !== NO_LIMIT && isSafe(request.method) && !request.upgrade
}

/**
 * Whether a request could be sent again after it was sent, and would not be at hand then: a small one that leaves in
 * one write is kept anyway. One that is known to be too large is copied for nothing, unless it waits to be asked for.
 */
export function needsReplay(exchange: Exchange): boolean {
  const { request, requestBytes, route, isAtHand } = exchange
  if (request.framing === Framing.none || isForTunnel(request)) return false
  if (isAtHand && requestBytes - (request.end - request.start) <= SMALL_BODY) return false
  const isTooLarge = request.framing === Framing.length && request.contentLength > MOST_KEPT
  if (isTooLarge && !request.expectsContinue) return false
  const { retry } = route
  if (mayHedge(exchange)) return true
  const isForSent = (retry.on & ~RetryCause.connectFailure) !== 0
  return retry.attempts > 0 && isForSent && allows(retry, request)
}

/** Between nothing and twice as much for each retry, by chance, so that those that failed together do not come together. */
export function backoff(
  { backoffBase, backoffMax }: RetryRule,
  retry: number,
  chance: number,
): Millis {
  return chance * Math.min(backoffMax, backoffBase * 2 ** (retry - 1))
}
