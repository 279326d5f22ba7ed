// Sends a request again that has failed, where its route's policy says that this is safe and worth it; ends tries that
// take too long; sends a second try after one that is slow.
//
// What may be sent again, and for what, is the policy's; how much in all is the budget's. A stage above sees one
// request; every try goes through the stages below. While a request waits to be sent again, or goes on with its second
// try, it is here that it stands (`Exchange.lowest`), and no endpoint has it.

import type { Millis } from '../../lib/duration.ts'
import { ERRORS, type ErrorCode } from '../../lib/errors.ts'
import type { AlarmListener } from '../../lib/timer-wheel.ts'
import { Framing, type Head } from '../http/head.ts'
import { Method } from '../http/method.ts'
import { type Exchange, NO_GRPC_STATUS, type Stage } from '../stack/exchange.ts'
import {
  type DenialReason,
  ResilienceCounters,
  type RetryReason,
} from '../stack/resilience-counters.ts'
import type { World } from '../stack/world.ts'
import { adopt, avoid, isEveryTried, isTaken, secondTry } from './hedging.ts'
import { waitAsked } from './retry-after.ts'
import {
  allows,
  backoff,
  causesOfError,
  causesOfResponse,
  isFailure,
  isForTunnel,
  isGood,
  isProcessed,
  needsReplay,
  reasonOf,
} from './retry-rules.ts'
import { beginTimes, delayHedge, hasTimes, nextLook, overdue } from './try-times.ts'

/** Errors of one try that are not the endpoint's: another try may be better off. All others end the request. */
const OF_TRY: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'fault-injected',
  'pending-limit',
  'connection-limit',
])

export class Retrying implements Stage, AlarmListener<Exchange> {
  readonly world: World
  readonly #above: Stage
  #below: Stage
  /** Whose attempt is being taken back: its end is none of the request. */
  #takenBack: Exchange | undefined

  constructor(world: World, above: Stage) {
    this.world = world
    this.#above = above
    this.#below = this
    this.#takenBack = undefined
  }

  /** The next stage down. Once. */
  above(stage: Stage): void {
    this.#below = stage
  }

  open(exchange: Exchange): void {
    const { destination } = exchange
    if (destination.active >= destination.maxRequests) {
      ResilienceCounters.count(destination.resilience.shed, 'request-limit')
      exchange.details = `${destination.service}, ${destination.maxRequests} requests are under way`
      this.#above.ended(exchange, 'request-limit')
      return
    }
    destination.active += 1
    destination.retryBudget?.earn(exchange.now)
    if (needsReplay(exchange)) exchange.keepForReplay()
    this.#try(exchange)
  }

  headers(exchange: Exchange): void {
    const { leader, route } = exchange
    if (leader !== undefined) {
      this.#hedgeAnswered(exchange, leader)
      return
    }
    const mayFail = route.retry.attempts > 0 || exchange.hedge !== undefined
    if (mayFail && isFailure(exchange) && this.#takesBack(exchange)) return
    if (exchange.hedge !== undefined) this.#dropHedge(exchange, exchange.hedge, undefined)
    this.#pass(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    if (exchange === this.#takenBack) return
    const { leader } = exchange
    exchange.stepAlarm.stop()
    if (leader !== undefined) {
      this.#hedgeEnded(exchange, leader, error)
      return
    }
    // What comes to a request that stands here comes from the client's side or from above.
    const isOfTry = error !== undefined && exchange.lowest !== this
    if (!isOfTry || !this.#mends(exchange, error)) this.#finish(exchange, error)
  }

  /** The backoff is over, or one of the times of a try has come. */
  rang(exchange: Exchange, now: Millis): void {
    if (exchange.lowest === this) {
      this.#again(exchange, now)
      return
    }
    const error = overdue(exchange, now)
    if (error !== undefined) {
      this.#cutShort(exchange, error, now)
      return
    }
    if (now >= exchange.hedgeAt && exchange.response === undefined) this.#hedge(exchange, now)
    this.#watch(exchange, now)
  }

  #try(exchange: Exchange): void {
    exchange.lowest = this.#below
    exchange.tryAt = exchange.now
    exchange.earlierAttempts = exchange.attempt
    if (!hasTimes(exchange.route)) {
      this.#below.open(exchange)
      return
    }
    beginTimes(exchange)
    this.#watch(exchange, exchange.now)
    this.#below.open(exchange)
    // The request may have ended with that, from when on the response's head is waited for. Or the try has: then the
    // alarm is off, or set for the next one.
    if (exchange.stepAlarm.isSet && exchange.lowest !== this) this.#watch(exchange, exchange.now)
  }

  #watch(exchange: Exchange, now: Millis): void {
    const at = nextLook(exchange, now)
    if (at !== Number.POSITIVE_INFINITY) this.world.wheel.set(exchange.stepAlarm, at, now, this)
  }

