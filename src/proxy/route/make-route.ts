// From a policy's words to what the stages look at: names become bits and sets, no limit becomes a time that never
// comes.

import {
  DEFAULT_RULES,
  type Faults,
  type Mirror,
  type RequestTimeouts,
  type Retries,
  type RetryCauseWord,
  type RouteRules,
} from '../../api/resources.ts'
import type { Millis } from '../../lib/duration.ts'
import { METHOD_NAMES } from '../http/method.ts'
import {
  DEFAULT_NAME,
  type FaultRule,
  type MirrorRule,
  NO_LIMIT,
  RetryCause,
  type RetryRule,
  type Route,
  type RouteTimeouts,
} from '../stack/route.ts'

const CAUSES: Readonly<Record<RetryCauseWord, number>> = {
  'connect-failure': RetryCause.connectFailure,
  'refused-stream': RetryCause.refusedStream,
  reset: RetryCause.reset,
  'per-try-timeout': RetryCause.perTryTimeout,
  'gateway-error': RetryCause.gatewayError,
  '5xx': RetryCause.serverError,
  cancelled: RetryCause.cancelled,
  'deadline-exceeded': RetryCause.deadlineExceeded,
  internal: RetryCause.internal,
  'resource-exhausted': RetryCause.resourceExhausted,
  unavailable: RetryCause.unavailable,
}

export function makeRoute(name: string, rules: RouteRules): Route {
  return {
    name,
    timeouts: timeoutsOf(rules.timeouts),
    retry: retryOf(rules.retries),
    fault: faultOf(rules.faults),
    mirror: mirrorOf(rules.mirror),
  }
}

/** For a Service that no policy speaks of. */
export const DEFAULT_ROUTE: Route = makeRoute(DEFAULT_NAME, DEFAULT_RULES)

function timeoutsOf(timeouts: RequestTimeouts): RouteTimeouts {
  return {
    request: limitOf(timeouts.request),
    perTry: limitOf(timeouts.perTry),
    responseHeaders: limitOf(timeouts.responseHeaders),
    streamIdle: limitOf(timeouts.streamIdle),
  }
}

function limitOf(time: Millis): Millis {
  return time === 0 ? NO_LIMIT : time
}

function retryOf({ attempts, on, methods, backoff, retryAfter, hedgeAfter }: Retries): RetryRule {
  const statuses = new Set(on.filter((cause) => typeof cause === 'number'))
  let causes = statuses.size > 0 ? RetryCause.status : 0
  for (const cause of on) if (typeof cause === 'string') causes |= CAUSES[cause]
  return {
    attempts,
    on: causes,
    statuses,
    methods: METHOD_NAMES.map(
      (name) => name !== '' && name !== 'CONNECT' && methods.includes(name),
    ),
    otherMethods: new Set(methods.filter((name) => !METHOD_NAMES.includes(name))),
    backoffBase: backoff.base,
    backoffMax: backoff.max,
    retryAfterMax: retryAfter,
    hedgeAfter: limitOf(hedgeAfter),
  }
}

function faultOf(faults: Faults | undefined): FaultRule | undefined {
  if (faults === undefined) return undefined
  const { delay, abort } = faults
  return {
    delay: delay?.duration ?? 0,
    delayShare: (delay?.percent ?? 0) / 100,
    abortStatus: abort?.status ?? 0,
    abortShare: (abort?.percent ?? 0) / 100,
  }
}

function mirrorOf(mirror: Mirror | undefined): MirrorRule | undefined {
  if (mirror === undefined) return undefined
  const { service, namespace, port, percent } = mirror
  return { service: `${service}.${namespace}`, port, share: percent / 100 }
}
