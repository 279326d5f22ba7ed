// Whether an endpoint is to blame for how an attempt ended.
//
// Clients must not be able to have healthy endpoints ejected: by going away, by sending slowly, by deadlines that
// nobody could meet. So what a client can bring about counts only where the endpoint had the whole request and its
// time. Load that was shed does not count either: to eject who says that it is busy would make the others busier.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { Framing } from '../http/h1/head.ts'
import { isSafe } from '../http/h1/method.ts'
import type { Exchange } from '../stack/exchange.ts'
import { Verdict } from '../stack/health.ts'
import { toldError } from '../stack/proxy-status.ts'

/** `waited`: if the endpoint had the whole request; `late`: and had it for long enough. What is not here never counts. */
const BLAME: ReadonlyMap<ErrorCode, 'always' | 'waited' | 'late'> = new Map([
  ['endpoint-refused', 'always'],
  ['endpoint-timeout', 'always'],
  ['endpoint-unreachable', 'always'],
  ['endpoint-reset', 'always'],
  ['connect-failed', 'always'],
  ['upstream-reset', 'always'],
  ['response-refused', 'always'],
  ['response-incomplete', 'always'],
  ['response-timeout', 'waited'],
  ['per-try-timeout', 'waited'],
  ['idle-timeout', 'waited'],
  ['deadline-exceeded', 'late'],
])

/** What an endpoint's own sidecar may say in its stead without the endpoint being to blame. */
const EXCUSES: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['request-refused', 'request-timeout', 'downstream-reset'] as const),
  ...(['connection-limit', 'pending-limit', 'request-limit', 'overloaded'] as const),
  ...(['deadline-unmeetable', 'fault-injected'] as const),
])

/** RFC 9110 sections 15.6.2 and 15.6.6: not implemented, version not supported. They speak of the request. */
const ABOUT_THE_REQUEST: ReadonlySet<number> = new Set([501, 505])

/** Of an attempt that failed. A deadline counts if the endpoint had the request for longer than `patience`. */
export function isToBlame(
  exchange: Exchange,
  error: ErrorCode,
  took: Millis,
  patience: Millis,
): boolean {
  const blame = BLAME.get(error)
  if (blame === undefined) return false
  // Whoever has begun to answer in time cannot help how fast the client takes it.
  if (blame !== 'always')
    return (
      exchange.verdict === Verdict.none &&
      hadAll(exchange) &&
      (blame === 'waited' || took > patience)
    )
  return error !== 'upstream-reset' || !wasStale(exchange)
}

/** Of a response with a status of 500 or above. */
export function isBadResponse(
  { response, status }: Exchange,
  took: Millis,
  patience: Millis,
): boolean {
  if (ABOUT_THE_REQUEST.has(status)) return false
  const told = response === undefined ? undefined : toldError(response)
  if (told === undefined) return true
  return told === 'deadline-exceeded' ? took > patience : !EXCUSES.has(told)
}

/** While it is connected to, a request without a body has been given whole as far as the client goes. */
function hadAll({ requestEnded, request }: Exchange): boolean {
  return requestEnded || request.framing === Framing.none
}

/** Servers close idle connections when they like; such a request is sent again, and that attempt tells more. */
function wasStale({ wasReused, needsNew, request }: Exchange): boolean {
  return wasReused && !needsNew && isSafe(request.method)
}
