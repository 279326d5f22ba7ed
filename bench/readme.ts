// What README.md quotes of the results: one block a mode, between two markers, made from the results file alone so
// that a test can hold the one against the other.

import type { Mode } from './mode.ts'
import type { Report } from './report.ts'
import { goalCells, pipes } from './table.ts'

export function markers(mode: Mode): readonly [begin: string, end: string] {
  return [`<!-- measured-${mode}:begin -->`, `<!-- measured-${mode}:end -->`]
}

/** The block with its markers. */
export function renderBlock({ mode, command, date, machine, rounds, ...report }: Report): string {
  const [begin, end] = markers(mode)
  const load = `${report.seconds} s of load after ${report.warmup} s of warm-up`
  const place = `a machine with ${machine.cores} cores (${date.slice(0, 10)})`
  const about = `Taken with \`${command}\` on ${place}: ${rounds} rounds of fresh processes, ${load}, medians.`
  return [begin, about, '', pipes(goalCells(report.goals)), end].join('\n')
}

/** The block that a text has; undefined if it has none. */
export function findBlock(text: string, mode: Mode): string | undefined {
  const [begin, end] = markers(mode)
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  return from === -1 || to < from ? undefined : text.slice(from, to + end.length)
}
