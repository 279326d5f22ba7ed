// Sends a copy of some requests to another Service, whose answers nobody gets.
//
// The original comes first: its copy is made when its response's head is there (or it has failed), from what is kept
// of it anyway, and leaves after the sockets were served. A copy goes the whole way of its destination, with metrics
// of its own, but none of its routes' demands hold: it is neither sent again nor copied again. What would take too
// much memory is dropped and counted.

import type { Millis } from '../../lib/duration.ts'
import type { ErrorCode } from '../../lib/errors.ts'
import { Framing } from '../http/head.ts'
import { Method } from '../http/method.ts'
import type { Destination } from '../stack/destination.ts'
import type { Exchange, Stage } from '../stack/exchange.ts'
import { MOST_KEPT } from '../stack/replay.ts'
import type { ResilienceCounters } from '../stack/resilience-counters.ts'
import type { FindService, MirrorRule } from '../stack/route.ts'
import type { World } from '../stack/world.ts'
import { MirrorCopy, type MirrorOwner } from './mirror-copy.ts'
import { isWhole, Shadows } from './shadow.ts'

/** Copies under way at once, and the bytes of them all. */
const MOST_COPIES = 1024
const MOST_BYTES = 16 * 1_048_576
/** A copy has what is left of its original's time, but not longer than this. */
const LONGEST: Millis = 15_000

export class Mirroring implements Stage, MirrorOwner {
  readonly world: World
  readonly #above: Stage
  readonly #counters: ResilienceCounters
  readonly #find: FindService
  #below: Stage
  /** Made when the first request is copied. */
  #shadows: Shadows | undefined
  #copies = 0
  #bytes = 0

  /** Counts in `destination`, which the originals are for. What `find` gives has its way of requests. */
  constructor(world: World, above: Stage, destination: Destination, find: FindService) {
    this.world = world
    this.#above = above
    this.#counters = destination.resilience
    this.#find = find
    this.#below = this
    this.#shadows = undefined
  }

  /** The next stage down. Once. */
  above(stage: Stage): void {
    this.#below = stage
  }

  open(exchange: Exchange): void {
    const { mirror } = exchange.route
    if (mirror !== undefined) this.#choose(exchange, mirror)
    this.#below.open(exchange)
  }

  headers(exchange: Exchange): void {
    // An early response: the rest of the request may still come.
    if (exchange.isMirrored && isWhole(exchange)) this.#mirror(exchange)
    this.#above.headers(exchange)
  }

  ended(exchange: Exchange, error: ErrorCode | undefined): void {
    if (exchange.isMirrored) this.#mirror(exchange)
    this.#above.ended(exchange, error)
  }

  /** One of our copies is over. */
  copied({ exchange, bytes }: MirrorCopy, isWell: boolean): void {
    exchange.letGo(this.world.wheel)
    this.#copies -= 1
    this.#bytes -= bytes.length
    if (!isWell) this.#counters.mirrorFailures += 1
  }

  #choose(exchange: Exchange, { share }: MirrorRule): void {
    const { request } = exchange
    // A copy could not go on as these do: with a tunnel, or when it is told to.
    if (request.method === Method.connect || request.upgrade || request.expectsContinue) return
    if (this.world.random() >= share) return
    const isTooLong = request.framing === Framing.length && request.contentLength > MOST_KEPT
    if (isTooLong || this.#isFull) {
      this.#counters.mirrorsDropped += 1
      return
    }
    exchange.isMirrored = true
    // Without a body it leaves in one write and is kept (`Exchange.kept`), or its codec keeps it.
    if (request.framing !== Framing.none) exchange.keepForReplay()
  }

  get #isFull(): boolean {
    return this.#copies >= MOST_COPIES || this.#bytes >= MOST_BYTES
  }

  #mirror(exchange: Exchange): void {
    exchange.isMirrored = false
    const copy = this.#copyOf(exchange)
    if (copy === undefined) {
      this.#counters.mirrorsDropped += 1
      return
    }
    this.#counters.mirrored += 1
    this.#copies += 1
    this.#bytes += copy.bytes.length
    const { clock } = this.world
    // The original's response has not left yet.
    clock.afterPoll(() => {
      copy.start(clock.now())
    })
  }

  #copyOf(exchange: Exchange): MirrorCopy | undefined {
    const { mirror } = exchange.route
    if (mirror === undefined || this.#isFull || !isWhole(exchange)) return undefined
    const destination = this.#find(mirror.service, mirror.port)
    if (destination?.requests === undefined) return undefined
    this.#shadows ??= new Shadows()
    const bytes = this.#shadows.copy(exchange)
    if (bytes === undefined) return undefined
    const deadline = Math.min(exchange.deadline, this.world.clock.now() + LONGEST)
    const copy = new MirrorCopy(destination, exchange, bytes, deadline, this)
    return copy.isSound ? copy : undefined
  }
}
