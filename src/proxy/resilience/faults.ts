// Delays or fails some tries on purpose, in the endpoint's stead, as their route's policy asks: to see what becomes of it.
//
// Below the retry policy, so that timeouts and retries meet these faults as they would meet real ones. A try that is
// held has no endpoint and no upstream, so that the client's side does not read on; whoever ends it meanwhile does it
// here. It is no stage on the way up but for that.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { Alarm, type AlarmListener } from '../../lib/timer-wheel.ts'
import type { Exchange, Stage } from '../stack/exchange.ts'
import type { FaultRule } from '../stack/route.ts'
import type { World } from '../stack/world.ts'

export class Faults implements Stage, AlarmListener<Exchange> {
  readonly world: World
  readonly #above: Stage
  #below: Stage

  constructor(world: World, above: Stage) {
    this.world = world
    this.#above = above
    this.#below = this
  }

  /** The next stage down. Once. */
  above(stage: Stage): void {
    this.#below = stage
  }

  open(exchange: Exchange): void {
    const { fault } = exchange.route
    if (fault === undefined) this.#below.open(exchange)
    else if (fault.delay > 0 && this.world.random() < fault.delayShare) this.#hold(exchange, fault)
    else this.#goOn(exchange, fault)
  }

  headers(exchange: Exchange): void {
    this.#above.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    exchange.faultAlarm?.stop()
    this.#above.ended(exchange, error)
  }

  /** The delay is over. */
  rang(exchange: Exchange, now: Millis): void {
    exchange.now = now
    const { fault } = exchange.route
    if (fault === undefined) this.#below.open(exchange)
    else this.#goOn(exchange, fault)
  }

  #hold(exchange: Exchange, { delay }: FaultRule): void {
    exchange.destination.resilience.faultDelays += 1
    exchange.lowest = this
    // An earlier try's endpoint has no part in how this one ends.
    exchange.endpoint = undefined
    exchange.faultAlarm ??= new Alarm(exchange)
    this.world.wheel.set(exchange.faultAlarm, exchange.now + delay, exchange.now, this)
  }

  #goOn(exchange: Exchange, { abortShare, abortStatus }: FaultRule): void {
    if (this.world.random() >= abortShare) {
      this.#below.open(exchange)
      return
    }
    exchange.destination.resilience.faultAborts += 1
    exchange.lowest = this
    exchange.endpoint = undefined
    exchange.status = abortStatus
    exchange.details = `route ${exchange.route.name}`
    this.#above.ended(exchange, 'fault-injected')
  }
}
