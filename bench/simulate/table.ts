// The report as text for a terminal, and as Markdown: the same cells, set in two ways.

import { align, type Line, pipes } from '../table.ts'
import { plot, short } from './plot.ts'
import type { Figure, Report, Section, WrittenVerdict } from './report.ts'

/** Columns of a terminal that are used. */
const WIDTH = 100

export function renderText({ sections, seed, seconds }: Report): string {
  const verdicts = sections.flatMap((section) => section.verdicts)
  const met = verdicts.filter(({ isMet }) => isMet).length
  const last = `seed ${seed}, ${seconds} s of virtual time a run: ${met} of ${verdicts.length} verdicts are met`
  return `${[...sections.map(sectionText), last].join('\n\n')}\n`
}

function sectionText(section: Section): string {
  const parts = [
    `${section.name}: ${section.title}\n${wrap(section.about)}`,
    align(figureCells(section)),
    ...section.charts.map((chart) => plot(chart, section.spans, WIDTH).join('\n')),
    align(verdictCells(section.verdicts)),
  ]
  return parts.join('\n\n')
}

export function renderMarkdown({ command, sections }: Report): string {
  const parts = sections.map((section) =>
    [
      `### ${section.name}: ${section.title}`,
      section.about,
      pipes(figureCells(section)),
      `![${section.title}, second by second](${pictureOf(section)})`,
      pipes(verdictCells(section.verdicts)),
    ].join('\n\n'),
  )
  const head = `## Simulation\n\nTaken with \`${command}\`, which gives the same again on any machine.`
  return `${[head, ...parts].join('\n\n')}\n`
}

/** The file of a scenario's charts. */
export function pictureOf({ name }: Pick<Section, 'name'>): string {
  return `simulation-${name}.svg`
}

function figureCells({ metrics, variants }: Section): Line[] {
  const head = ['', ...metrics.map(({ title }) => title)]
  const lines = variants.map(({ name, figures }) => [
    name,
    ...metrics.map(({ key, digits }) => fixed(figures[key] ?? null, digits)),
  ])
  return [head, ...lines]
}

export function verdictCells(verdicts: readonly WrittenVerdict[]): Line[] {
  const lines = verdicts.map(({ text, limit, least, measured, isMet }) => [
    text,
    `${least ? '>=' : '<='} ${limit}`,
    typeof measured === 'number' ? short(measured) : (measured ?? '-'),
    isMet ? 'met' : 'not met',
  ])
  return [['verdict', 'limit', 'measured', ''], ...lines]
}

function fixed(value: Figure, digits: number): string {
  return typeof value === 'number' ? value.toFixed(digits) : (value ?? '-')
}

function wrap(text: string): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines[lines.length - 1] ?? ''
    if (line !== '' && line.length + 1 + word.length > WIDTH) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.join('\n')
}
