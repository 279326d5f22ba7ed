// Bars, and shares as numbers and bars beside each other.

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

/** What each of some instances got, in one way of balancing. */
export interface Column {
  readonly title: string
  /** In the order of the names; undefined if it was not seen yet. */
  readonly counts: readonly number[] | undefined
}

/** A bar of up to `width` characters, drawn in eighths. */
export function bar(part: number, width = 20): string {
  const eighths = Math.round(Math.min(Math.max(part, 0), 1) * width * 8)
  return '█'.repeat(Math.floor(eighths / 8)) + (EIGHTHS[eighths % 8] ?? '')
}

/** `93 %`, or `0.4 %` where there is something and it is little. */
export function percent(part: number): string {
  const hundredth = part * 100
  return `${hundredth > 0 && hundredth < 1 ? hundredth.toFixed(1) : Math.round(hundredth)} %`
}

/** A head, and a line a name: its share in each column as a bar, a percentage and a number. */
export function sideBySide(
  names: readonly string[],
  columns: readonly Column[],
  width = 20,
): string[] {
  const first = Math.max(...names.map(({ length }) => length))
  const digits = Math.max(
    ...columns.flatMap(({ counts }) => (counts ?? []).map((count) => String(count).length)),
    1,
  )
  const cell = width + 1 + 5 + 2 + digits
  const lines = [['', ...columns.map(({ title }) => title)]]
  for (const [at, name] of names.entries()) {
    const cells = columns.map(({ counts }) => {
      if (counts === undefined) return ''
      const all = counts.reduce((sum, count) => sum + count, 0)
      const count = counts[at] ?? 0
      const part = all === 0 ? 0 : count / all
      return `${bar(part, width).padEnd(width)} ${percent(part).padStart(5)}  ${String(count).padStart(digits)}`
    })
    lines.push([name, ...cells])
  }
  return lines.map(([name = '', ...cells]) =>
    [name.padEnd(first), ...cells.map((text) => text.padEnd(cell))].join('   ').trimEnd(),
  )
}
