// `base` and `max` of a time that doubles: of waits before a retry, and of ejections.

import { readDuration } from '../lib/duration.ts'
import type { Problems } from '../lib/problems.ts'
import { join, readFields } from '../lib/shape.ts'
import type { Backoff } from './resources.ts'

/** What is not said is that of `fallback`, but gives way to what is said. */
export function readBackoff(
  value: unknown,
  path: string,
  problems: Problems,
  fallback: Backoff,
): Backoff {
  const fields = readFields(value, path, ['base', 'max'], problems)
  const base = readDuration(fields.get('base'), join(path, 'base'), problems, fallback.base)
  const max = readDuration(fields.get('max'), join(path, 'max'), problems, fallback.max)
  if (max >= base) return { base, max }
  if (!fields.has('max')) return { base, max: base }
  if (!fields.has('base')) return { base: max, max }
  problems.add(join(path, 'max'), 'must not be less than base', fields.get('max'))
  return fallback
}
