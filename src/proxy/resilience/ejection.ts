// For how long an endpoint is ejected, and how many may be at once.
//
// Each ejection lasts twice as long as the one before, up to a maximum. Time spent in good health takes the steps back
// one by one. Up to a tenth of chance is added, so that the sidecars of a mesh, which see the same failure in the same
// moment, do not all send their probes in the same moment too.

import type { Outlier } from '../../api/resources.ts'
import type { Millis } from '../../lib/duration.ts'
import type { Random } from '../../lib/random.ts'

const JITTER = 0.1

/** The `nth` ejection in a row, from 1, without chance. */
export function lengthOf({ ejection: { base, max } }: Outlier, nth: number): Millis {
  return Math.min(base * 2 ** (nth - 1), max)
}

export function drawLength(rule: Outlier, nth: number, random: Random): Millis {
  return lengthOf(rule, nth) * (1 + JITTER * random())
}

/** The number of the ejection after the `nth` in a row; it does not grow once they are as long as they get. */
export function following(rule: Outlier, nth: number): number {
  return nth > 0 && lengthOf(rule, nth) >= rule.ejection.max ? nth : nth + 1
}

/**
 * What is left of so many ejections in a row after an endpoint was well for so long: one is taken back for every
 * stretch as long as it would have lasted, but no shorter than the window that health is judged by.
 */
export function forgiven(rule: Outlier, nth: number, healthy: Millis): number {
  let left = healthy
  for (let rest = nth; rest > 0; rest -= 1) {
    left -= Math.max(lengthOf(rule, rest), rule.window)
    if (left < 0) return rest
  }
  return 0
}

/** How many of `count` endpoints may be ejected at once: at least one of several, unless the policy says none. */
export function allowance({ maxEjectedPercent }: Outlier, count: number): number {
  if (maxEjectedPercent >= 100) return count
  if (maxEjectedPercent === 0 || count < 2) return 0
  return Math.max(1, Math.floor((count * maxEjectedPercent) / 100))
}
