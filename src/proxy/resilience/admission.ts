// How many requests the pod's application works on at once: the others wait, the one whose time is over first to go
// first, and those that cannot make it are refused at once.
//
// A request that waits is refused as soon as it is expected to have too little time left: those ahead of it take their
// turns, and it needs the application for as long as most do. Without the second half those that are served would be
// the ones that are about to be too late, and under overload nobody would be in time.
// A place is taken from when a request goes on until its response has ended, so event streams and long polls hold one.
// While the application answers nothing at all, a request that was cut before its answer keeps its place too: one that
// stands still finds everything that it was sent in its sockets when it goes on, however long ago nobody wanted it any
// more. Those places are free again when it answers anything, or one by one.
// A tunnel does not: a WebSocket that is open is no work, and idle ones must not shut out requests. While a request
// waits its connection is not read. How long it has is left to Deadlines, which also ends its wait.

import type { Timer } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { Framing } from '../http/head.ts'
import type { AdmissionView, Destination } from '../stack/destination.ts'
import { AT_WORK, type Exchange, NO_PLACE, type Stage } from '../stack/exchange.ts'
import { isServerFailure } from '../stack/grpc.ts'
import { ResilienceCounters } from '../stack/resilience-counters.ts'
import { NO_LIMIT } from '../stack/route.ts'
import type { World } from '../stack/world.ts'
import { DeadlineQueue } from './deadline-queue.ts'
import { GradientLimit } from './gradient-limit.ts'
import { ServiceTime } from './service-time.ts'

export interface ConcurrencyRules {
  /** Requests that the application works on at once; undefined for no limit. */
  readonly limit: number | undefined
  /** Requests that wait for it at most. */
  readonly pending: number
  /** `gradient`: the limit follows latency, between `min` and `limit`. */
  readonly adaptive: 'off' | 'gradient'
  readonly min: number
}

/** No limit: nobody waits. */
export const NO_CONCURRENCY: ConcurrencyRules = {
  limit: undefined,
  pending: 0,
  adaptive: 'off',
  min: 1,
}

/** How far an adaptive limit goes where none is given. */
export const MOST_ADAPTIVE = 1000

const FAILED = 500
/** Ends that come from the client's side, and not from the application. */
const CUT: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['deadline-exceeded', 'downstream-reset'])

/** An application that takes longer than so many of its usual times, and this at least, to answer anything is silent. */
const SILENCE = 10
const LEAST_SILENCE: Millis = 100
/** Of a sample in the moving average of how long an answer takes. */
const USUAL = 0.05

/** So often an application that answers nothing is given another request. */
const PROBE_PERIOD: Millis = 1000

export class Admission implements Stage, AdmissionView {
  readonly world: World
  /** Requests that the application works on, and those that it may have still although they were cut. */
  active = 0
  #owed = 0
  /** Somebody was asked although all places were owed, and there was no answer since. */
  #hasProbed = false
  /** When the head of a response came last. */
  #answeredAt: Millis = NaN
  /** How long that takes, of those that come: one that stands still does not make silence usual. */
  #usual: Millis = NaN
  #probing: Timer | undefined
  readonly #destination: Destination
  readonly #above: Stage
  #below: Stage
  readonly #pending: number
  readonly #fixed: number
  readonly #gradient: GradientLimit | undefined
  readonly #isLimited: boolean
  readonly #queue = new DeadlineQueue()
  readonly #time = new ServiceTime()
  #isGranting = false

  constructor(
    world: World,
    above: Stage,
    destination: Destination,
    { limit, pending, adaptive, min }: ConcurrencyRules = NO_CONCURRENCY,
  ) {
    this.world = world
    this.#above = above
    this.#below = this
    this.#destination = destination
    this.#probing = undefined
    this.#pending = pending
    this.#fixed = limit ?? Number.POSITIVE_INFINITY
    this.#gradient =
      adaptive === 'gradient' ? new GradientLimit(min, limit ?? MOST_ADAPTIVE) : undefined
    this.#isLimited = limit !== undefined || this.#gradient !== undefined
    destination.admission = this
  }

  /** The next stage down. Once. */
  above(stage: Stage): void {
    this.#below = stage
  }

  get limit(): number {
    return this.#gradient === undefined ? this.#fixed : this.#gradient.limit
  }

  get waiting(): number {
    return this.#queue.size
  }

