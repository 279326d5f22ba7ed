// Goals into verdicts: what was measured, whether it is enough, and where that cannot be said, why.

import type { Goal, Measure, Noise, Ratio } from './goals.ts'
import type { Row, Section } from './report.ts'
import { median, ratios } from './statistics.ts'

export interface Verdict {
  readonly text: string
  readonly limit: number
  readonly least: boolean
  /** Undefined if what it takes was not measured or cannot be told. */
  readonly measured: number | undefined
  readonly outcome: 'met' | 'not met' | 'not judged'
  /** Why it is not judged, or what else a reader should know; may be empty. */
  readonly note: string
}

/** The goals whose scenario was run; where one cannot be told, or has a second look at the same thing, that too. */
export function judge(
  goals: readonly Goal[],
  sections: readonly Section[],
  cores: number,
): Verdict[] {
  return goals.flatMap((goal) => {
    const section = sections.find(({ name }) => name === goal.scenario)
    return section === undefined ? [] : verdicts(goal, section, cores)
  })
}

interface Finding {
  readonly measured: number | undefined
  /** Why a ratio says nothing; empty if it does. */
  readonly silence: string
  readonly note: string
}

function verdicts(goal: Goal, section: Section, cores: number): Verdict[] {
  const finding = find(goal.of, section)
  if (goal.cores !== undefined && cores < goal.cores) {
    const note = `${cores} cores, and it takes ${goal.cores}`
    return [verdict(goal, goal.text, { ...finding, silence: note })]
  }
  const first = verdict(goal, goal.text, finding)
  const { fallback } = goal
  if (fallback === undefined) return [first]
  const second = find(fallback.of, section)
  const beside = finding.silence === '' ? 'reported beside the added one' : second.silence
  return [first, verdict(goal, fallback.text, { ...second, silence: beside })]
}

function verdict(goal: Goal, text: string, { measured, silence, note }: Finding): Verdict {
  const { limit, least = false } = goal
  const about = { text, limit, least, measured }
  if (silence !== '') return { ...about, outcome: 'not judged', note: silence }
  const met = measured !== undefined && (least ? measured >= limit : measured <= limit)
  return { ...about, outcome: met ? 'met' : 'not met', note }
}

function find(of: Measure, section: Section): Finding {
  if ('ratioTo' in of) return compare(of, section)
  const measured = rowOf(section, section.ours)?.metrics[of.metric]?.median
  return { measured, silence: '', note: '' }
}

function compare({ ratioTo, metric, noise }: Ratio, section: Section): Finding {
  const peer = rowOf(section, ratioTo)
  if (metric === undefined) return { measured: peer?.ratio?.median, silence: '', note: '' }
  const ours = valuesOf(rowOf(section, section.ours), metric)
  const theirs = valuesOf(peer, metric)
  if (ours.length === 0 || theirs.length === 0) {
    return { measured: undefined, silence: '', note: '' }
  }
  const loud = loudRounds(peer, metric, noise)
  const sound = ratios(ours, theirs).filter((_, round) => loud[round] === true)
  const counted = `${sound.length} of ${theirs.length} rounds`
  if (sound.length * 2 <= theirs.length) {
    // Shown all the same, though it may be anything.
    const measured = median(ratios(ours, theirs))
    return { measured, silence: `above the noise in ${counted} only`, note: '' }
  }
  const note = sound.length < theirs.length ? `from ${counted}, the rest being noise` : ''
  return { measured: median(sound), silence: '', note }
}

function loudRounds(peer: Row | undefined, metric: string, noise: Noise | undefined): boolean[] {
  const theirs = valuesOf(peer, metric)
  if (noise === undefined) return theirs.map(() => true)
  const whole = valuesOf(peer, noise.of)
  return theirs.map((value, round) => {
    const other = noise.times * (whole[round] ?? Number.NaN)
    return value >= Math.max(noise.least, other)
  })
}

function rowOf({ rows }: Section, name: string): Row | undefined {
  return rows.find(({ target }) => target === name)
}

/** One value a round, in their order. */
function valuesOf(row: Row | undefined, metric: string): number[] {
  return (row?.runs ?? []).map((run) => run[metric]).filter((value) => value !== undefined)
}
