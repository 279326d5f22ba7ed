// The live table: who calls whom, how often, how fast, how much, and how it is shared out. Numbers in, lines out.
//
// Every line fits the width it is given. Where the numbers come from is left to live.ts.

import { bar, percent } from './bars.ts'
import type { Paint } from './paint.ts'

export interface Share {
  readonly name: string
  readonly count: number
}

export interface Row {
  readonly from: string
  readonly to: string
  /** What is balanced there: requests are L7, connections are L4. */
  readonly mode: string
  /** A second; undefined where the sidecar looks at connections alone. */
  readonly requests: number | undefined
  /** Connections made, a second. */
  readonly connections: number
  readonly open: number
  readonly failed: number
  /** In seconds; undefined where no request was seen. */
  readonly p50: number | undefined
  readonly p99: number | undefined
  /** Bytes a second, from and to the caller. */
  readonly received: number
  readonly sent: number
  readonly shares: readonly Share[]
}

const NONE = '-'
const HEAD = ['req/s', 'conn/s', 'open', 'failed', 'p50', 'p99', 'in', 'out'] as const
const WIDTHS = [6, 6, 5, 6, 8, 8, 10, 10] as const

/** The table's lines: a head, a line a row, a bar an endpoint where there are several. */
export function renderTable(rows: readonly Row[], width: number, paint: Paint): string[] {
  const from = column(rows.map((row) => row.from))
  const to = column(rows.map((row) => row.to))
  const head = [pad('from', from), pad('to', to), 'mode', ...HEAD.map(padLeft)]
  const lines = [paint.dim(cut(head.join('  '), width))]
  for (const row of rows) {
    const cells = [pad(row.from, from), pad(row.to, to), pad(row.mode, 4), ...figures(row)]
    lines.push(cut(cells.join('  '), width))
    if (row.shares.length < 2) continue
    const unit = row.requests === undefined ? 'connections' : 'requests'
    for (const line of bars(row.shares, unit)) lines.push(paint.cyan(cut(`  ${line}`, width)))
  }
  return lines
}

function figures(row: Row): string[] {
  const texts = [
    row.requests?.toFixed(1) ?? NONE,
    row.connections.toFixed(1),
    String(row.open),
    String(row.failed),
    formatTime(row.p50),
    formatTime(row.p99),
    formatRate(row.received),
    formatRate(row.sent),
  ]
  return texts.map(padLeft)
}

function bars(shares: readonly Share[], unit: string): string[] {
  const total = shares.reduce((all, { count }) => all + count, 0)
  const name = Math.max(...shares.map((share) => share.name.length))
  return shares.map(({ name: text, count }) => {
    const part = total === 0 ? 0 : count / total
    return `${pad(text, name)}  ${pad(bar(part), 20)} ${percent(part).padStart(5)}  ${count} ${unit}`
  })
}

/** `0.4 ms`, `12 ms`, `1.5 s`. */
export function formatTime(seconds: number | undefined): string {
  if (seconds === undefined) return NONE
  const milliseconds = seconds * 1000
  if (milliseconds < 9.95) return `${milliseconds.toFixed(1)} ms`
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`
  return `${seconds.toFixed(1)} s`
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

export function cut(text: string, width: number): string {
  return text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text.trimEnd()
}