  open(exchange: Exchange): void {
    if (this.active < this.limit && this.#queue.size === 0) this.#admit(exchange)
    else if (this.#queue.size >= this.#pending) {
      this.#refuse(exchange, 'overloaded', `${this.active} at work, ${this.#queue.size} wait`)
    } else if (this.#isTooLate(exchange)) {
      this.#refuseLate(exchange)
    } else {
      exchange.lowest = this
      this.#queue.push(exchange)
    }
  }

  headers(exchange: Exchange): void {
    if (this.#isLimited && exchange.place === AT_WORK) {
      // To the head: how fast the client takes the rest is not the application's doing. A failure is fast, or slow, for
      // reasons of its own.
      this.#hasProbed = false
      this.#heard(exchange)
      if (this.#owed > 0) this.#forgive(this.#owed)
      if (exchange.status < FAILED && !isServerFailure(exchange.grpcStatus)) {
        this.#gradient?.sample(exchange.now - exchange.sentAt, this.active, exchange.now)
      }
      if (exchange.response?.framing === Framing.tunnel) this.#free(exchange)
    }
    this.#above.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    if (exchange.place === AT_WORK) this.#leave(exchange, error)
    else if (exchange.place !== NO_PLACE) this.#queue.remove(exchange)
    this.#above.ended(exchange, error)
  }

  #admit(exchange: Exchange): void {
    this.active += 1
    exchange.place = AT_WORK
    this.#below.open(exchange)
  }

  #leave(exchange: Exchange, error: ErrorCode | undefined): void {
    if (this.#isLimited) {
      // Whoever ended it from outside did not say when.
      const now = error === undefined ? exchange.now : this.world.clock.now()
      const time = now - exchange.sentAt
      this.#time.add(time, error !== undefined)
      const isUnanswered = exchange.status === 0
      // An application that hangs is slow, although no response says so.
      if (error === 'deadline-exceeded' && isUnanswered) {
        this.#gradient?.sample(time, this.active, now)
      }
      const isCut = error !== undefined && CUT.has(error) && exchange.sent > 0
      if (isUnanswered && isCut && this.#isSilent(now)) {
        exchange.place = NO_PLACE
        this.#owe()
        return
      }
    }
    this.#free(exchange)
  }

  #heard({ now, sentAt }: Exchange): void {
    const time = now - sentAt
    this.#usual = Number.isNaN(this.#usual) ? time : this.#usual + (time - this.#usual) * USUAL
    this.#answeredAt = now
  }

  /** Nothing has come from it for so long that it may stand still. Before the first answer that is not known. */
  #isSilent(now: Millis): boolean {
    return !(now - this.#answeredAt <= Math.max(LEAST_SILENCE, SILENCE * this.#usual))
  }

  /** The place of a request that was cut stays taken. Where nobody is left who could be answered, one is asked at once. */
  #owe(): void {
    this.#owed += 1
    this.#probing ??= this.world.clock.every(PROBE_PERIOD, () => {
      this.#forgive(1)
    })
    if (this.#owed < this.active || this.#hasProbed) return
    this.#hasProbed = true
    this.#forgive(1)
  }

  #forgive(places: number): void {
    this.#owed -= places
    this.active -= places
    if (this.#owed === 0) {
      this.#probing?.cancel()
      this.#probing = undefined
    }
    if (this.#queue.size > 0) this.#grant()
  }

  #free(exchange: Exchange): void {
    exchange.place = NO_PLACE
    this.active -= 1
    if (this.#queue.size > 0) this.#grant()
  }

  /** Lets those go on that there is room for. One that fails at once comes back here: the loop goes on above it. */
  #grant(): void {
    if (this.#isGranting) return
    this.#isGranting = true
    const now = this.world.clock.now()
    while (this.active < this.limit) {
      const next = this.#queue.pop()
      if (next === undefined) break
      next.now = now
      if (this.#isOver(next, 0)) this.#refuseLate(next)
      else this.#admit(next)
    }
    this.#isGranting = false
  }

  #isTooLate(exchange: Exchange): boolean {
    const { deadline } = exchange
    // Most often all that wait are few enough, and need not be looked through.
    if (deadline === NO_LIMIT || !this.#isOver(exchange, this.#queue.size)) return false
    return this.#isOver(exchange, this.#queue.ahead(deadline))
  }

  /** Whether its time is over before it could be answered, if so many go before it. */
  #isOver({ deadline, now }: Exchange, ahead: number): boolean {
    const { mean, median } = this.#time
    if (deadline <= now) return true
    const wait: Millis = (ahead / this.limit) * mean
    // Before anything was measured these are no numbers, and nobody is too late.
    return now + wait + median > deadline
  }

  #refuseLate(exchange: Exchange): void {
    const left = Math.max(0, Math.floor(exchange.deadline - exchange.now))
    this.#refuse(exchange, 'deadline-unmeetable', `${left} ms left, ${this.#queue.size} wait`)
  }

  #refuse(exchange: Exchange, error: ErrorCode, details: string): void {
    ResilienceCounters.count(this.#destination.resilience.shed, error)
    // Whom it was meant for, although it was not sent there: the next hop of the answer (RFC 9209 section 2.1.2), by
    // which the sidecar that sent it knows who speaks.
    const endpoint = this.#destination.picker.endpoints[0]
    if (endpoint !== undefined) exchange.tried.push(endpoint)
    exchange.details = details
    this.#above.ended(exchange, error)
  }
}
