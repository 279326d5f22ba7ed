// What is told of every request besides its counting: the access log and traces, or either; there is no observer if
// neither is on, and the hot path pays for one look.

import type { Clock } from '../../lib/clock.ts'
import type { Millis } from '../../lib/duration.ts'
import type { Log } from '../../lib/log.ts'
import type { Random } from '../../lib/random.ts'
import type { Exchange } from '../stack/exchange.ts'
import { Observation, type RequestObserver } from '../stack/observation.ts'
import { AccessLog } from './access-log.ts'
import { type SpanCounts, type SpanExporter, SpanQueue } from './span-queue.ts'
import { TraceContext } from './trace-context.ts'
import { Tracer } from './tracing.ts'

/** How long the end of the process waits for a collector. */
const STOP_LIMIT: Millis = 2000
/** Who spans are of where the workload is not known. */
const NAMELESS = 'underpass'

/** The part of the proxy's settings that is read here. */
export interface ObserverSettings {
  /** `name.namespace`; empty if it is not known. */
  readonly workload: string
  readonly accessLog: 'off' | 'json'
  readonly tracing: {
    /** The whole URL that spans are sent to; undefined for no tracing. */
    readonly endpoint: string | undefined
    /** The share of requests without a traceparent that are traced, 0 to 1. */
    readonly sample: number
  }
}

/** Undefined if nobody wants to know of requests. */
export async function makeObserver(
  settings: ObserverSettings,
  clock: Clock,
  random: Random,
  log: Log,
): Promise<Observer | undefined> {
  const { workload, accessLog, tracing } = settings
  const access = accessLog === 'json' ? new AccessLog(log) : undefined
  let tracer: Tracer | undefined
  if (tracing.endpoint !== undefined) {
    const exporter = await loadExporter(tracing.endpoint, workload === '' ? NAMELESS : workload)
    tracer = new Tracer(new SpanQueue(exporter, clock, log), tracing.sample, clock, random)
  }
  if (access === undefined && tracer === undefined) return undefined
  return new Observer(clock, access, tracer)
}

async function loadExporter(url: string, name: string): Promise<SpanExporter> {
  const { OtlpExporter } = await import('./otlp-exporter.ts')
  return new OtlpExporter(url, name)
}

export class Observer implements RequestObserver {
  readonly #clock: Clock
  readonly #access: AccessLog | undefined
  readonly #tracer: Tracer | undefined
  readonly #incoming = new TraceContext()

  constructor(clock: Clock, access: AccessLog | undefined, tracer: Tracer | undefined) {
    this.#clock = clock
    this.#access = access
    this.#tracer = tracer
  }

  /** For the metrics; undefined if nothing is traced. */
  get spans(): SpanCounts | undefined {
    return this.#tracer?.queue
  }

  began(exchange: Exchange): void {
    if (this.#tracer !== undefined) {
      this.#tracer.began(exchange, this.#access !== undefined)
      return
    }
    const observation = new Observation(exchange.request)
    if (this.#incoming.read(exchange.request)) observation.traceId = this.#incoming.traceId
    exchange.observation = observation
  }

  ended(exchange: Exchange): void {
    const { observation } = exchange
    if (observation === undefined) return
    const latency = this.#clock.now() - exchange.startedAt
    this.#access?.write(exchange, observation, latency)
    this.#tracer?.ended(exchange, observation, latency)
  }

  /** Hands over the spans that wait; takes two seconds at most. */
  async stop(): Promise<void> {
    await this.#tracer?.queue.stop(STOP_LIMIT)
  }
}
