// The metrics page: everything that is counted, in the Prometheus text format, written by prom-client.
//
// Counters live as plain numbers where the hot path can add to them (stack/counters.ts); they are read here, when
// somebody asks, and at no other time.

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import {
  Counter,
  Gauge,
  type MetricObjectWithValues,
  type MetricValue,
  Registry,
} from 'prom-client'
import type { Millis } from '../../lib/duration.ts'
import { droppedLines } from '../../lib/log.ts'
import type { ConnectionCounters, CounterRegistry } from '../stack/counters.ts'
import type { Destination } from '../stack/destination.ts'
import type { ResilienceLine } from '../stack/resilience-counters.ts'
import { type Application, addAdmissionMetrics } from './admission-metrics.ts'
import { addHealthMetrics } from './health-metrics.ts'
import { addHttp2Metrics } from './http2-metrics.ts'
import { addRequestMetrics } from './request-metrics.ts'
import { addResilienceMetrics } from './resilience-metrics.ts'
import type { SpanCounts } from './span-queue.ts'
import { addTraceMetrics } from './trace-metrics.ts'

/** How often the event loop is probed: often enough for a stall to be seen, too rarely to keep a core awake. */
const PROBE_MILLISECONDS = 50

const LABELS = ['direction', 'service', 'endpoint'] as const

/** All metrics with their values, as data that another process can add to its own. */
export type Figures = readonly MetricObjectWithValues<MetricValue<string>>[]

/** A figure of every line of the registry, under one name. */
interface LineMetric {
  readonly name: string
  readonly help: string
  readonly kind: 'counter' | 'gauge'
  readonly value: (line: ConnectionCounters) => number
}

const LINE_METRICS: readonly LineMetric[] = [
  {
    name: 'underpass_tcp_connections_opened_total',
    help: 'Connections that were established to an endpoint.',
    kind: 'counter',
    value: (line) => line.opened,
  },
  {
    name: 'underpass_tcp_connections_closed_total',
    help: 'Established connections that have ended, however they ended.',
    kind: 'counter',
    value: (line) => line.closed,
  },
  {
    name: 'underpass_tcp_open_connections',
    help: 'Connections that are established now.',
    kind: 'gauge',
    value: (line) => line.opened - line.closed,
  },
  {
    name: 'underpass_tcp_received_bytes_total',
    help: 'Bytes carried from the client to the endpoint.',
    kind: 'counter',
    value: (line) => line.received,
  },
  {
    name: 'underpass_tcp_sent_bytes_total',
    help: 'Bytes carried from the endpoint to the client.',
    kind: 'counter',
    value: (line) => line.sent,
  },
]

/** What the metrics know besides the counters. */
export interface MetricsContext {
  /** `name.namespace` of the pod's own workload; empty if it is not known. */
  readonly workload?: string
  /** Undefined if nothing is traced. */
  readonly spans?: SpanCounts | undefined
  /** Every Service port that discovery has. */
  readonly destinations?: () => Iterable<Destination>
  /** Every service that something is counted of. */
  readonly services?: () => Iterable<ResilienceLine>
  /** The clock's. */
  readonly now?: () => Millis
  /** The application's ports that requests have come for. */
  readonly applications?: () => Iterable<Application>
}

export class Metrics {
  readonly #registry = new Registry()
  readonly #counters: CounterRegistry
  readonly #delay: IntervalHistogram

