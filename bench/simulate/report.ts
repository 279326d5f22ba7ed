// What was found, with its figures as they are written: rounded, and in words where there is none.

import type { Finding, Metric, Span, Verdict } from './finding.ts'

/** `never` for what did not come about, null for what there is no figure of. */
export type Figure = number | 'never' | null

export interface WrittenVerdict extends Omit<Verdict, 'measured'> {
  readonly measured: Figure
}

export interface WrittenVariant {
  readonly name: string
  readonly figures: Readonly<Record<string, Figure>>
}

export interface WrittenChart {
  readonly title: string
  readonly unit: string
  readonly scale: 'linear' | 'log'
  readonly lines: readonly { readonly name: string; readonly values: readonly Figure[] }[]
}

export interface Section {
  readonly name: string
  readonly title: string
  readonly about: string
  readonly metrics: readonly Metric[]
  readonly variants: readonly WrittenVariant[]
  readonly charts: readonly WrittenChart[]
  readonly spans: readonly Span[]
  readonly verdicts: readonly WrittenVerdict[]
}

export interface Report {
  readonly command: string
  readonly seed: number
  readonly seconds: number
  readonly sections: readonly Section[]
}

/** Enough for any table, and the same whatever the last bits of a sum are. */
const DIGITS = 6

export function sectionOf(finding: Finding): Section {
  const { name, title, about, metrics, spans } = finding
  return {
    ...{ name, title, about, metrics },
    variants: finding.variants.map((variant) => ({
      name: variant.name,
      figures: Object.fromEntries(
        Object.entries(variant.figures).map(([key, value]) => [key, figureOf(value)]),
      ),
    })),
    charts: finding.charts.map((chart) => ({
      ...chart,
      lines: chart.lines.map((line) => ({ name: line.name, values: line.values.map(figureOf) })),
    })),
    spans,
    verdicts: finding.verdicts.map((verdict) => ({
      ...verdict,
      measured: figureOf(verdict.measured),
    })),
  }
}

function figureOf(value: number): Figure {
  if (value === Number.POSITIVE_INFINITY) return 'never'
  return Number.isFinite(value) ? Number(value.toPrecision(DIGITS)) : null
}

export function isMet({ sections }: Report): boolean {
  return sections.every(({ verdicts }) => verdicts.every((verdict) => verdict.isMet))
}
