// What a proxy adds: its figure less the direct connection's of the same round, as a metric beside the measured one.
//
// The difference of two quantiles is no quantile of anything, but it is what a user sees move. It may be negative
// where it is smaller than the machine's noise; it stays in the report all the same.

import type { Sample } from './rounds.ts'
import type { Metric, Scenario } from './scenarios/scenario.ts'
import { direct } from './targets/direct.ts'

export function addedKey(key: string): string {
  return `${key}-added`
}

/** The metrics of a scenario, each of those that are wanted so followed by what is added of it. */
export function withAddedMetrics({ metrics, added = [] }: Scenario): readonly Metric[] {
  return metrics.flatMap((metric) => {
    if (!added.includes(metric.key)) return [metric]
    const title = `added ${metric.title}`
    return [metric, { ...metric, key: addedKey(metric.key), title }]
  })
}

/** The samples of one scenario with what is added; where the direct connection was not measured, as they were. */
export function withAdded({ added = [] }: Scenario, samples: readonly Sample[]): Sample[] {
  return samples.map((sample) => {
    if (sample.target === direct.name) return sample
    const base = samples.find(
      ({ target, round }) => target === direct.name && round === sample.round,
    )
    const extra = added.flatMap((key) => {
      const [own, its] = [sample.figures[key], base?.figures[key]]
      return own === undefined || its === undefined ? [] : [[addedKey(key), own - its] as const]
    })
    return { ...sample, figures: { ...sample.figures, ...Object.fromEntries(extra) } }
  })
}
