// A scenario's charts as one SVG: small, without a script or a font, and readable on light and on dark ground.

import { short } from './plot.ts'
import type { Section, WrittenChart } from './report.ts'
import { type Scale, scaleOf } from './scale.ts'

const WIDTH = 720
const LEFT = 64
const RIGHT = 16
const HEAD = 28
const PANEL = 150
const LEGEND_ROW = 18
const BETWEEN = 46
const ACROSS = WIDTH - LEFT - RIGHT
const LEGEND_COLUMNS = 3
/** Told apart by anybody (Okabe and Ito), and on both grounds. */
const COLORS = ['#d55e00', '#cc79a7', '#0072b2', '#009e73', '#e69f00', '#56b4e9']
/** So that of lines that lie on each other each is seen. */
const DASHES = ['', '7 3', '3 3', '9 3 2 3', '1 3', '5 5']
const STYLE = [
  'text{font:12px sans-serif;fill:#333}',
  '.grid{stroke:#8888;stroke-width:.5}',
  '.trouble{fill:#8882}',
  '.line{fill:none;stroke-width:1.8;stroke-linejoin:round}',
  '@media(prefers-color-scheme:dark){text{fill:#ddd}}',
].join('')

export function renderPicture({ name, title, charts, spans }: Section): string {
  const parts: string[] = []
  let top = HEAD
  for (const chart of charts) {
    const seconds = Math.max(...chart.lines.map(({ values }) => values.length), 1)
    const scale = scaleOf(chart)
    for (const { from, to } of spans) {
      const [x, end] = [across(from, seconds), across(to, seconds)]
      parts.push(
        `<rect class="trouble" x="${x}" y="${top}" width="${tenth(end - x)}" height="${PANEL}"/>`,
      )
    }
    parts.push(...frame(chart, scale, seconds, top))
    for (const [at, { values }] of chart.lines.entries()) {
      parts.push(...strokes(values, scale, seconds, top, lookOf(at)))
    }
    top += PANEL + BETWEEN
  }
  const names = charts[0]?.lines.map((line) => line.name) ?? []
  for (const [at, line] of names.entries()) {
    const x = LEFT + (at % LEGEND_COLUMNS) * (ACROSS / LEGEND_COLUMNS)
    const y = top + Math.floor(at / LEGEND_COLUMNS) * LEGEND_ROW
    parts.push(`<path class="line" ${lookOf(at)} d="M${tenth(x)} ${y - 4}h22"/>`)
    parts.push(`<text x="${tenth(x + 28)}" y="${y}">${escaped(line)}</text>`)
  }
  const height = top + Math.ceil(names.length / LEGEND_COLUMNS) * LEGEND_ROW
  const trouble = spans.map((span) => `${span.title}, ${span.from} to ${span.to} s`).join('; ')
  const heading = `${title} (grey: ${trouble})`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="${name}">`,
    `<title id="${name}">${escaped(heading)}</title>`,
    `<style>${STYLE}</style>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n')
}

function frame(chart: WrittenChart, scale: Scale, seconds: number, top: number): string[] {
  const bottom = top + PANEL
  const unit = chart.unit === '' ? '' : `, ${chart.unit}`
  const middle = scale.isLog ? Math.sqrt(scale.least * scale.most) : scale.most / 2
  const lines = [scale.least, middle, scale.most].map((value, at) => {
    const y = tenth(bottom - (at * PANEL) / 2)
    const label = `<text x="${LEFT - 6}" y="${y + 4}" text-anchor="end">${short(value)}</text>`
    return `<path class="grid" d="M${LEFT} ${y}h${ACROSS}"/>${label}`
  })
  const log = scale.isLog ? ' (logarithmic)' : ''
  return [
    `<text x="${LEFT}" y="${top - 8}">${escaped(`${chart.title}${unit}${log}`)}</text>`,
    ...lines,
    `<text x="${LEFT}" y="${bottom + 14}">0</text>`,
    `<text x="${WIDTH - RIGHT}" y="${bottom + 14}" text-anchor="end">${seconds} s</text>`,
  ]
}

/** A line is broken where there is no value. */
function strokes(
  values: WrittenChart['lines'][number]['values'],
  scale: Scale,
  seconds: number,
  top: number,
  look: string,
): string[] {
  let path = ''
  let isDrawing = false
  for (const [at, value] of values.entries()) {
    if (value === null) {
      isDrawing = false
      continue
    }
    const y = tenth(top + PANEL * (1 - scale.place(value)))
    path += `${isDrawing ? 'L' : 'M'}${across(at + 0.5, seconds)} ${y}`
    isDrawing = true
  }
  return path === '' ? [] : [`<path class="line" ${look} d="${path}"/>`]
}

function across(second: number, seconds: number): number {
  return tenth(LEFT + (second / seconds) * ACROSS)
}

function lookOf(at: number): string {
  const dashes = DASHES[at % DASHES.length] ?? ''
  const color = `stroke="${COLORS[at % COLORS.length] ?? '#888'}"`
  return dashes === '' ? color : `${color} stroke-dasharray="${dashes}"`
}

function tenth(value: number): number {
  return Math.round(value * 10) / 10
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