  #cutShort(exchange: Exchange, error: 'per-try-timeout' | 'response-timeout', now: Millis): void {
    const { perTry, responseHeaders } = exchange.route.timeouts
    exchange.upstream?.cancel()
    if (exchange.downstream.isAnswered) {
      exchange.now = now
      exchange.lowest?.ended(exchange, undefined)
      return
    }
    exchange.downstream.discard()
    exchange.details = `${error === 'per-try-timeout' ? perTry : responseHeaders} ms`
    exchange.now = now
    exchange.lowest?.ended(exchange, error)
  }

  /** The response goes to the client. */
  #pass(exchange: Exchange): void {
    // Words of an attempt that another one has mended.
    if (exchange.details !== '') exchange.details = ''
    if (exchange.response?.framing === Framing.tunnel) exchange.stepAlarm.stop()
    this.#above.headers(exchange)
  }

  /** True if the response is a failure that does not go to the client: it is sent again, or the second try goes on. */
  #takesBack(exchange: Exchange): boolean {
    const causes = causesOfResponse(exchange)
    if (causes === 0) return false
    if (exchange.hedge !== undefined) {
      this.#abandon(exchange)
      this.#awaitHedge(exchange, undefined)
      return true
    }
    const wait = this.#judge(exchange, causes, exchange.response)
    if (Number.isNaN(wait)) return false
    this.#abandon(exchange)
    this.#wait(exchange, reasonOf(causes), wait)
    exchange.failure = undefined
    return true
  }

  /** True if the failure is not the request's: it is sent again, or the second try goes on. */
  #mends(exchange: Exchange, error: ErrorCode): boolean {
    if (exchange.downstream.hasBegun) return false
    if (exchange.hedge !== undefined) {
      if (ERRORS[error].source !== 'upstream' && !OF_TRY.has(error)) return false
      this.#awaitHedge(exchange, error)
      return true
    }
    return this.#sendsAgain(exchange, error, causesOfError(error, exchange))
  }

  #sendsAgain(exchange: Exchange, error: ErrorCode, causes: number): boolean {
    if (causes === 0) return false
    exchange.now = this.world.clock.now()
    const wait = this.#judge(exchange, causes, undefined)
    if (Number.isNaN(wait)) return false
    this.#wait(exchange, error === 'fault-injected' ? error : reasonOf(causes), wait)
    exchange.failure = error === 'fault-injected' ? undefined : error
    return true
  }

  /**
   * How long to wait before the request is sent again; NaN if it must not be. `response` is the one that would be
   * taken back. The budget comes last, because asking it spends.
   */
  #judge(exchange: Exchange, causes: number, response: Head | undefined): Millis {
    const { destination, route, now } = exchange
    const { retry } = route
    if (retry.attempts === 0 || isForTunnel(exchange.request)) return NaN
    if (exchange.retries >= retry.attempts) return deny(exchange, 'attempts')
    const isMethodAsked = isProcessed(causes)
    const { method } = exchange.request
    if (isMethodAsked && method !== Method.other && !allows(exchange, causes)) return NaN
    if (exchange.sent > 0 && !exchange.rewind()) return deny(exchange, 'body')
    // The name of one without a code can be read only now.
    if (isMethodAsked && method === Method.other && !allows(exchange, causes)) return NaN
    const asked =
      response === undefined ? NaN : waitAsked(response, exchange.isGrpc, this.world.clock.wall())
    if (asked > retry.retryAfterMax) return deny(exchange, 'retry-after')
    const wait = Number.isNaN(asked)
      ? backoff(retry, exchange.retries + 1, this.world.random())
      : asked
    if (exchange.deadline <= now + wait) return deny(exchange, 'deadline')
    if (exchange.retries === 0 && destination.retrying >= destination.maxRetries) {
      return deny(exchange, 'limit')
    }
    const { retryBudget } = destination
    if (retryBudget?.spend(now) === false) return deny(exchange, 'budget')
    return wait
  }

  #wait(exchange: Exchange, reason: RetryReason, wait: Millis): void {
    const { destination, now } = exchange
    if (exchange.retries === 0) destination.retrying += 1
    exchange.retries += 1
    ResilienceCounters.count(destination.resilience.retries, reason)
    this.#stand(exchange)
    this.world.wheel.set(exchange.stepAlarm, now + wait, now, this)
  }

  /** No attempt of it is under way, and what was of the last is forgotten, but for the endpoint. */
  #stand(exchange: Exchange): void {
    exchange.stepAlarm.stop()
    exchange.lowest = this
    exchange.status = 0
    exchange.grpcStatus = NO_GRPC_STATUS
    exchange.response = undefined
    exchange.responseBytes = 0
    exchange.details = ''
  }

  #again(exchange: Exchange, now: Millis): void {
    if (exchange.endpoint !== undefined) avoid(exchange, exchange.endpoint)
    if (isEveryTried(exchange)) exchange.tried.length = 0
    exchange.endpoint = undefined
    exchange.requestEnded = false
    exchange.now = now
    this.#try(exchange)
  }

  /** The response is not wanted: its endpoint is left, and nobody above hears of it. */
  #abandon(exchange: Exchange): void {
    exchange.upstream?.abandon()
    this.#takeBack(exchange, undefined)
  }

  #takeBack(exchange: Exchange, error: ErrorCode | undefined): void {
    exchange.downstream.discard()
    this.#takenBack = exchange
    exchange.lowest?.ended(exchange, error)
    this.#takenBack = undefined
  }

  #finish(exchange: Exchange, error: ErrorCode | undefined): void {
    const { destination, hedge, retries } = exchange
    if (hedge !== undefined) this.#dropHedge(exchange, hedge, error)
    destination.active -= 1
    if (retries > 0) {
      destination.retrying -= 1
      if (error === undefined && isGood(exchange)) {
        destination.resilience.retrySuccesses += 1
      } else {
        destination.resilience.retryFailures += 1
      }
    }
    this.#above.ended(exchange, error)
  }

  /** The first of two tries has failed. */
  #awaitHedge(exchange: Exchange, error: ErrorCode | undefined): void {
    this.#stand(exchange)
    exchange.failure = error
    if (exchange.endpoint !== undefined) avoid(exchange, exchange.endpoint)
  }

  /** Sends a second try, if there is a budget for it and somebody to ask. */
  #hedge(exchange: Exchange, now: Millis): void {
    const { destination } = exchange
    if (!exchange.requestEnded) {
      delayHedge(exchange, now)
      return
    }
    exchange.hedgeAt = Number.POSITIVE_INFINITY
    const hedge = secondTry(exchange, now)
    if (hedge === undefined) return
    if (destination.retrying >= destination.maxRetries) {
      deny(exchange, 'limit')
    } else if (destination.retryBudget?.spend(now) === false) {
      deny(exchange, 'budget')
    } else {
      destination.retrying += 1
      ResilienceCounters.count(destination.resilience.retries, 'hedge')
      exchange.hedge = hedge
      this.#try(hedge)
    }
  }

  #hedgeAnswered(hedge: Exchange, leader: Exchange): void {
    const causes = isFailure(hedge) ? causesOfResponse(hedge) : 0
    if (causes !== 0) {
      if (leader.lowest !== this) {
        // The first may still do better.
        hedge.upstream?.abandon()
        this.#dropHedge(leader, hedge, undefined)
        return
      }
      leader.now = hedge.now
      const wait = this.#judge(leader, causes, hedge.response)
      if (!Number.isNaN(wait)) {
        leader.endpoint = hedge.endpoint
        hedge.upstream?.abandon()
        this.#dropHedge(leader, hedge, undefined)
        this.#wait(leader, reasonOf(causes), wait)
        return
      }
    }
    if (leader.lowest !== this) {
      leader.upstream?.cancel()
      this.#takeBack(leader, undefined)
      this.#stand(leader)
    }
    leader.destination.resilience.hedgesWon += 1
    adopt(leader, hedge)
    this.#pass(leader)
  }

  #hedgeEnded(hedge: Exchange, leader: Exchange, error: ErrorCode | undefined): void {
    const wasTaken = isTaken(leader, hedge)
    this.#forget(leader, hedge)
    if (wasTaken) {
      leader.now = hedge.now
      leader.details = hedge.details
      this.#finish(leader, error)
    } else if (leader.lowest === this && error !== undefined) {
      this.#bothFailed(leader, hedge, error)
    }
  }

  /** What can be done about either failure is done; if nothing can, the request ends with the last. */
  #bothFailed(leader: Exchange, hedge: Exchange, error: ErrorCode): void {
    const { failure } = leader
    const causes =
      causesOfError(error, hedge) | (failure === undefined ? 0 : causesOfError(failure, leader))
    leader.endpoint = hedge.endpoint ?? leader.endpoint
    leader.details = hedge.details
    leader.status = hedge.status
    if (!this.#sendsAgain(leader, error, causes)) this.#finish(leader, error)
  }

  /** The second try is not wanted any more: the request ends with `error`, or has its response. */
  #dropHedge(leader: Exchange, hedge: Exchange, error: ErrorCode | undefined): void {
    hedge.upstream?.cancel()
    this.#takeBack(hedge, error)
    this.#forget(leader, hedge)
  }

  #forget(leader: Exchange, hedge: Exchange): void {
    if (isTaken(leader, hedge)) {
      leader.responseBytes = hedge.responseBytes
      leader.grpcStatus = hedge.grpcStatus
      leader.resetCode = hedge.resetCode
      leader.upstream = undefined
    }
    leader.sent = Math.max(leader.sent, hedge.sent)
    leader.hedge = undefined
    leader.destination.retrying -= 1
    hedge.letGo(this.world.wheel)
  }
}

function deny({ destination }: Exchange, reason: DenialReason): Millis {
  ResilienceCounters.count(destination.resilience.denied, reason)
  return NaN
}
