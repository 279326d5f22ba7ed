// The metrics page of a proxy with several workers: what all of them counted, as one.
//
// Added up by prom-client; a metric that must not be added says so itself (`aggregator`). A worker that dies takes its
// counters along, and a sum that falls reads as a restart of everything: what it had last told is kept.

import { AggregatorRegistry, Counter, Gauge, Registry } from 'prom-client'
import { CounterRegistry } from '../stack/counters.ts'
import { type Figures, Metrics } from '../telemetry/metrics.ts'

export class PooledMetrics {
  /** This process's own: memory, processor time. It carries nothing, so the rest is empty. */
  readonly #own = new Metrics(new CounterRegistry(), () => 0)
  readonly #registry = new Registry()
  readonly #last = new Map<number, Figures>()
  #gone: Figures = []

  constructor(workers: () => number, restarts: () => number) {
    new Gauge({
      name: 'underpass_workers',
      help: 'Processes that carry traffic now.',
      registers: [this.#registry],
      collect() {
        this.set(workers())
      },
    })
    new Counter({
      name: 'underpass_worker_restarts_total',
      help: 'Workers that were started in place of one that died.',
      registers: [this.#registry],
      collect() {
        this.reset()
        this.inc(restarts())
      },
    })
  }

  get contentType(): string {
    return this.#own.contentType
  }

  /** What a worker has counted until now. */
  take(worker: number, figures: Figures): void {
    this.#last.set(worker, figures)
  }

  /** A worker is gone: what it counted stays, what it was at the moment does not. */
  drop(worker: number): void {
    const last = this.#last.get(worker)
    if (last === undefined) return
    this.#last.delete(worker)
    this.#gone = sum([this.#gone, last.filter(({ type }) => String(type) !== 'gauge')])
  }

  async page(): Promise<string> {
    const own = [await this.#own.figures(), await this.#registry.getMetricsAsJSON()]
    const all = [...this.#last.values(), this.#gone, ...own]
    return await AggregatorRegistry.aggregate(all.map((each) => [...each])).metrics()
  }

  stop(): void {
    this.#own.stop()
  }
}

function sum(figures: readonly Figures[]): Figures {
  const together = AggregatorRegistry.aggregate(figures.map((each) => [...each]))
  // Its metrics are data already, whatever their type says.
  return together.getMetricsAsArray() as unknown as Figures
}
