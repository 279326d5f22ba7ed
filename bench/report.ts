// From samples to a report: medians and spreads, ratios round by round, goals met or not. How it looks is left to
// table.ts.

import type { Goal } from './goals.ts'
import type { Machine } from './machine.ts'
import type { Sample } from './rounds.ts'
import type { Metric, Scenario } from './scenarios/scenario.ts'
import { ratios, type Summary, summarize } from './statistics.ts'

export interface Row {
  readonly target: string
  /** By metric key. */
  readonly metrics: Readonly<Record<string, Summary>>
  /** Our cost divided by this target's; undefined for ourselves and where there is no cost. */
  readonly ratio: (Summary & { readonly rounds: readonly number[] }) | undefined
  /** Figures of every round. */
  readonly runs: readonly Sample['figures'][]
}

export interface Section {
  readonly name: string
  readonly title: string
  readonly connections: number
  readonly metrics: readonly Metric[]
  readonly rows: readonly Row[]
}

export interface Verdict {
  readonly text: string
  readonly limit: number
  /** Undefined if what it takes was not measured, and then it is not met. */
  readonly measured: number | undefined
  readonly met: boolean
}

export interface Report {
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
  ours: string,
): Section {
  const { name, title, metrics } = scenario
  const own = samples.filter((sample) => sample.scenario === name)
  const targets = [...new Set(own.map(({ target }) => target))]
  const rows = targets.map((target): Row => {
    const runs = runsOf(own, target)
    return {
      target,
      metrics: summaries(metrics, runs),
      ratio: ratioTo(scenario, own, ours, target),
      runs,
    }
  })
  return { name, title, connections, metrics, rows }
}

/** The goals whose scenario was run. */
export function judge(
  goals: readonly Goal[],
  sections: readonly Section[],
  ours: string,
): Verdict[] {
  return goals.flatMap((goal) => {
    const section = sections.find(({ name }) => name === goal.scenario)
    if (section === undefined) return []
    const measured = measure(goal, section, ours)
    const met = measured !== undefined && measured <= goal.limit
    return [{ text: goal.text, limit: goal.limit, measured, met }]
  })
}

function measure({ of }: Goal, { rows }: Section, ours: string): number | undefined {
  const row = rows.find(({ target }) => target === ('ratioTo' in of ? of.ratioTo : ours))
  return 'ratioTo' in of ? row?.ratio?.median : row?.metrics[of.metric]?.median
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
  { cost }: Scenario,
  samples: readonly Sample[],
  ours: string,
  target: string,
): Row['ratio'] {
  if (cost === undefined || target === ours) return undefined
  const [mine, theirs] = [ours, target].map((name) => valuesOf(runsOf(samples, name), cost))
  if (mine === undefined || theirs === undefined || mine.length === 0 || theirs.length === 0) {
    return undefined
  }
  const rounds = ratios(mine, theirs)
  return { ...summarize(rounds), rounds }
}
