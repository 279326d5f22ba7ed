// What a failed try may be sent again for, and which requests may be at all: the words of a policy, held against what
// happened.
//
// Nothing is decided here that depends on the load, on the time or on what is at hand: that is the stage's part.

import type { Millis } from '../../lib/duration.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import { GrpcStatus } from '../../lib/grpc-status.ts'
import { SMALL_BODY } from '../http/h1/staging.ts'
import { Framing, type Head } from '../http/head.ts'
import { isSafe, Method } from '../http/method.ts'
import type { Exchange } from '../stack/exchange.ts'
import { grpcStatusAtEnd, grpcStatusAtHead, isServerFailure } from '../stack/grpc.ts'
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
  ['stream-refused', RetryCause.refusedStream],
  ['per-try-timeout', RetryCause.perTryTimeout],
  ['response-timeout', RetryCause.perTryTimeout],
])

const BY_GRPC: ReadonlyMap<number, number> = new Map([
  [GrpcStatus.cancelled, RetryCause.cancelled],
  [GrpcStatus.deadlineExceeded, RetryCause.deadlineExceeded],
  [GrpcStatus.internal, RetryCause.internal],
  [GrpcStatus.resourceExhausted, RetryCause.resourceExhausted],
  [GrpcStatus.unavailable, RetryCause.unavailable],
])
const OF_GRPC = [...BY_GRPC.values()].reduce((bits, cause) => bits | cause, 0)

/** The first that applies is the one that is counted. */
const REASONS: readonly (readonly [number, RetryReason])[] = [
  [RetryCause.connectFailure, 'connect-failure'],
  [RetryCause.refusedStream, 'refused-stream'],
  [RetryCause.reset, 'reset'],
  [RetryCause.perTryTimeout, 'per-try-timeout'],
  [RetryCause.status, 'status'],
  [RetryCause.gatewayError, 'gateway-error'],
  [RetryCause.serverError, '5xx'],
  [RetryCause.cancelled, 'cancelled'],
  [RetryCause.deadlineExceeded, 'deadline-exceeded'],
  [RetryCause.internal, 'internal'],
  [RetryCause.resourceExhausted, 'resource-exhausted'],
  [RetryCause.unavailable, 'unavailable'],
]

/** Of the causes that the policy names, those that the error is; that of a fault that was injected is its status. */
export function causesOfError(error: ErrorCode, exchange: Exchange): number {
  if (error === 'fault-injected') return causesOfAnswer(exchange)
  const cause = ERRORS[error].retriable ? RetryCause.connectFailure : (BY_ERROR.get(error) ?? 0)
  return cause & exchange.route.retry.on
}

/** Worth a look at its causes. Of a call of gRPC the head says so only where nothing follows it. */
export function isFailure({ status, grpcStatus }: Exchange): boolean {
  return status >= 400 || grpcStatus > GrpcStatus.ok
}

/** The same for a response: its status, and what the endpoint's own sidecar says in the application's stead. */
export function causesOfResponse(exchange: Exchange): number {
  const { response, endpoint, isGrpc } = exchange
  const causes = causesOfAnswer(exchange)
  if (response === undefined || endpoint === undefined) return causes
  const told = reportedError(response, endpoint.key, isGrpc)
  return told === undefined ? causes : causes | causesOfError(told, exchange)
}

function causesOfAnswer(exchange: Exchange): number {
  const { status, isGrpc, route } = exchange
  const { on, statuses } = route.retry
  let causes = statuses.has(status) ? RetryCause.status : 0
  if (status >= 500) causes |= RetryCause.serverError
  if (status >= 502 && status <= 504) causes |= RetryCause.gatewayError
  if (isGrpc) causes |= BY_GRPC.get(grpcStatusAtHead(exchange)) ?? 0
  return causes & on
}

/** A response, all of it, that no policy would want to have again. */
export function isGood(exchange: Exchange): boolean {
  const { status, isGrpc, route } = exchange
  const { on, statuses } = route.retry
  if (status >= 500 || statuses.has(status)) return false
  if (!isGrpc) return true
  const code = grpcStatusAtEnd(exchange)
  return !isServerFailure(code) && ((BY_GRPC.get(code) ?? 0) & on) === 0
}

export function reasonOf(causes: number): RetryReason {
  return REASONS.find(([cause]) => (causes & cause) !== 0)?.[1] ?? 'status'
}

/** Whether an application can have seen the request. */
export function isProcessed(causes: number): boolean {
  return (causes & UNPROCESSED) === 0
}

/**
 * Whether the policy lets the request be processed twice for these causes; names are read only of methods without code.
 * Calls of gRPC are POST, all of them: a policy that names one of its words means calls, whatever methods it lists.
 */
export function allows({ route, request, isGrpc }: Exchange, causes: number): boolean {
  const { methods, otherMethods } = route.retry
  const { method } = request
  if (isGrpc && method === Method.post && (causes & OF_GRPC) !== 0) return true
  if (method !== Method.other) return methods[method] === true
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
  const { request, requestBytes, isAtHand } = exchange
  if (request.framing === Framing.none) return false
  if (isAtHand && requestBytes - (request.end - request.start) <= SMALL_BODY) return false
  return isWorthReplay(exchange)
}

/** Apart from the above, which is all that most requests come to: it is short enough to be inlined. */
function isWorthReplay(exchange: Exchange): boolean {
  const { request, route } = exchange
  const isTooLarge = request.framing === Framing.length && request.contentLength > MOST_KEPT
  if (isForTunnel(request) || (isTooLarge && !request.expectsContinue)) return false
  const { retry } = route
  if (mayHedge(exchange)) return true
  const isForSent = (retry.on & ~RetryCause.connectFailure) !== 0
  return retry.attempts > 0 && isForSent && allows(exchange, retry.on)
}

/** Between nothing and twice as much for each retry, by chance, so that those that failed together do not come together. */
export function backoff(
  { backoffBase, backoffMax }: RetryRule,
  retry: number,
  chance: number,
): Millis {
  return chance * Math.min(backoffMax, backoffBase * 2 ** (retry - 1))
}
