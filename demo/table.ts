// The live table: who calls whom, how often, how much, and how the connections are shared out. Numbers in, lines out.
//
// Every line fits the width it is given. Where the numbers come from is left to live.ts.

import type { Paint } from './paint.ts'

export interface Share {
  readonly name: string
  /** Of the connections since the start. */
  readonly opened: number
}

export interface Row {
  readonly from: string
  readonly to: string
  readonly perSecond: number
  readonly open: number
  readonly opened: number
  readonly failures: number
  /** Bytes a second, from and to the caller. */
  readonly received: number
  readonly sent: number
  readonly shares: readonly Share[]
}

const BAR = 20
const PARTS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const
const HEAD = ['conn/s', 'open', 'total', 'failed', 'in', 'out'] as const
const WIDTHS = [7, 5, 8, 7, 11, 11] as const

/** The table's lines: a head, a line a row, a bar an endpoint where there are several. */
export function renderTable(rows: readonly Row[], width: number, paint: Paint): string[] {
  const from = column(rows.map((row) => row.from))
  const to = column(rows.map((row) => row.to))
  const head = [pad('from', from), pad('to', to), ...HEAD.map((name, i) => padLeft(name, i))]
  const lines = [paint.dim(cut(head.join('  '), width))]
  for (const row of rows) {
    lines.push(cut([pad(row.from, from), pad(row.to, to), ...figures(row)].join('  '), width))
    if (row.shares.length < 2) continue
    for (const line of bars(row.shares)) lines.push(paint.cyan(cut(`  ${line}`, width)))
  }
  return lines
}

function figures(row: Row): string[] {
  const texts = [
    row.perSecond.toFixed(1),
    String(row.open),
    String(row.opened),
    String(row.failures),
    formatRate(row.received),
    formatRate(row.sent),
  ]
  return texts.map(padLeft)
}

function bars(shares: readonly Share[]): string[] {
  const total = shares.reduce((all, { opened }) => all + opened, 0)
  const name = Math.max(...shares.map((share) => share.name.length))
  return shares.map((share) => {
    const part = total === 0 ? 0 : share.opened / total
    const percent = `${Math.round(part * 100)} %`.padStart(5)
    return `${pad(share.name, name)}  ${pad(bar(part), BAR)} ${percent}  ${share.opened}`
  })
}

/** A bar of up to twenty characters, drawn in eighths. */
export function bar(part: number): string {
  const eighths = Math.round(Math.min(Math.max(part, 0), 1) * BAR * 8)
  return '█'.repeat(Math.floor(eighths / 8)) + (PARTS[eighths % 8] ?? '')
}

/** Bytes a second with a decimal unit: `812 B/s`, `12.3 kB/s`. */
export function formatRate(bytes: number): string {
  const units = ['B/s', 'kB/s', 'MB/s', 'GB/s'] as const
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`
}

function column(texts: readonly string[]): number {
  return Math.max(8, ...texts.map((text) => text.length))
}

function pad(text: string, width: number): string {
  return text.padEnd(width)
}

function padLeft(text: string, index: number): string {
  return text.padStart(WIDTHS[index] ?? 8)
}

function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text.trimEnd()
}
