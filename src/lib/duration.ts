// Durations as operators write them (`250ms`, `1s`, `5m`, `1h30m`), read into milliseconds.
//
// The grammar is Gateway API's GEP-2257 (up to four groups of digits and unit, no fractions, no sign). What a
// duration is for, and which ones make sense there, is left to the caller.

import type { Problems } from './problems.ts'

/** A number of milliseconds, never negative. */
export type Millis = number

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

/** A duration from `min` (1 ms unless told), or `fallback` if absent. */
export function readDuration(
  value: unknown,
  path: string,
  problems: Problems,
  fallback: Millis,
  min: Millis = 1,
): Millis {
  if (value === undefined) return fallback
  const parsed = typeof value === 'string' ? parseDuration(value) : undefined
  if (parsed !== undefined && parsed >= min) return parsed
  problems.add(
    path,
    `must be a duration like 250ms, 1s or 5m${min > 1 ? `, at least ${min}ms` : ''}`,
    value,
  )
  return fallback
}
