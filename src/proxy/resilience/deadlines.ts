// How long a request has: what it came with, what its trace has left, what its route allows, whichever is least; and
// the end of it when that time is over.
//
// A field of the request's own goes before what its trace has left: who sets one has thought about it. What is left is
// written into the request by the codec when it is sent (`Exchange.deadline`), so that every hop passes on less. A
// request whose time is over before it is sent never reaches the application. A tunnel has no deadline.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import type { AlarmListener } from '../../lib/timer-wheel.ts'
import { Framing } from '../http/head.ts'
import type { Direction } from '../stack/counters.ts'
import type { Exchange, Stage } from '../stack/exchange.ts'
import { type DeadlineSource, ResilienceCounters } from '../stack/resilience-counters.ts'
import { NO_LIMIT } from '../stack/route.ts'
import type { World } from '../stack/world.ts'
import { expectedTimeout, grpcTimeout, TIMEOUT_FIELDS } from './request-timeouts.ts'
import type { TraceDeadlines } from './trace-deadlines.ts'

const OVER = 'deadline-exceeded'

export class Deadlines implements Stage, AlarmListener<Exchange> {
  readonly world: World
  readonly #above: Stage
  #below: Stage
  /** The trace memory, for the direction that writes it and the one that reads it. */
  readonly #written: TraceDeadlines | undefined
  readonly #read: TraceDeadlines | undefined

  /** Without a memory no request inherits a deadline. */
  constructor(world: World, above: Stage, direction: Direction, traces?: TraceDeadlines) {
    this.world = world
    this.#above = above
    this.#below = this
    this.#written = direction === 'inbound' ? traces : undefined
    this.#read = direction === 'outbound' ? traces : undefined
  }

  /** The next stage down. Once. */
  above(stage: Stage): void {
    this.#below = stage
  }

  open(exchange: Exchange): void {
    this.#settle(exchange)
    const { deadline, now } = exchange
    if (deadline !== NO_LIMIT) {
      if (deadline <= now) {
        this.#expire(exchange)
        this.#above.ended(exchange, OVER)
        return
      }
      this.world.wheel.set(exchange.deadlineAlarm, deadline, now, this)
      this.#written?.remember(exchange)
    } else {
      this.#written?.revive(exchange)
    }
    this.#below.open(exchange)
  }

  headers(exchange: Exchange): void {
    if (exchange.deadline !== NO_LIMIT && exchange.response?.framing === Framing.tunnel) {
      this.#letGo(exchange, undefined)
    }
    this.#above.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    if (exchange.deadline !== NO_LIMIT) this.#letGo(exchange, error)
    this.#above.ended(exchange, error)
  }

  rang(exchange: Exchange): void {
    const { downstream } = exchange
    const holder = exchange.lowest ?? this
    exchange.upstream?.cancel()
    exchange.now = this.world.clock.now()
    // The time is the response's, and that was in time.
    if (downstream.isAnswered) {
      holder.ended(exchange, undefined)
      return
    }
    downstream.discard()
    this.#expire(exchange)
    holder.ended(exchange, OVER)
  }

  #settle(exchange: Exchange): void {
    const { request, route, startedAt } = exchange
    const isOwn = request.has(TIMEOUT_FIELDS) && applyFields(exchange)
    if (!isOwn && this.#read !== undefined && this.#read.size > 0) {
      lower(exchange, this.#read.deadlineOf(exchange), 'trace')
    }
    lower(exchange, startedAt + route.timeouts.request, 'route')
  }

  #letGo(exchange: Exchange, error: ErrorCode | undefined): void {
    exchange.deadlineAlarm.stop()
    this.#written?.release(exchange, error === OVER || error === 'downstream-reset')
  }

  /** Says whose time it was. */
  #expire(exchange: Exchange): void {
    const { destination, deadlineSource, route, sent } = exchange
    const { resilience, service } = destination
    ResilienceCounters.count(resilience.expired, deadlineSource)
    if (sent === 0) ResilienceCounters.count(resilience.shed, OVER)
    exchange.details =
      deadlineSource === 'route' ? `route ${service}/${route.name}` : deadlineSource
  }
}

/** True if a field says how long the request has. */
function applyFields(exchange: Exchange): boolean {
  const { request, startedAt } = exchange
  const expected = expectedTimeout(request)
  const grpc = grpcTimeout(request)
  lower(exchange, startedAt + expected, 'x-envoy-expected-rq-timeout-ms')
  lower(exchange, startedAt + grpc, 'grpc-timeout')
  return expected !== NO_LIMIT || grpc !== NO_LIMIT
}

function lower(exchange: Exchange, deadline: Millis, source: DeadlineSource): void {
  if (deadline >= exchange.deadline) return
  exchange.deadline = deadline
  exchange.deadlineSource = source
}
