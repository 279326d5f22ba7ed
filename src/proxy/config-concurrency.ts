// The settings of how many requests the application works on at once.

import type { Problems } from '../lib/problems.ts'
import { readChoice, readInteger } from '../lib/shape.ts'
import { MOST_ADAPTIVE } from './resilience/admission.ts'
import type { ConcurrencySettings } from './settings.ts'

const MOST = 1_000_000

/** A value, its path, and where problems go, in the order that readers take them. */
type Place = readonly [value: unknown, path: string, problems: Problems]

/** `at` finds a key's value. */
export function readConcurrency(at: (key: string) => Place): ConcurrencySettings {
  const adaptive = readChoice(...at('inbound.concurrency.adaptive'), ['off', 'gradient'])
  const limit = readLimit(...at('inbound.concurrency.limit'))
  const [given, path, problems] = at('inbound.concurrency.min')
  const min = readInteger(given, path, problems, { min: 1, max: MOST })
  const most = limit ?? MOST_ADAPTIVE
  if (adaptive === 'gradient' && min > most) {
    problems.add(path, `must not be above the limit, ${most}`, given)
  }
  const pending = readInteger(...at('inbound.concurrency.pending'), { min: 0, max: MOST })
  return { limit, pending, adaptive, min }
}

function readLimit(value: unknown, path: string, problems: Problems): number | undefined {
  if (value === 'off') return undefined
  if (typeof value === 'number') return readInteger(value, path, problems, { min: 1, max: MOST })
  problems.add(path, `must be a whole number from 1 to ${MOST}, or off`, value)
  return undefined
}
