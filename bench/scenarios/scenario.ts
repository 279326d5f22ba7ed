// What a scenario is: a load, the metrics it gives, and which of them is the cost that peers are compared by.

import type { Figures } from '../clients/client.ts'
import type { Means, Stage } from '../stage.ts'
import type { Target } from '../targets/target.ts'

export interface Metric {
  readonly key: string
  readonly title: string
  /** Decimals shown. */
  readonly digits: number
}

/** One fresh set of processes. */
export interface Run {
  readonly stage: Stage
  readonly target: Target
  readonly connections: number
  readonly warmup: number
  readonly seconds: number
}

export interface Scenario {
  readonly name: string
  readonly title: string
  readonly connections: number
  /** The key of the metric by which a ratio is made; undefined where a ratio says nothing. */
  readonly cost: string | undefined
  readonly metrics: readonly Metric[]
  /** True if it measures only the proxy, so that there is nothing to learn without one. */
  readonly needsProxy: boolean
  /** The most connections that this machine allows. */
  limit(means: Means): number
  /** Figures by metric key; a key may be missing where there is no proxy. */
  measure(run: Run): Promise<Figures>
}

export const MICROS_PER_MILLI = 1000
export const MEGA = 1e6
export const KILO = 1e3

/** Clients and backends have one descriptor a connection, and a proxy two; 200 are for everything else. */
export function connectionLimit({ files }: Means): number {
  return (files - 200) >> 1
}
