// A metric whose values are totals that are kept elsewhere, in the form that prom-client's registry takes.
//
// Its own Counter and Gauge can be set from totals, at the cost of hashing every sample's labels; its Histogram
// cannot, because it wants every single observation. What a registry asks of a metric is a name and `get`, and so its
// own aggregation registers plain objects of this form too.

import type { Metric, Registry } from 'prom-client'

export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** Where it differs from the metric's: `..._bucket`. */
  readonly metricName?: string
}

export interface Totals {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** What several processes' values make together; the sum if nothing is said. */
  readonly aggregator?: 'sum' | 'max'
  /** Called whenever somebody reads the registry. */
  readonly samples: () => Iterable<Sample>
}

/** Adds it to the registry. */
export function registerTotals(
  registry: Registry,
  { name, help, type, aggregator = 'sum', samples }: Totals,
): void {
  const head = { name, help, type, aggregator }
  const metric = {
    ...head,
    get: () => Promise.resolve({ ...head, values: [...samples()] }),
    reset: () => undefined,
  }
  // The declared type is the union of the library's own classes; their private parts are used by nobody else.
  registry.registerMetric(metric as unknown as Metric)
}
