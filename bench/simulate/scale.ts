// Where a value stands between the least and the most of a chart.

import type { Figure, WrittenChart } from './report.ts'

export interface Scale {
  readonly least: number
  readonly most: number
  readonly isLog: boolean
  /** 0 to 1; what never came stands at the top. */
  place(value: number | 'never'): number
}

export function scaleOf({ lines, scale }: Pick<WrittenChart, 'lines' | 'scale'>): Scale {
  const all = lines.flatMap(({ values }) => values).filter(isNumber)
  const most = all.reduce((one, other) => Math.max(one, other), 0)
  if (scale === 'linear') {
    const top = most > 0 ? most : 1
    return { least: 0, most: top, isLog: false, place: (value) => within(value, (v) => v / top) }
  }
  const positive = all.filter((value) => value > 0)
  const least = positive.reduce((one, other) => Math.min(one, other), most > 0 ? most : 1)
  const top = Math.max(most, least * 2)
  const span = Math.log(top / least)
  const place = (value: number): number => Math.log(Math.max(value, least) / least) / span
  return { least, most: top, isLog: true, place: (value) => within(value, place) }
}

function within(value: number | 'never', place: (value: number) => number): number {
  return value === 'never' ? 1 : Math.min(1, Math.max(0, place(value)))
}

function isNumber(value: Figure): value is number {
  return typeof value === 'number'
}
