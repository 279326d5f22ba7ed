// Traces: which requests are sampled, the span that each of those gets, and the traceparent that says so to the next.
//
// A request that comes with a valid traceparent follows its sampled flag. One that is not sampled keeps it as it is:
// a span that nobody records must not stand between two that somebody does. A request without one begins a trace,
// sampled by chance, and is sent on with a traceparent in either case, so that those behind us decide alike. What
// becomes of a finished span is left to the queue.

import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { Random } from '../../lib/random.ts'
import { Field, fieldBits } from '../http/fields.ts'
import type { Exchange } from '../stack/exchange.ts'
import { Observation } from '../stack/observation.ts'
import { Span } from './span.ts'
import type { SpanQueue } from './span-queue.ts'
import { newTraceparent, SAMPLED, spanIdIn, TraceContext, traceIdIn } from './trace-context.ts'

const TRACEPARENT = fieldBits(Field.traceparent)
/** Of no use without the traceparent it came with (W3C Trace Context, section 3.3). */
const TRACESTATE = fieldBits(Field.tracestate)

export class Tracer {
  readonly queue: SpanQueue
  /** The share of the traces begun here that is sampled. */
  readonly #sample: number
  readonly #clock: Clock
  readonly #random: Random
  readonly #incoming = new TraceContext()

  constructor(queue: SpanQueue, sample: number, clock: Clock, random: Random) {
    this.queue = queue
    this.#sample = sample
    this.#clock = clock
    this.#random = random
  }

  /** Makes the observation of a request that is sampled, or of any if `all`. */
  began(exchange: Exchange, all: boolean): void {
    const incoming = this.#incoming.read(exchange.request) ? this.#incoming : undefined
    const isSampled = incoming?.isSampled ?? this.#random() < this.#sample
    if (!isSampled && !all && incoming !== undefined) return
    const line =
      isSampled || incoming === undefined ? this.#send(exchange, incoming, isSampled) : undefined
    if (!isSampled && !all) return
    const observation = new Observation(exchange.request)
    observation.traceId = incoming?.traceId ?? (line === undefined ? '' : traceIdIn(line))
    if (isSampled && line !== undefined) {
      observation.isSampled = true
      observation.spanId = spanIdIn(line)
      observation.parentId = incoming?.spanId ?? ''
      observation.startedAt = this.#clock.wall()
    }
    exchange.observation = observation
  }

  ended(exchange: Exchange, observation: Observation, latency: Millis): void {
    if (observation.isSampled) this.queue.add(new Span(exchange, observation, latency))
  }

  /** Has the request say what trace it belongs to from here on. */
  #send(exchange: Exchange, incoming: TraceContext | undefined, isSampled: boolean): Buffer {
    const flags = incoming?.flags ?? (isSampled ? SAMPLED : 0)
    const line = newTraceparent(flags, incoming)
    const lines = exchange.requestLines
    exchange.requestLines = lines === undefined ? line : Buffer.concat([lines, line])
    exchange.requestCut |= incoming === undefined ? TRACEPARENT | TRACESTATE : TRACEPARENT
    return line
  }
}
