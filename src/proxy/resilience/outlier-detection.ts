// Watches the endpoints of one Service port and ejects those that fail, or are much slower than the others.
//
// Told by balancing of every attempt; the numbers of an endpoint are kept in its breaker. Here is decided what trips
// one, whether another one may be ejected, when so few are well that ejected ones must be asked too, and what is said
// and counted of it. Once a second all are looked at together. Every request costs a few additions, no memory.

import type { Outlier } from '../../api/resources.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { Destination } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import type { Exchange } from '../stack/exchange.ts'
import { awaitsGrpcStatus, grpcStatusAtEnd, isServerFailure } from '../stack/grpc.ts'
import { type BreakerView, type Health, Verdict } from '../stack/health.ts'
import { type EjectionReason, ResilienceCounters } from '../stack/resilience-counters.ts'
import type { World } from '../stack/world.ts'
import { isBadResponse, isFailed, isToBlame } from './blame.ts'
import { Breaker, breakerOf } from './breaker.ts'
import { BreakerLog, type ChangeReason } from './breaker-log.ts'
import type { Timed } from './buckets.ts'
import { allowance, drawLength, following, forgiven } from './ejection.ts'
import { isSlow, PeerLatency } from './peer-latency.ts'

/** Responses that a mean latency is made of at least, where the policy does not ask for fewer. */
const FEW = 5
/** A client's deadline says something of an endpoint that had a second, and so often the time that is usual. */
const LEAST_DEADLINE: Millis = 1000
const USUAL_TIMES = 5
/** An endpoint whose time is over, and that nobody has asked for since, is let back after so long, or the longest ejection. */
const LEAST_UNASKED: Millis = 60_000
const NEVER = Number.NEGATIVE_INFINITY

export class OutlierDetection implements Health {
  isPanicking = false
  isRamping = false
  failsFast: boolean
  ejected = 0
  readonly #counters: ResilienceCounters
  readonly #world: Pick<World, 'clock' | 'random'>
  readonly #log: BreakerLog
  #rule: Outlier
  #endpoints: readonly Endpoint[] = []
  #rampsUntil: Millis = NEVER
  /** Of those that can be compared with now; NaN for none. */
  #peers: Millis = NaN
  /** The median latency of all when any was last known; NaN for never. */
  #usual: Millis = NaN

  constructor(
    { service, resilience }: Pick<Destination, 'service' | 'resilience'>,
    rule: Outlier,
    world: Pick<World, 'clock' | 'random' | 'log'>,
  ) {
    this.#counters = resilience
    this.#world = world
    this.#log = new BreakerLog(service, world.log)
    this.#rule = rule
    this.failsFast = rule.panicPercent === 0
  }

  /** Another rule is in force from now on. States go on. */
  obey(rule: Outlier): void {
    this.#rule = rule
    this.failsFast = rule.panicPercent === 0
    this.#fit(this.#world.clock.now())
  }