  constructor(
    counters: CounterRegistry,
    openConnections: () => number,
    context: MetricsContext = {},
  ) {
    const { workload = '', spans, destinations = () => [], services, now, applications } = context
    this.#counters = counters
    this.#delay = monitorEventLoopDelay({ resolution: PROBE_MILLISECONDS })
    this.#delay.enable()
    for (const metric of LINE_METRICS) this.#addLineMetric(metric)
    this.#addFailures()
    addRequestMetrics(this.#registry, counters, workload)
    addHttp2Metrics(this.#registry, counters)
    addHealthMetrics(this.#registry, destinations)
    addResilienceMetrics(this.#registry, services, now)
    addAdmissionMetrics(this.#registry, services, applications)
    if (spans !== undefined) addTraceMetrics(this.#registry, spans)
    this.#addProcess(openConnections)
    this.#addResources()
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  async page(): Promise<string> {
    return await this.#registry.metrics()
  }

  /** The same for another process, which sums up several: what prom-client's `aggregate` takes. */
  async figures(): Promise<Figures> {
    return await this.#registry.getMetricsAsJSON()
  }

  stop(): void {
    this.#delay.disable()
  }

  #addLineMetric({ name, help, kind, value }: LineMetric): void {
    const counters = this.#counters
    const options = { name, help, labelNames: LABELS, registers: [this.#registry] }
    const Metric = kind === 'counter' ? Counter : Gauge
    new Metric({
      ...options,
      collect() {
        this.reset()
        for (const line of used(counters)) this.inc(labelsOf(line), value(line))
      },
    })
  }

  #addFailures(): void {
    const counters = this.#counters
    new Counter({
      name: 'underpass_tcp_connect_failures_total',
      help: 'Connect attempts that failed, by reason; another endpoint may have been tried.',
      labelNames: [...LABELS, 'reason'],
      registers: [this.#registry],
      collect() {
        this.reset()
        for (const line of used(counters)) {
          for (const [reason, count] of line.connectFailures) {
            this.inc({ ...labelsOf(line), reason }, count)
          }
        }
      },
    })
    new Counter({
      name: 'underpass_tcp_connection_errors_total',
      help: 'Connections that were refused or did not end in order, by reason.',
      labelNames: ['direction', 'reason'],
      registers: [this.#registry],
      collect() {
        this.reset()
        for (const { direction, reason, count } of counters.errors()) {
          this.inc({ direction, reason }, count)
        }
      },
    })
  }

  #addProcess(openConnections: () => number): void {
    const delay = this.#delay
    new Gauge({
      name: 'underpass_sessions',
      help: 'Connections in hand, those whose endpoint is still being connected to included.',
      registers: [this.#registry],
      collect() {
        this.set(openConnections())
      },
    })
    new Gauge({
      name: 'underpass_event_loop_delay_seconds',
      help: `Delay of the event loop since the last time this was read, probed every ${PROBE_MILLISECONDS} ms.`,
      labelNames: ['quantile'],
      // Over several processes: how late the latest of them is.
      aggregator: 'max',
      registers: [this.#registry],
      collect() {
        for (const quantile of [0.5, 0.9, 0.99, 1]) {
          const nanoseconds = quantile === 1 ? delay.max : delay.percentile(quantile * 100)
          const over = Math.max(0, nanoseconds / 1e9 - PROBE_MILLISECONDS / 1000)
          this.set({ quantile: String(quantile) }, delay.count === 0 ? 0 : over)
        }
        delay.reset()
      },
    })
  }

  #addResources(): void {
    new Gauge({
      name: 'underpass_resident_memory_bytes',
      help: 'Resident memory of this process.',
      registers: [this.#registry],
      collect() {
        this.set(process.memoryUsage.rss())
      },
    })
    new Counter({
      name: 'underpass_log_lines_dropped_total',
      help: 'Log lines that were lost because nobody read them.',
      registers: [this.#registry],
      collect() {
        this.reset()
        this.inc(droppedLines())
      },
    })
    new Counter({
      name: 'underpass_cpu_seconds_total',
      help: 'Processor time of this process, user and system.',
      labelNames: ['mode'],
      registers: [this.#registry],
      collect() {
        const { user, system } = process.cpuUsage()
        this.reset()
        this.inc({ mode: 'user' }, user / 1e6)
        this.inc({ mode: 'system' }, system / 1e6)
      },
    })
  }
}

/** Of thousands of endpoints a sidecar talks to few: the others would only make the page large and slow. */
function* used(counters: CounterRegistry): Iterable<ConnectionCounters> {
  for (const line of counters.all()) {
    if (line.opened > 0 || line.connectFailures.size > 0) yield line
  }
}

function labelsOf({ direction, service, endpoint }: ConnectionCounters): {
  direction: string
  service: string
  endpoint: string
} {
  return { direction, service, endpoint }
}
