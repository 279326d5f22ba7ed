// What a scenario is: a load, who is put under it, the metrics it gives, and by which of them contenders are
// compared.

import type { Figures } from '../clients/client.ts'
import type { Means, Stage } from '../stage.ts'
import { direct } from '../targets/direct.ts'
import type { Target } from '../targets/target.ts'

export interface Metric {
  readonly key: string
  readonly title: string
  /** Decimals shown. */
  readonly digits: number
  /** Shown with its spread; the first two always are. */
  readonly spread?: true
}

/** One fresh set of processes. */
export interface Run {
  readonly stage: Stage
  readonly connections: number
  readonly warmup: number
  readonly seconds: number
}

export interface TargetRun extends Run {
  readonly target: Target
}

/** One row of a scenario's table. */
export interface Contender {
  readonly name: string
  /** Figures by metric key; a key may be missing, as the cost is where there is no proxy. */
  measure(run: Run): Promise<Figures>
}

export interface Scenario {
  readonly name: string
  readonly title: string
  /** 0 where there are none. */
  readonly connections: number
  /** What that number counts where it is not connections. */
  readonly counted?: string
  /** The contender that the others are held against. */
  readonly ours: string
  /** The key of the metric by which a ratio is made; undefined where a ratio says nothing. */
  readonly compared: string | undefined
  readonly metrics: readonly Metric[]
  /** Metrics of which the part beyond the direct connection of the same round is wanted too. */
  readonly added?: readonly string[]
  /** Cores that the proxy has for itself, where the machine has more; 1 if not given. */
  readonly proxyCores?: number
  /** The most connections that this machine allows. */
  limit(means: Means): number
  /** Those that are measured where these targets are wanted. */
  contenders(targets: readonly Target[]): readonly Contender[]
}

export const MEGA = 1e6
export const KILO = 1e3

/** Clients and backends have one descriptor a connection, and a proxy two; 200 are for everything else. */
export function connectionLimit({ files }: Means): number {
  return (files - 200) >> 1
}

type Measure = (run: TargetRun) => Promise<Figures>

/** Every target by itself, the direct connection included. */
export function each(measure: Measure): Scenario['contenders'] {
  return (targets) =>
    targets.map((target) => ({
      name: target.name,
      measure: async (run) => await measure({ ...run, target }),
    }))
}

/** Every target that is a proxy: there is nothing to learn without one. */
export function eachProxy(measure: Measure): Scenario['contenders'] {
  return (targets) => each(measure)(targets.filter(({ name }) => name !== direct.name))
}
