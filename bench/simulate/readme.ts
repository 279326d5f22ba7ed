// What README.md quotes of the simulation, between two markers: made from the results file alone, so that a test can
// hold the one against the other.

import { pipes } from '../table.ts'
import type { Report } from './report.ts'
import { verdictCells } from './table.ts'

export const MARKERS: readonly [begin: string, end: string] = [
  '<!-- simulation:begin -->',
  '<!-- simulation:end -->',
]

/** The block with its markers. */
export function renderBlock({ command, sections }: Report): string {
  const parts = sections.map(
    ({ name, title, verdicts }) => `**${name}**: ${title}\n\n${pipes(verdictCells(verdicts))}`,
  )
  return [MARKERS[0], `Taken with \`${command}\`.`, '', parts.join('\n\n'), MARKERS[1]].join('\n')
}

/** The block that a text has; undefined if it has none. */
export function findBlock(text: string): string | undefined {
  const [from, to] = MARKERS.map((marker) => text.indexOf(marker))
  if (from === undefined || to === undefined || from === -1 || to < from) return undefined
  return text.slice(from, to + MARKERS[1].length)
}
