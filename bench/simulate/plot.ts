// Lines over time in characters, for a terminal: a band of blocks for each, all to one scale.

import type { Span } from './finding.ts'
import type { Figure, WrittenChart } from './report.ts'
import { scaleOf } from './scale.ts'

const BLOCKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
const FULL = BLOCKS.length - 1
/** Rows of characters for one line. */
const ROWS = 2
const LONGEST_NAME = 24
/** What stands between a name and its band. */
const GAP = ' |'

/** Rows of at most `width` characters: a title, two for each line, and where something was the matter. */
export function plot(chart: WrittenChart, spans: readonly Span[], width: number): string[] {
  const names = chart.lines.map(({ name }) => name.slice(0, LONGEST_NAME))
  const margin = Math.max(...names.map((name) => name.length), 0)
  const seconds = Math.max(...chart.lines.map(({ values }) => values.length), 0)
  const columns = Math.max(1, Math.min(seconds, width - margin - GAP.length))
  const scale = scaleOf(chart)
  const unit = chart.unit === '' ? '' : ` ${chart.unit}`
  const title = `${chart.title}, ${short(scale.least)} to ${short(scale.most)}${unit}${scale.isLog ? ', logarithmic' : ''}`
  const bands = chart.lines.flatMap(({ values }, at) => {
    const levels = squeeze(values, columns, scale.isLog).map((value) =>
      value === null ? 0 : levelOf(scale.place(value)),
    )
    return Array.from({ length: ROWS }, (_, row) => {
      const below = (ROWS - 1 - row) * FULL
      const blocks = levels.map((level) => BLOCKS[Math.min(FULL, Math.max(0, level - below))])
      const label = row === ROWS - 1 ? (names[at] ?? '') : ''
      return `${label.padEnd(margin)}${GAP}${blocks.join('')}`.trimEnd()
    })
  })
  const ruler = rulerOf(spans, seconds, columns)
  const foot = ruler === '' ? [] : [`${' '.repeat(margin + GAP.length)}${ruler}`.trimEnd()]
  return [title.slice(0, width), ...bands, ...foot]
}

/** What is there is seen, however little it is. */
function levelOf(place: number): number {
  return Math.max(1, Math.round(place * ROWS * FULL))
}

/** As many values as there are columns: of several the mean, or where each tells something by itself the largest. */
function squeeze(values: readonly Figure[], columns: number, byLargest: boolean): Figure[] {
  return Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * values.length) / columns)
    const to = Math.max(from + 1, Math.floor(((column + 1) * values.length) / columns))
    const part = values.slice(from, to).filter((value) => value !== null)
    const numbers = part.filter((value) => value !== 'never')
    if (part.length === 0) return null
    if (numbers.length < part.length) return 'never'
    if (byLargest) return Math.max(...numbers)
    return numbers.reduce((sum, value) => sum + value, 0) / numbers.length
  })
}

function rulerOf(spans: readonly Span[], seconds: number, columns: number): string {
  const row: string[] = new Array<string>(columns).fill(' ')
  for (const { from, to } of spans) {
    const [first, last] = [from, to].map((second) => Math.floor((second * columns) / seconds))
    for (let at = first ?? 0; at < Math.min(columns, last ?? 0); at += 1) row[at] = '^'
  }
  const titles = spans.map(({ title, from, to }) => `${from} to ${to} s: ${title}`).join('; ')
  const line = row.join('').trimEnd()
  return line === '' ? '' : `${line} ${titles}`.length <= columns ? `${line} ${titles}` : line
}

/** Three digits, which is what a scale can be read to. */
export function short(value: number): string {
  return Number(value.toPrecision(3)).toString()
}