  /** The endpoints that there are, from now on. */
  watch(endpoints: readonly Endpoint[]): void {
    if (endpoints === this.#endpoints) return
    this.#endpoints = endpoints
    this.#fit(this.#world.clock.now())
  }

  /** The policy is gone: nobody is kept out, and nothing is known any more. */
  end(): void {
    const now = this.#world.clock.now()
    for (const endpoint of this.#endpoints) {
      const breaker = breakerOf(endpoint)
      if (breaker !== undefined && breaker.state !== 'closed') {
        this.#close(breaker, 'policy-removed', now, NaN)
      }
      endpoint.unwatch()
    }
    this.#settle(now)
  }

  chosen(exchange: Exchange, endpoint: Endpoint): void {
    exchange.verdict = Verdict.none
    exchange.isProbe = false
    const breaker = breakerOf(endpoint) ?? this.#make(endpoint)
    if (breaker.rule !== this.#rule) breaker.obey(this.#rule)
    this.#passLasting(breaker, exchange)
    if (breaker.state === 'closed') return
    if (breaker.state === 'open' && endpoint.ejectedUntil <= exchange.now) {
      this.#say(breaker, 'half-open', 'ejection-over', 0, NaN)
    }
    exchange.isProbe = breaker.asked(exchange.now)
  }

  answered(exchange: Exchange, endpoint: Endpoint): void {
    const breaker = breakerOf(endpoint)
    if (breaker === undefined) return
    if (isFailed(exchange)) {
      this.#answeredBadly(breaker, exchange, exchange.now - exchange.sentAt)
    } else if (awaitsGrpcStatus(exchange)) {
      exchange.verdict = Verdict.begun
      this.#begun(breaker, exchange)
    } else {
      exchange.verdict = Verdict.good
      if (breaker.state === 'closed') {
        if (exchange.sentAt >= breaker.since) breaker.succeeded(exchange)
      } else if (isProbeOf(exchange, breaker)) {
        this.#probed(breaker, exchange.now, exchange.now - exchange.sentAt)
      }
    }
  }

  concluded(exchange: Exchange, endpoint: Endpoint): void {
    const breaker = breakerOf(endpoint)
    if (breaker === undefined || exchange.verdict !== Verdict.begun) return
    if (isServerFailure(grpcStatusAtEnd(exchange))) {
      this.#answeredBadly(breaker, exchange, NaN)
      return
    }
    exchange.verdict = Verdict.good
    if (breaker.state === 'closed') {
      if (exchange.sentAt >= breaker.since) breaker.counted(exchange)
    } else if (isProbeOf(exchange, breaker)) {
      this.#pass(breaker, exchange.now, breaker.begunIn)
    }
  }

  failed(exchange: Exchange, endpoint: Endpoint, error: ErrorCode): void {
    const breaker = breakerOf(endpoint)
    if (breaker === undefined || exchange.verdict === Verdict.bad) return
    // Who lets an attempt fail need not have told it the time.
    const now = this.#world.clock.now()
    if (!isToBlame(exchange, error, now - exchange.sentAt, this.#patience)) {
      this.left(exchange, endpoint)
    } else if (exchange.verdict === Verdict.good) {
      exchange.verdict = Verdict.bad
      this.#brokeOff(breaker, exchange, now)
    } else {
      exchange.verdict = Verdict.bad
      this.#failed(breaker, exchange, now, NaN)
    }
  }

  left(exchange: Exchange, endpoint: Endpoint): void {
    const breaker = breakerOf(endpoint)
    if (breaker === undefined) return
    if (exchange.verdict === Verdict.good) breaker.finished()
    else if (exchange.isProbe && exchange.verdict !== Verdict.bad) breaker.gaveUp(exchange.sentAt)
  }

  sweep(now: Millis): void {
    this.#compare(now)
    for (const endpoint of this.#endpoints) {
      const breaker = breakerOf(endpoint)
      if (breaker === undefined) continue
      this.#passLasting(breaker, { now })
      if (breaker.state === 'closed') continue
      const free = Math.max(breaker.since, endpoint.ejectedUntil)
      if (now - free >= Math.max(LEAST_UNASKED, this.#rule.ejection.max))
        this.#close(breaker, 'unasked', now, NaN)
    }
    if (this.isRamping && now >= this.#rampsUntil) this.isRamping = false
    this.#settle(now)
  }

  view(endpoint: Endpoint, now: Millis): BreakerView {
    const breaker = breakerOf(endpoint)
    if (breaker === undefined) {
      const fresh = { consecutiveFailures: 0, successRate: NaN, ejections: 0, ejectedFor: 0 }
      return { state: 'closed', ...fresh }
    }
    breaker.requests.roll({ now })
    return {
      state: breaker.state,
      consecutiveFailures: breaker.streak,
      successRate: breaker.requests.successRate,
      ejections: breaker.ejections,
      ejectedFor: breaker.state === 'open' ? Math.max(0, endpoint.ejectedUntil - now) : 0,
    }
  }

  /** How long an endpoint must have had a request for its deadline to speak against it. */
  get #patience(): Millis {
    const usual = USUAL_TIMES * this.#usual
    return usual > LEAST_DEADLINE ? usual : LEAST_DEADLINE
  }

  #make(endpoint: Endpoint): Breaker {
    const breaker = new Breaker(endpoint, this.#rule)
    endpoint.breaker = breaker
    return breaker
  }

  /** `latency` is what it took to the head; NaN where that was good. */
  #answeredBadly(breaker: Breaker, exchange: Exchange, latency: Millis): void {
    const { now, sentAt } = exchange
    if (!isBadResponse(exchange, now - sentAt, this.#patience)) return
    exchange.verdict = Verdict.bad
    this.#failed(breaker, exchange, now, latency)
  }

  /** The head of a response to a call of gRPC is there, and says nothing of how it will end. */
  #begun(breaker: Breaker, exchange: Exchange): void {
    const { now, sentAt } = exchange
    if (breaker.state === 'closed') {
      if (sentAt >= breaker.since) breaker.latencies.add(exchange)
    } else if (isProbeOf(exchange, breaker)) {
      if (this.#isSlow(now - sentAt)) this.#open(breaker, 'probe', now, now - sentAt)
      else breaker.begunIn = now - sentAt
    }
  }

  /** A call may be a stream that lasts for hours: a probe that has begun well need not end for the others to go on. */
  #passLasting(breaker: Breaker, timed: Timed): void {
    if (breaker.hasLasted(timed)) this.#pass(breaker, timed.now, breaker.begunIn)
  }

  /** An attempt that there is no good response to. */
  #failed(breaker: Breaker, exchange: Exchange, now: Millis, latency: Millis): void {
    if (breaker.state === 'closed') {
      if (exchange.sentAt < breaker.since) return
      breaker.failed(now)
      this.#judge(breaker, now)
    } else if (isProbeOf(exchange, breaker)) {
      this.#open(breaker, 'probe', now, latency)
    }
  }

  /** A good response that breaks off in the end; if it was the probe's, the breaker was closed too soon. */
  #brokeOff(breaker: Breaker, exchange: Exchange, now: Millis): void {
    if (breaker.state !== 'closed') return
    if (exchange.isProbe && exchange.sentAt === breaker.probedAt) {
      this.#trip(breaker, 'probe', now, NaN)
    } else if (exchange.sentAt >= breaker.since) {
      breaker.broke(now)
      this.#judge(breaker, now)
    }
  }

  #probed(breaker: Breaker, now: Millis, latency: Millis): void {
    if (this.#isSlow(latency)) this.#open(breaker, 'probe', now, latency)
    else this.#pass(breaker, now, latency)
  }

  #isSlow(latency: Millis): boolean {
    return isSlow(latency, this.#peers, this.#rule.slowerThanPeers)
  }

  #pass(breaker: Breaker, now: Millis, latency: Millis): void {
    this.#close(breaker, 'probe-passed', now, latency)
    this.#settle(now)
  }

  /** After a failure. */
  #judge(breaker: Breaker, now: Millis): void {
    const { consecutiveFailures, minSuccessRate, minRequests } = this.#rule
    const { requests } = breaker
    if (consecutiveFailures > 0 && breaker.streak >= consecutiveFailures) {
      this.#trip(breaker, 'consecutive-failures', now, NaN)
    } else if (requests.total >= minRequests && requests.successRate < minSuccessRate) {
      this.#trip(breaker, 'success-rate', now, NaN)
    }
  }

  /** Ejects those that are much slower than the others, the slowest first. */
  #compare(now: Millis): void {
    const { slowerThanPeers, minRequests } = this.#rule
    const least = Math.min(minRequests, FEW)
    const any: Millis[] = []
    const compared: { breaker: Breaker; latency: Millis }[] = []
    for (const endpoint of this.#endpoints) {
      const breaker = breakerOf(endpoint)
      if (breaker?.state !== 'closed') continue
      any.push(breaker.latencies.mean(now, 1))
      const latency = breaker.latencies.mean(now, least)
      if (latency >= 0) compared.push({ breaker, latency })
    }
    const usual = new PeerLatency(any).median
    if (usual >= 0) this.#usual = usual
    const peers = new PeerLatency(compared.map(({ latency }) => latency))
    this.#peers = peers.median
    const slow = compared.filter(({ latency }) =>
      isSlow(latency, peers.withoutOne(latency), slowerThanPeers),
    )
    for (const { breaker, latency } of slow.sort((one, other) => other.latency - one.latency)) {
      this.#trip(breaker, 'latency', now, latency)
    }
  }

