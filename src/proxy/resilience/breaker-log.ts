// One line in the log for each change of a breaker, with the numbers that it was decided by, and for each panic.

import type { Millis } from '../../lib/duration.ts'
import type { Log } from '../../lib/log.ts'
import type { BreakerState } from '../stack/health.ts'
import type { EjectionReason } from '../stack/resilience-counters.ts'
import type { Breaker } from './breaker.ts'

/** Why a breaker is where it is now, besides what tripped it. */
export type ChangeReason =
  | EjectionReason
  /** Its time is over, and a request finds out. */
  | 'ejection-over'
  /** The probe was answered well. */
  | 'probe-passed'
  /** Nobody asked for the endpoint since, so nobody could find out. */
  | 'unasked'
  /** The set of endpoints or the policy changed, and so many may not be ejected any more. */
  | 'too-many-ejected'
  | 'policy-removed'

/** What is known at a change besides the breaker; NaN for what is not. */
export interface ChangeFacts {
  readonly latency: Millis
  readonly peers: Millis
}

export class BreakerLog {
  readonly #service: string
  readonly #log: Log

  constructor(service: string, log: Log) {
    this.#service = service
    this.#log = log
  }

  /** `to` is the new state, which the breaker need not be in yet; `length` is that of the ejection, 0 for none. */
  changed(
    breaker: Breaker,
    to: BreakerState,
    reason: ChangeReason,
    length: Millis,
    { latency, peers }: ChangeFacts,
  ): void {
    const { endpoint, state: from, streak, ejections, requests } = breaker
    const line = {
      ...{ event: 'breaker', service: this.#service, endpoint: endpoint.key, from, to, reason },
      consecutiveFailures: streak,
      successRate: shown(requests.successRate, 1000),
      latencyMilliseconds: shown(latency, 10),
      peersLatencyMilliseconds: shown(peers, 10),
      ejectedForMilliseconds: Math.round(length),
      ejections: to === 'open' ? ejections + 1 : ejections,
      message: `breaker of ${endpoint.key} is ${to}, was ${from}: ${reason}`,
    }
    if (to === 'open') this.#log.warn(line)
    else this.#log.info(line)
  }

  panicked(isPanicking: boolean, well: number, endpoints: number): void {
    const line = {
      ...{ event: 'panic', service: this.#service, isPanicking, well, endpoints },
      message: isPanicking
        ? `only ${well} of ${endpoints} endpoints are well: ejected ones are asked too`
        : `${well} of ${endpoints} endpoints are well: ejected ones are not asked any more`,
    }
    if (isPanicking) this.#log.warn(line)
    else this.#log.info(line)
  }
}

/** Rounded to parts of one; what is not known is left out of the line. */
function shown(value: number, parts: number): number | undefined {
  return Number.isNaN(value) ? undefined : Math.round(value * parts) / parts
}
