// What a scenario finds: figures of each of its variants, what went on second by second, and verdicts.

export interface Metric {
  readonly key: string
  readonly title: string
  readonly digits: number
}

export interface Variant {
  readonly name: string
  /** By metric key; infinite for what did not come about. */
  readonly figures: Readonly<Record<string, number>>
}

/** One value a second. NaN where there is none. */
export interface Line {
  readonly name: string
  readonly values: readonly number[]
}

export interface Chart {
  readonly title: string
  readonly unit: string
  readonly scale: 'linear' | 'log'
  readonly lines: readonly Line[]
}

/** When something was the matter, in seconds. */
export interface Span {
  readonly from: number
  readonly to: number
  readonly title: string
}

export interface Verdict {
  readonly text: string
  readonly limit: number
  /** The limit is the least that is wanted; otherwise the most. */
  readonly least: boolean
  readonly measured: number
  readonly isMet: boolean
}

export interface Finding {
  readonly name: string
  readonly title: string
  /** What is simulated, in a sentence or two. */
  readonly about: string
  readonly metrics: readonly Metric[]
  readonly variants: readonly Variant[]
  readonly charts: readonly Chart[]
  readonly spans: readonly Span[]
  readonly verdicts: readonly Verdict[]
}

export interface Scenario {
  readonly name: string
  readonly title: string
  /** `seconds` of virtual time for each variant. */
  run(seed: number, seconds: number): Finding
}

export function atLeast(text: string, measured: number, limit: number): Verdict {
  return { text, limit, least: true, measured, isMet: measured >= limit }
}

export function atMost(text: string, measured: number, limit: number): Verdict {
  return { text, limit, least: false, measured, isMet: measured <= limit }
}

/** The figure of a variant; NaN, which meets no limit, if there is none. */
export function figureOf(variants: readonly Variant[], name: string, key: string): number {
  return variants.find((variant) => variant.name === name)?.figures[key] ?? NaN
}

/** When something is wrong: from a sixth of the time to two thirds of it. Whole seconds. */
export function troubleOf(seconds: number, title: string): Span {
  return { from: Math.round(seconds / 6), to: Math.round((seconds * 2) / 3), title }
}

/**
 * Seconds from `from` until `isWell` holds and goes on to for `stays` seconds (or to the end); infinite if it never
 * does.
 */
export function timeUntil(
  from: number,
  to: number,
  stays: number,
  isWell: (second: number) => boolean,
): number {
  for (let second = from; second < to; second += 1) {
    let at = second
    while (at < to && at < second + stays && isWell(at)) at += 1
    if (at >= Math.min(to, second + stays)) return second - from
  }
  return Number.POSITIVE_INFINITY
}
