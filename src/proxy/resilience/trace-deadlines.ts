// What the requests that the pod's application works on have left, by the ids of their traces: an application that
// passes those on, but not the deadline, has its own requests end in time all the same.
//
// One memory for a proxy: inbound writes it, outbound reads it. A deadline is remembered while its request is under
// way. Of several inbound requests of one trace at the same time the latest deadline holds, so that none is cut too
// early, and it holds until the last of them has ended: what the application does after its answers is not cut. If that
// one had no answer, because its time was over or its client had gone, the time of the trace is over: what the
// application still asks for is for nobody, and is refused for half a minute, or until a request of the trace comes that
// has time. Requests without a deadline count for nothing else here. The memory is bounded (trace-table.ts): under more traces than fit, those unused for longest lose only what they would inherit.

import { randomFillSync } from 'node:crypto'
import type { Millis } from '../../lib/duration.ts'
import { HalfSipHash } from '../../lib/half-sip-hash.ts'
import type { Exchange } from '../stack/exchange.ts'
import { NO_LIMIT } from '../stack/route.ts'
import { MOST_IDS, TraceIds, WORDS } from './trace-ids.ts'
import { TraceTable } from './trace-table.ts'

/** Ids that are remembered at once. */
const CAPACITY = 16_384
const NOTHING = 0

export class TraceDeadlines {
  readonly #capacity: number
  readonly #ids: TraceIds
  readonly #hash: HalfSipHash
  /** Made when the first deadline comes. */
  #table: TraceTable | undefined

  constructor(capacity: number = CAPACITY) {
    const keys = randomFillSync(new Int32Array(6))
    const hash = (at: number): HalfSipHash => new HalfSipHash(keys[at] ?? 0, keys[at + 1] ?? 0)
    this.#capacity = capacity
    this.#ids = new TraceIds([hash(0), hash(2)])
    this.#hash = hash(4)
    this.#table = undefined
  }

  /** Ids that are remembered now. */
  get size(): number {
    return this.#table === undefined ? 0 : this.#table.size
  }

  /** Remembers an inbound request's deadline, until `release`. */
  remember(exchange: Exchange): void {
    const count = this.#ids.read(exchange)
    if (count === 0) return
    this.#table ??= new TraceTable(this.#capacity, this.#hash)
    exchange.traces ??= new Float64Array(MOST_IDS)
    for (let i = 0; i < count; i++) {
      const { deadline, now } = exchange
      exchange.traces[i] = this.#table.hold(this.#ids.words, i * WORDS, deadline, now)
    }
  }

  /** An inbound request has no deadline: nor has its trace, if that was over. */
  revive(exchange: Exchange): void {
    const table = this.#table
    if (table === undefined || table.size === 0) return
    const count = this.#ids.read(exchange)
    for (let i = 0; i < count; i++) table.revive(this.#ids.words, i * WORDS)
  }

  /** The request has ended; without its answer if it `wasCut`. Safe to call twice, and for one that was not remembered. */
  release({ traces, now }: Exchange, wasCut = false): void {
    if (traces === undefined) return
    for (let i = 0; i < MOST_IDS; i++) {
      const handle = traces[i] ?? NOTHING
      if (handle === NOTHING) return
      traces[i] = NOTHING
      if (wasCut) this.#table?.cut(handle, now)
      else this.#table?.release(handle)
    }
  }

  /** What an outbound request inherits: the latest deadline of its ids, NO_LIMIT if there is none. */
  deadlineOf(exchange: Exchange): Millis {
    const table = this.#table
    if (table === undefined || table.size === 0) return NO_LIMIT
    const count = this.#ids.read(exchange)
    let latest = Number.NEGATIVE_INFINITY
    for (let i = 0; i < count; i++) {
      const deadline = table.find(this.#ids.words, i * WORDS, exchange.now)
      if (deadline !== NO_LIMIT && deadline > latest) latest = deadline
    }
    return latest === Number.NEGATIVE_INFINITY ? NO_LIMIT : latest
  }
}
