// What a storm's policy says next, by the dice: time limits, retries, hedges, faults and copies, in short times so that
// each of them meets requests at every stage.

import { DEFAULT_RULES, type RouteRules } from '../../../src/api/resources.ts'
import type { Random } from '../../../src/lib/random.ts'
import { makeRoute } from '../../../src/proxy/route/make-route.ts'
import type { Destination } from '../../../src/proxy/stack/destination.ts'

/** The least, and how many there are. */
type Range = readonly [least: number, count: number]

export class StormDice {
  readonly random: Random

  constructor(random: Random) {
    this.random = random
  }

  below(count: number): number {
    return Math.floor(this.random() * count)
  }

  maybe(value: number, chance: number): number {
    return this.random() < chance ? value : 0
  }

  /** Discovery has news: other rules, and at times limits within these ranges. */
  changePolicy(destination: Destination, connections: Range, requests: Range): void {
    const any = Number.POSITIVE_INFINITY
    destination.route = makeRoute('default', this.#rules())
    destination.maxConnections = this.maybe(this.#within(connections), 0.5) || any
    destination.maxRequests = this.maybe(this.#within(requests), 0.2) || any
    destination.maxRetries = this.random() < 0.2 ? this.below(4) : any
  }

  #within([least, count]: Range): number {
    return least + this.below(count)
  }

  #rules(): RouteRules {
    const fault = (): number => this.maybe(30, 0.2)
    return {
      timeouts: {
        request: this.maybe(200 + this.below(2000), 0.4),
        perTry: this.maybe(100 + this.below(400), 0.4),
        responseHeaders: this.maybe(100 + this.below(300), 0.3),
        streamIdle: this.maybe(1000, 0.2),
      },
      retries: {
        ...DEFAULT_RULES.retries,
        attempts: this.below(4),
        on: ['connect-failure', 'reset', 'refused-stream', 'per-try-timeout', 'gateway-error'],
        methods: ['GET', 'HEAD', 'PUT', 'OPTIONS'],
        backoff: { base: 20, max: 200 },
        retryAfter: 1000,
        hedgeAfter: this.maybe(50 + this.below(100), 0.4),
      },
      faults: {
        delay: { duration: 100, percent: fault() },
        abort: { status: 503, percent: fault() },
      },
      mirror:
        this.random() < 0.4
          ? { service: 'mirror', namespace: 'default', port: 80, percent: 50 }
          : undefined,
    }
  }
}
