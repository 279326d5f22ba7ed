// A policy's demands, put in force for a destination: compiled once, when they are news to it.
//
// What stays the same is left alone, so that a budget, a breaker or a window goes on over an update of something else.

import { isDeepStrictEqual } from 'node:util'
import {
  DEFAULT_MAX_PENDING_REQUESTS,
  DEFAULT_RETRY_BUDGET,
  DEFAULT_RULES,
  DEFAULT_TIMEOUTS,
  type Outlier,
  type PolicyRoute,
  type RetryBudget,
  type RouteRules,
  type TrafficPolicy,
} from '../../api/resources.ts'
import { OutlierDetection } from '../resilience/outlier-detection.ts'
import { SlidingBudget } from '../resilience/sliding-budget.ts'
import { makeRouter } from '../route/first-match.ts'
import { DEFAULT_ROUTE, makeRoute } from '../route/make-route.ts'
import type { Destination } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { DEFAULT_NAME } from '../stack/route.ts'
import type { World } from '../stack/world.ts'

const NONE = Number.POSITIVE_INFINITY
const NO_ROUTES: readonly PolicyRoute[] = []

/** What health is judged with. */
export type HealthWorld = Pick<World, 'clock' | 'random' | 'log'>

/** What is in force for one destination. */
export class Enforced {
  #rules: RouteRules = DEFAULT_RULES
  #routes: readonly PolicyRoute[] = NO_ROUTES
  #budgetRules: RetryBudget | undefined
  readonly #world: HealthWorld
  #outlier: Outlier | undefined
  #detection: OutlierDetection | undefined

  constructor(world: HealthWorld) {
    this.#world = world
    this.#budgetRules = undefined
    this.#outlier = undefined
    this.#detection = undefined
  }

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
    this.#applyOutlier(destination, policy?.outlier)
    this.#applyBudget(destination, policy)
  }

  /** The endpoints that the destination has from now on. */
  watch(endpoints: readonly Endpoint[]): void {
    if (this.#detection !== undefined) {
      this.#detection.watch(endpoints)
      return
    }
    // Who was not ready when a policy ended was not among those that it let go.
    for (const endpoint of endpoints) if (endpoint.breaker !== undefined) endpoint.unwatch()
  }

  #applyOutlier(destination: Destination, outlier: Outlier | undefined): void {
    if (isDeepStrictEqual(outlier, this.#outlier)) return
    this.#outlier = outlier
    if (outlier !== undefined && this.#detection !== undefined) {
      this.#detection.obey(outlier)
      return
    }
    this.#detection?.end()
    this.#detection =
      outlier === undefined ? undefined : new OutlierDetection(destination, outlier, this.#world)
    destination.health = this.#detection
  }

  #applyBudget(destination: Destination, policy: TrafficPolicy | undefined): void {
    const rules = policy?.retryBudget ?? DEFAULT_RETRY_BUDGET
    if (isDeepStrictEqual(rules, this.#budgetRules)) return
    this.#budgetRules = rules
    destination.retryBudget = new SlidingBudget(rules)
  }

  #applyRoutes(destination: Destination, policy: TrafficPolicy | undefined): void {
    const { rules, routes } = policy ?? { rules: DEFAULT_RULES, routes: NO_ROUTES }
    if (!isDeepStrictEqual(rules, this.#rules)) {
      this.#rules = rules
      destination.route = policy === undefined ? DEFAULT_ROUTE : makeRoute(DEFAULT_NAME, rules)
    }
    if (!isDeepStrictEqual(routes, this.#routes)) {
      this.#routes = routes
      destination.router = makeRouter(routes)
    }
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
  direct.wire = destination.wire
  direct.route = destination.route
  direct.router = destination.router
  direct.retryBudget = destination.retryBudget
}
