// The breaker of one endpoint: closed (it is asked like others), open (it is ejected for a time), half-open (one request
// finds out whether it is well again).
//
//   closed --trip--> open --the first request after its time is over--> half-open --good--> closed
//                    open <--bad-- half-open
//
// It keeps what is known of the endpoint and changes its fields that pickers look at. It lives in the endpoint, so that
// it outlives every picker. Who is to be ejected, and for how long, is decided in outlier-detection.ts.

import type { Outlier } from '../../api/resources.ts'
import type { Millis } from '../../lib/duration.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import type { BreakerState } from '../stack/health.ts'
import type { Timed } from './buckets.ts'
import { type Answered, LatencyWindow } from './latency-window.ts'
import { RequestWindow } from './request-window.ts'

const NEVER = Number.NEGATIVE_INFINITY
/** A probe is waited for so long at least, before another one may go. */
const LEAST_PATIENCE: Millis = 1000

export class Breaker {
  readonly endpoint: Endpoint
  /** What the window was made for. */
  rule: Outlier
  state: BreakerState = 'closed'
  /** Since when it is in that state. What was sent before says nothing of the endpoint as it is now. */
  since: Millis = NEVER
  /** Failures one after the other, up to now. */
  streak = 0
  /** How many there were before the last response began, which may still break off. */
  #before = 0
  /** Ejections in a row, for the length of the next one; and all of them. */
  inARow = 0
  ejections = 0
  /** When it was last counted as one that should have been ejected, but too many were. */
  sparedAt: Millis = NEVER
  /** When the last probe was sent. */
  probedAt: Millis = NEVER
  #patience: Millis = NaN
  /** How long a probe took to the head of its response, which is good as far as it goes; NaN for none. */
  begunIn: Millis = NaN
  requests: RequestWindow
  readonly latencies: LatencyWindow = new LatencyWindow()

  constructor(endpoint: Endpoint, rule: Outlier) {
    this.endpoint = endpoint
    this.rule = rule
    this.requests = new RequestWindow(rule.window)
  }

  /** Another rule is in force. What was counted in a window of another length is forgotten. */
  obey(rule: Outlier): void {
    if (rule.window !== this.rule.window) this.requests = new RequestWindow(rule.window)
    this.rule = rule
  }

  /** A request is sent to it. True if that is a probe. */
  asked(now: Millis): boolean {
    const { endpoint } = this
    if (this.state === 'closed' || endpoint.ejectedUntil > now) return false
    const { base, max } = this.rule.ejection
    const least = Math.max(LEAST_PATIENCE, base)
    // Where one has been waited for in vain, the next is waited for longer: each is a request of somebody.
    const wasInVain = this.state === 'half-open' && endpoint.ejectedUntil !== NEVER
    this.#patience = wasInVain ? Math.min(2 * this.#patience, Math.max(least, max)) : least
    if (this.state === 'open') this.#become('half-open', now)
    this.probedAt = now
    this.begunIn = NaN
    endpoint.ejectedUntil = now + this.#patience
    return true
  }

  /** The probe ended without a verdict: the next request is one. Of probes sent earlier this is nobody's business. */
  gaveUp(sentAt: Millis): void {
    if (this.state !== 'half-open' || sentAt !== this.probedAt) return
    this.endpoint.ejectedUntil = NEVER
    this.begunIn = NaN
  }

  /** A probe has been answered, and goes on for longer than a verdict is waited for: that is one. */
  hasLasted({ now }: Timed): boolean {
    return this.state === 'half-open' && this.begunIn >= 0 && this.endpoint.ejectedUntil <= now
  }

  /** A good response has begun. */
  succeeded(answered: Answered): void {
    this.latencies.add(answered)
    this.counted(answered)
  }

  /** A response is good; when it began was noted. */
  counted(timed: Timed): void {
    this.requests.succeeded(timed)
    if (this.streak === 0) return
    this.#before = this.streak
    this.streak = 0
  }

  /** A good response has come to its end. */
  finished(): void {
    this.#before = 0
  }

  failed(now: Millis): void {
    this.requests.failed({ now })
    this.streak += 1
  }

  /** A response that had begun well broke off. */
  broke(now: Millis): void {
    this.requests.broke({ now })
    this.streak = Math.max(this.streak, this.#before) + 1
    this.#before = 0
  }

  open(now: Millis, length: Millis): void {
    this.#become('open', now)
    this.ejections += 1
    const { endpoint } = this
    endpoint.ejectedUntil = now + length
    endpoint.rampsFrom = NEVER
    endpoint.rampsUntil = NEVER
  }

  /** It comes back, with all counts at 0; to its full share within the rule's time. */
  close(now: Millis): void {
    this.#become('closed', now)
    this.streak = 0
    this.#before = 0
    this.requests.clear()
    this.latencies.clear()
    const { endpoint } = this
    const { slowStart } = this.rule
    endpoint.ejectedUntil = NEVER
    endpoint.rampsFrom = slowStart > 0 ? now : NEVER
    endpoint.rampsUntil = slowStart > 0 ? now + slowStart : NEVER
  }

  #become(state: BreakerState, now: Millis): void {
    this.state = state
    this.since = now
  }
}

/** Undefined for an endpoint that nothing is known of yet. */
export function breakerOf({ breaker }: Endpoint): Breaker | undefined {
  return breaker instanceof Breaker ? breaker : undefined
}