  /** Of a closed breaker: ejects its endpoint if another one may be. */
  #trip(breaker: Breaker, reason: EjectionReason, now: Millis, latency: Millis): void {
    if (this.ejected >= allowance(this.#rule, this.#endpoints.length)) {
      // At each of its failures; but it is one endpoint.
      if (now - breaker.sparedAt < this.#rule.window) return
      breaker.sparedAt = now
      this.#counters.ejectionsSpared += 1
    } else if (this.#endpoints.includes(breaker.endpoint)) {
      breaker.inARow = forgiven(this.#rule, breaker.inARow, now - breaker.since)
      this.#open(breaker, reason, now, latency)
    }
  }

  #open(breaker: Breaker, reason: EjectionReason, now: Millis, latency: Millis): void {
    breaker.inARow = following(this.#rule, breaker.inARow)
    const length = drawLength(this.#rule, breaker.inARow, this.#world.random)
    const known = latency >= 0 ? latency : breaker.latencies.mean(now, 1)
    this.#say(breaker, 'open', reason, length, known)
    ResilienceCounters.count(this.#counters.ejections, reason)
    breaker.open(now, length)
    this.#settle(now)
  }

  #close(breaker: Breaker, reason: ChangeReason, now: Millis, latency: Millis): void {
    this.#say(breaker, 'closed', reason, 0, latency)
    this.#counters.readmissions += 1
    breaker.close(now)
    const { rampsUntil } = breaker.endpoint
    if (rampsUntil <= now) return
    this.isRamping = true
    this.#rampsUntil = Math.max(this.#rampsUntil, rampsUntil)
  }

  #say(
    breaker: Breaker,
    to: Breaker['state'],
    reason: ChangeReason,
    length: Millis,
    latency: Millis,
  ): void {
    this.#log.changed(breaker, to, reason, length, { latency, peers: this.#peers })
  }

  /** Lets back those that too many are ejected with, the one that would be probed first to begin with. */
  #fit(now: Millis): void {
    this.#settle(now)
    const surplus = this.ejected - allowance(this.#rule, this.#endpoints.length)
    if (surplus <= 0) return
    const out = this.#endpoints.flatMap((endpoint) => breakerOf(endpoint) ?? [])
    const first = out
      .filter(({ state }) => state !== 'closed')
      .sort((one, other) => one.endpoint.ejectedUntil - other.endpoint.ejectedUntil)
    for (const breaker of first.slice(0, surplus)) {
      this.#counters.ejectionsSpared += 1
      this.#close(breaker, 'too-many-ejected', now, NaN)
    }
    this.#settle(now)
  }

  /** Counts those that are out, and those that are well. Without anybody ejected there is nothing to panic about. */
  #settle(now: Millis): void {
    let [ejected, well] = [0, 0]
    for (const endpoint of this.#endpoints) {
      if ((breakerOf(endpoint)?.state ?? 'closed') !== 'closed') ejected += 1
      else if (endpoint.avoidUntil <= now) well += 1
    }
    this.ejected = ejected
    const count = this.#endpoints.length
    const isPanicking = ejected > 0 && well * 100 < this.#rule.panicPercent * count
    if (isPanicking === this.isPanicking) return
    this.isPanicking = isPanicking
    if (isPanicking) this.#counters.panics += 1
    this.#log.panicked(isPanicking, well, count)
  }
}

/** Of any probe since the breaker is half-open, be it one that another was sent after. */
function isProbeOf({ isProbe, sentAt }: Exchange, { state, since }: Breaker): boolean {
  return isProbe && state === 'half-open' && sentAt >= since
}
