// From samples to a report: medians and spreads, ratios round by round. Which goals are met is found in judge.ts; how
// it looks is left to table.ts.

import { withAdded, withAddedMetrics } from './added.ts'
import type { Verdict } from './judge.ts'
import type { Machine } from './machine.ts'
import type { Mode } from './mode.ts'
import type { Sample } from './rounds.ts'
import type { Metric, Scenario } from './scenarios/scenario.ts'
import { ratios, type Summary, summarize } from './statistics.ts'

export interface Row {
  /** The contender's name. */
  readonly target: string
  /** By metric key. */
  readonly metrics: Readonly<Record<string, Summary>>
  /** Our figure divided by this one's; undefined for ourselves and where nothing is compared. */
  readonly ratio: (Summary & { readonly rounds: readonly number[] }) | undefined
  /** Figures of every round. */
  readonly runs: readonly Sample['figures'][]
}

export interface Section {
  readonly name: string
  readonly title: string
  readonly connections: number
  readonly counted?: string
  /** The row that the others are held against, and the metric by which. */
  readonly ours: string
  readonly compared: string | undefined
  readonly metrics: readonly Metric[]
  readonly rows: readonly Row[]
}

export interface Report {
  readonly mode: Mode
  readonly date: string
  readonly command: string
  readonly rounds: number
  readonly seconds: number
  readonly warmup: number
  readonly machine: Machine
  readonly sections: readonly Section[]
  readonly goals: readonly Verdict[]
}

export function buildSection(
  scenario: Scenario,
  connections: number,
  samples: readonly Sample[],
): Section {
  const { name, title, counted, ours, compared } = scenario
  const metrics = withAddedMetrics(scenario)
  const own = withAdded(
    scenario,
    samples.filter((sample) => sample.scenario === name),
  )
  const targets = [...new Set(own.map(({ target }) => target))]
  const rows = targets.map((target): Row => {
    const runs = runsOf(own, target)
    return {
      target,
      metrics: summaries(metrics, runs),
      ratio: ratioTo(scenario, own, target),
      runs,
    }
  })
  const about = { name, title, connections, ...(counted === undefined ? {} : { counted }) }
  return { ...about, ours, compared, metrics, rows }
}

/** One run a round, in the order of the rounds. */
function runsOf(samples: readonly Sample[], target: string): Sample['figures'][] {
  return samples
    .filter((sample) => sample.target === target)
    .sort((a, b) => a.round - b.round)
    .map(({ figures }) => figures)
}

function summaries(
  metrics: readonly Metric[],
  runs: readonly Sample['figures'][],
): Record<string, Summary> {
  return Object.fromEntries(
    metrics.flatMap(({ key }) => {
      const values = valuesOf(runs, key)
      return values.length === 0 ? [] : [[key, summarize(values)]]
    }),
  )
}

function valuesOf(runs: readonly Sample['figures'][], key: string): number[] {
  return runs.map((figures) => figures[key]).filter((value) => value !== undefined)
}

function ratioTo(
  { compared, ours }: Scenario,
  samples: readonly Sample[],
  target: string,
): Row['ratio'] {
  if (compared === undefined || target === ours) return undefined
  const [mine, theirs] = [ours, target].map((name) => valuesOf(runsOf(samples, name), compared))
  if (mine === undefined || theirs === undefined || mine.length === 0 || theirs.length === 0) {
    return undefined
  }
  const rounds = ratios(mine, theirs)
  return { ...summarize(rounds), rounds }
}
