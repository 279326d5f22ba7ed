// From options to a report and the files it is kept in. Nothing in it tells one run from another but the options.

import { join } from 'node:path'
import { SCENARIOS } from './catalog.ts'
import type { Options } from './options.ts'
import { renderPicture } from './picture.ts'
import { isMet, type Report, type Section, sectionOf } from './report.ts'
import { pictureOf, renderMarkdown } from './table.ts'

/** `tell` is called as each scenario begins. */
export function simulate(
  { seed, seconds, scenarios }: Pick<Options, 'seed' | 'seconds' | 'scenarios'>,
  tell: (name: string) => void,
): Report {
  const sections = SCENARIOS.filter(({ name }) => scenarios.includes(name)).map(
    (scenario): Section => {
      tell(scenario.name)
      return sectionOf(scenario.run(seed, seconds))
    },
  )
  const part =
    scenarios.length < SCENARIOS.length
      ? ` --scenario ${sections.map(({ name }) => name).join(',')}`
      : ''
  const command = `npm run simulate -- --seed ${seed} --seconds ${seconds}${part}`
  return { command, seed, seconds, sections }
}

/** Names and contents. */
export function filesOf(report: Report): [name: string, text: string][] {
  return [
    ['simulation.json', `${JSON.stringify(report, null, 1)}\n`],
    ['simulation.md', renderMarkdown(report)],
    ...report.sections.map((section): [string, string] => [
      pictureOf(section),
      renderPicture(section),
    ]),
  ]
}

/** Writes the files, or judges instead: what the process ends with. */
export function conclude(
  report: Report,
  { check, out }: Pick<Options, 'check' | 'out'>,
  write: (file: string, text: string) => void,
): number {
  if (check) return isMet(report) ? 0 : 1
  for (const [name, text] of filesOf(report)) write(join(out, name), text)
  return 0
}
