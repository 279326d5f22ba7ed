// A policy's demands, put in force for a destination: compiled once, when they are news to it.
//
// What stays the same is left alone, so that a budget, a breaker or a window goes on over an update of something else.

import { isDeepStrictEqual } from 'node:util'
import {
  DEFAULT_MAX_PENDING_REQUESTS,
  DEFAULT_RETRY_BUDGET,
  DEFAULT_RULES,
  DEFAULT_TIMEOUTS,
  type RetryBudget,
  type RouteRules,
  type TrafficPolicy,
} from '../../api/resources.ts'
import { SlidingBudget } from '../resilience/sliding-budget.ts'
import { DEFAULT_ROUTE, makeRoute } from '../route/make-route.ts'
import type { Destination } from '../stack/destination.ts'
import { DEFAULT_NAME } from '../stack/route.ts'

const NONE = Number.POSITIVE_INFINITY

/** What is in force for one destination. */
export class Enforced {
  #rules: RouteRules = DEFAULT_RULES
  #budgetRules: RetryBudget | undefined = undefined

  /** `policy` is what speaks of this destination; undefined for none. */
  apply(destination: Destination, policy: TrafficPolicy | undefined): void {
    destination.connectTimeout = policy?.timeouts.connect ?? DEFAULT_TIMEOUTS.connect
    destination.idleTimeout = policy?.timeouts.idle ?? DEFAULT_TIMEOUTS.idle
    destination.maxConnections = policy?.maxConnections ?? NONE
    destination.maxPendingRequests = policy?.maxPendingRequests ?? DEFAULT_MAX_PENDING_REQUESTS
    destination.maxRequests = policy?.maxRequests ?? NONE
    destination.maxRetries = policy?.maxRetries ?? NONE
    destination.mode = policy?.mode
    this.#applyRoutes(destination, policy)
    this.#applyBudget(destination, policy)
  }

  #applyBudget(destination: Destination, policy: TrafficPolicy | undefined): void {
    const rules = policy?.retryBudget ?? DEFAULT_RETRY_BUDGET
    if (isDeepStrictEqual(rules, this.#budgetRules)) return
    this.#budgetRules = rules
    destination.retryBudget = new SlidingBudget(rules)
  }

  #applyRoutes(destination: Destination, policy: TrafficPolicy | undefined): void {
    const rules = policy?.rules ?? DEFAULT_RULES
    if (isDeepStrictEqual(rules, this.#rules)) return
    this.#rules = rules
    destination.route = policy === undefined ? DEFAULT_ROUTE : makeRoute(DEFAULT_NAME, rules)
  }
}

/** All rules but affinity: where there is no choice, a client need not be known again. */
export function obeyAs(direct: Destination, destination: Destination): void {
  direct.connectTimeout = destination.connectTimeout
  direct.idleTimeout = destination.idleTimeout
  direct.maxConnections = destination.maxConnections
  direct.maxPendingRequests = destination.maxPendingRequests
  direct.maxRequests = destination.maxRequests
  direct.maxRetries = destination.maxRetries
  direct.mode = destination.mode
  direct.protocol = destination.protocol
  direct.route = destination.route
  direct.router = destination.router
  direct.retryBudget = destination.retryBudget
}
