// `circuitBreaker` of a TrafficPolicy: how much may be under way to a Service at once, and when one of its endpoints is
// ejected.

import { readDuration } from '../lib/duration.ts'
import type { Problems } from '../lib/problems.ts'
import { type Fields, join, readFields, readInteger, readNumber } from '../lib/shape.ts'
import { readBackoff } from './backoff.ts'
import { DEFAULT_OUTLIER, type Outlier, type TrafficPolicy } from './resources.ts'

const LIMITS = ['maxConnections', 'maxPendingRequests', 'maxRequests', 'maxRetries'] as const
const OUTLIER = [
  'consecutiveFailures',
  'minSuccessRate',
  'slowerThanPeers',
  'minRequests',
  'window',
  'ejection',
  'maxEjectedPercent',
  'panicPercent',
  'slowStart',
]
const MOST = 1_000_000
const WINDOW = { min: 1000, max: 60_000 }

export function readCircuitBreaker(
  value: unknown,
  path: string,
  problems: Problems,
): Pick<TrafficPolicy, (typeof LIMITS)[number] | 'outlier'> {
  const fields = readFields(value, path, [...LIMITS, 'outlier'], problems)
  const limit = (key: (typeof LIMITS)[number]): number | undefined => {
    if (!fields.has(key)) return undefined
    return readInteger(fields.get(key), join(path, key), problems, { min: 1, max: MOST })
  }
  return {
    maxConnections: limit('maxConnections'),
    maxPendingRequests: limit('maxPendingRequests'),
    maxRequests: limit('maxRequests'),
    maxRetries: limit('maxRetries'),
    outlier: fields.has('outlier')
      ? readOutlier(fields.get('outlier'), join(path, 'outlier'), problems)
      : undefined,
  }
}

function readOutlier(value: unknown, path: string, problems: Problems): Outlier {
  const fields = readFields(value, path, OUTLIER, problems)
  const usual = DEFAULT_OUTLIER
  const within = (key: string): [unknown, string, Problems] => [
    fields.get(key),
    join(path, key),
    problems,
  ]
  const count = (key: string, min: number, fallback: number): number =>
    readInteger(...within(key), { min, max: MOST, fallback })
  const share = (key: string, max: number, fallback: number): number =>
    readNumber(...within(key), { min: 0, max, fallback })
  return {
    consecutiveFailures: count('consecutiveFailures', 0, usual.consecutiveFailures),
    minSuccessRate: share('minSuccessRate', 1, usual.minSuccessRate),
    slowerThanPeers: readSlower(fields, path, problems),
    minRequests: count('minRequests', 1, usual.minRequests),
    window: readDuration(...within('window'), usual.window, WINDOW),
    ejection: readBackoff(...within('ejection'), usual.ejection),
    maxEjectedPercent: share('maxEjectedPercent', 100, usual.maxEjectedPercent),
    panicPercent: share('panicPercent', 100, usual.panicPercent),
    slowStart: readDuration(...within('slowStart'), usual.slowStart, { orZero: true }),
  }
}

/** A number up to 1 would eject half of the endpoints of a Service that is well. */
function readSlower(fields: Fields, path: string, problems: Problems): number {
  const key = 'slowerThanPeers'
  const value = fields.get(key)
  const fallback = DEFAULT_OUTLIER.slowerThanPeers
  if (value === undefined || value === 0) return value ?? fallback
  if (typeof value === 'number' && value > 1 && value <= MOST) return value
  problems.add(join(path, key), `must be a number above 1 up to ${MOST}, or 0 for never`, value)
  return fallback
}
