// Durations as operators write them (`250ms`, `1s`, `5m`, `1h30m`), read into milliseconds.
//
// The grammar is Gateway API's GEP-2257 (up to four groups of digits and unit, no fractions, no sign). What a
// duration is for, and which ones make sense there, is left to the caller.

import type { Problems } from './problems.ts'

/** A number of milliseconds, never negative. */
export type Millis = number

/** The longest that a timer of the runtime can be set for: a longer one would end at once. */
export const LONGEST: Millis = 2_147_483_647

const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 }
const DURATION = /^(?:\d{1,5}(?:h|ms|m|s)){1,4}$/
const GROUP = /(\d{1,5})(h|ms|m|s)/g

/** Milliseconds, or undefined if the text is not a duration. */
export function parseDuration(text: string): Millis | undefined {
  if (!DURATION.test(text)) return undefined
  let total = 0
  for (const [, digits, unit] of text.matchAll(GROUP)) {
    total += Number(digits) * (UNITS[unit ?? ''] ?? 0)
  }
  return total
}

/** Which durations make sense: 1 ms to 24 days unless told. `orZero` allows `0s` although it is below `min`. */
export interface DurationRange {
  readonly min?: Millis
  readonly max?: Millis
  readonly orZero?: boolean
}

/** A duration within `range`, or `fallback` if absent. */
export function readDuration(
  value: unknown,
  path: string,
  problems: Problems,
  fallback: Millis,
  range: DurationRange = {},
): Millis {
  if (value === undefined) return fallback
  const { min = 1, max = LONGEST, orZero = false } = range
  const parsed = typeof value === 'string' ? parseDuration(value) : undefined
  if (parsed === 0 && orZero) return 0
  if (parsed !== undefined && parsed >= min && parsed <= max) return parsed
  const expected = [
    'must be a duration like 250ms, 1s or 5m',
    ...(min > 1 ? [`at least ${formatDuration(min)}`] : []),
    ...(parsed !== undefined && parsed > max ? [`at most ${formatDuration(max)}`] : []),
    ...(orZero ? ['or 0s for none'] : []),
  ]
  problems.add(path, expected.join(', '), value)
  return fallback
}

/** As `readDuration`, for one that must be there. */
export function readRequiredDuration(
  value: unknown,
  path: string,
  problems: Problems,
  range?: DurationRange,
): Millis {
  if (value === undefined) problems.add(path, 'is required')
  return readDuration(value, path, problems, 0, range)
}

/** The duration as `parseDuration` reads it, cut to whole milliseconds. */
export function formatDuration(duration: Millis): string {
  let rest = Math.floor(duration)
  let text = ''
  for (const [unit, size] of Object.entries(UNITS)) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0) text += `${count}${unit}`
  }
  return text === '' ? '0s' : text
}
