// The report as text for a terminal and as Markdown: the same cells, set in two ways.

import type { Verdict } from './judge.ts'
import type { Report, Row, Section } from './report.ts'
import type { Summary } from './statistics.ts'

/** The first metrics of a scenario, such as its cost and its rate, are shown with their spread; others where they ask for it. */
const WITH_SPREAD = 2

export type Line = readonly string[]

export function renderText(report: Report): string {
  const sections = report.sections.map(
    (section) => `${heading(section)}\n\n${align(cells(section))}`,
  )
  const goals = report.goals.length === 0 ? [] : [`Goals\n\n${align(goalCells(report.goals))}`]
  return `${[...sections, ...goals, about(report).join('\n')].join('\n\n')}\n`
}

export function renderMarkdown(report: Report): string {
  const sections = report.sections.map(
    (section) => `### ${heading(section)}\n\n${pipes(cells(section))}`,
  )
  const goals = report.goals.length === 0 ? [] : [`### Goals\n\n${pipes(goalCells(report.goals))}`]
  const notes = about(report)
    .map((line) => `- ${line}`)
    .join('\n')
  return `${[`## Results at ${report.mode.toUpperCase()}`, notes, ...goals, ...sections].join('\n\n')}\n`
}

function heading({ name, title, connections, counted = 'connections' }: Section): string {
  return `${name}: ${title}${connections === 0 ? '' : `, ${connections} ${counted}`}`
}

function cells({ ours, compared, metrics, rows }: Section): Line[] {
  // By the first metric unless it says otherwise.
  const by = metrics.findIndex(({ key }) => key === compared)
  const of = by > 0 ? `, ${metrics[by]?.title ?? ''}` : ''
  const head = ['target', ...metrics.map(({ title }) => title), `${ours} / it${of}`]
  return [head, ...rows.map((row) => rowCells(metrics, row))]
}

function rowCells(metrics: Section['metrics'], row: Row): Line {
  const values = metrics.map(({ key, digits, spread: wanted = false }, index) => {
    const summary = row.metrics[key]
    if (summary === undefined) return '-'
    return index < WITH_SPREAD || wanted ? spread(summary, digits) : summary.median.toFixed(digits)
  })
  return [row.target, ...values, row.ratio === undefined ? '-' : spread(row.ratio, 2)]
}

function spread({ median, min, max }: Summary, digits: number): string {
  const [middle, low, high] = [median, min, max].map((value) => value.toFixed(digits))
  return low === high ? (middle ?? '') : `${middle ?? ''} (${low ?? ''}..${high ?? ''})`
}

export function goalCells(goals: readonly Verdict[]): Line[] {
  const lines = goals.map(({ text, limit, least, measured, outcome, note }) => [
    text,
    `${least ? '>=' : '<='} ${limit}`,
    measured === undefined ? noFigure(outcome) : Number(measured.toPrecision(3)).toString(),
    note === '' ? outcome : `${outcome}: ${note}`,
  ])
  return [['goal', 'limit', 'measured', 'verdict'], ...lines]
}

function noFigure(outcome: Verdict['outcome']): string {
  return outcome === 'not judged' ? '-' : 'not measured'
}

function about({ machine, rounds, seconds, warmup, date, command }: Report): string[] {
  const versions = Object.entries(machine.versions)
    .filter(([name]) => name !== 'direct')
    .map(([name, version]) => `${name} ${version}`)
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memory}; ${machine.system}, Linux ${machine.kernel}`,
    [`Node.js ${machine.node}`, ...versions].join(', '),
    `${machine.pinning === 'none' ? 'nothing pinned' : machine.pinning}; at most ${machine.files} open files a process`,
    `median (lowest..highest) of ${rounds} rounds with fresh processes and the order of targets reversed each time; ${seconds} s a load after ${warmup} s of warm-up; ratios are made round by round`,
    `${date}: ${command}`,
  ]
}

export function align(lines: readonly Line[]): string {
  const widths = (lines[0] ?? []).map((_, column) =>
    Math.max(...lines.map((line) => (line[column] ?? '').length)),
  )
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          const width = widths[column] ?? 0
          return column === 0 ? cell.padEnd(width) : cell.padStart(width)
        })
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

export function pipes([head = [], ...lines]: readonly Line[]): string {
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'))
  return [head, rule, ...lines].map((line) => `| ${line.join(' | ')} |`).join('\n')
}
