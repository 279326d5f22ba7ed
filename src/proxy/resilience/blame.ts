// Whether an endpoint is to blame for how an attempt ended.
//
// Clients must not be able to have healthy endpoints ejected: by going away, by sending slowly, by deadlines that
// nobody could meet. So what a client can bring about counts only where the endpoint had the whole request and its
// time: servers too end a connection whose client stands still. A time that the policy gives is nobody's trick. Load
// that was shed does not count either: to eject who says that it is busy would make the others busier. So 429 and
// gRPC's RESOURCE_EXHAUSTED are no failures.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { GrpcStatus } from '../../lib/grpc-status.ts'
import { Framing } from '../http/head.ts'
import { isSafe } from '../http/method.ts'
import type { Exchange } from '../stack/exchange.ts'
import { isServerFailure } from '../stack/grpc.ts'
import { Verdict } from '../stack/health.ts'
import { toldError } from '../stack/proxy-status.ts'
import { NO_LIMIT } from '../stack/route.ts'

type Blame = 'always' | 'reset' | 'cut' | 'waited' | 'late'

/**
 * `reset`: if the endpoint had the whole request; `cut`: if the client took what came; `waited`: if the endpoint had the
 * request and has not begun to answer; `late`: and had it for long enough. What is not here never counts.
 */
const BLAME: ReadonlyMap<ErrorCode, Blame> = new Map([
  ['endpoint-refused', 'always'],
  ['endpoint-timeout', 'always'],
  ['endpoint-unreachable', 'always'],
  ['endpoint-reset', 'always'],
  ['connect-failed', 'always'],
  ['upstream-reset', 'reset'],
  ['response-refused', 'always'],
  ['response-incomplete', 'cut'],
  ['response-timeout', 'waited'],
  ['per-try-timeout', 'waited'],
  ['idle-timeout', 'waited'],
  ['deadline-exceeded', 'late'],
])

/** What an endpoint's own sidecar may say in its stead without the endpoint being to blame. */
const EXCUSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['request-refused', 'request-timeout', 'downstream-reset'] as const),
  ...(['connection-limit', 'pending-limit', 'request-limit', 'overloaded'] as const),
  ...(['stream-refused', 'deadline-unmeetable', 'fault-injected'] as const),
])

/** RFC 9110 sections 15.6.2 and 15.6.6: not implemented, version not supported. They speak of the request. */
const ABOUT_THE_REQUEST: ReadonlySet<number> = new Set([501, 505])

/** Of an attempt that failed. A client's deadline counts if the endpoint had the request for longer than `patience`. */
export function isToBlame(
  exchange: Exchange,
  error: ErrorCode,
  took: Millis,
  patience: Millis,
): boolean {
  switch (BLAME.get(error)) {
    case undefined:
      return false
    case 'always':
      return true
    case 'reset':
      return hadAll(exchange) && !wasStale(exchange)
    case 'cut':
      return !exchange.wasHeldBack
    // Whoever has begun to answer in time cannot help how fast the client takes it.
    case 'waited':
      return exchange.verdict === Verdict.none && hadAll(exchange)
    case 'late':
      return (
        exchange.verdict === Verdict.none && hadAll(exchange) && isLate(exchange, took, patience)
      )
  }
}

/** The response says that it is one, in HTTP or in gRPC. Who is to blame for it is another question. */
export function isFailed({ status, isGrpc, grpcStatus }: Exchange): boolean {
  return status >= 500 || (isGrpc && isServerFailure(grpcStatus))
}

/** Of a response that {@link isFailed}, or to a call of gRPC and without its code. */
export function isBadResponse(exchange: Exchange, took: Millis, patience: Millis): boolean {
  const { response, status } = exchange
  if (ABOUT_THE_REQUEST.has(status)) return false
  const told = response === undefined ? undefined : toldError(response)
  if (told === undefined) return !ranOut(exchange) || isLate(exchange, took, patience)
  if (told === 'deadline-exceeded') return isLate(exchange, took, patience)
  return told === 'upstream-reset' ? hadAll(exchange) : !EXCUSES.has(told)
}

/** Its server says that the time is over; where the request had a deadline, that may be what ran out. */
function ranOut({ grpcStatus, deadline }: Exchange): boolean {
  return grpcStatus === GrpcStatus.deadlineExceeded && deadline !== NO_LIMIT
}

/** Of the time that a policy gives, an endpoint that had half of it had its time; the rest may have gone to others. */
function isLate({ deadlineSource, route }: Exchange, took: Millis, patience: Millis): boolean {
  return took > patience || (deadlineSource === 'route' && 2 * took >= route.timeouts.request)
}

/** While it is connected to, a request without a body has been given whole as far as the client goes. */
function hadAll({ requestEnded, request }: Exchange): boolean {
  return requestEnded || request.framing === Framing.none
}

/** Servers close idle connections when they like; such a request is sent again, and that attempt tells more. */
function wasStale({ wasReused, needsNew, request }: Exchange): boolean {
  return wasReused && !needsNew && isSafe(request.method)
}
