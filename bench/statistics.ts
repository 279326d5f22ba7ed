// Medians, spreads and ratios. Nothing here knows what is measured.
//
// A median and the whole range, not a mean and a deviation: of five runs on a shared machine one is often an
// outlier, and a reader should see it without it moving the figure.

export interface Summary {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The middle value; the mean of the two middle ones of an even number. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

export function summarize(values: readonly number[]): Summary {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** Ours divided by theirs, round by round: what slows a whole round down falls out. */
export function ratios(ours: readonly number[], theirs: readonly number[]): number[] {
  if (ours.length !== theirs.length) throw new Error('a ratio needs both sides of every round')
  return ours.map((value, round) => value / (theirs[round] ?? Number.NaN))
}
