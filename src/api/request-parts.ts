// The parts of a TrafficPolicy that are about requests, where the policy itself says that connections are balanced:
// refused, because they would silently not be in force.

import type { Problems } from '../lib/problems.ts'
import { type Fields, join } from '../lib/shape.ts'

export const NEEDS_REQUESTS = 'needs requests, which mode l4 does not look at'

/** Keys of `spec`, and keys below its keys. */
const WHOLE = ['retries', 'faults', 'mirror', 'routes']
const WITHIN: Readonly<Record<string, readonly string[]>> = {
  timeouts: ['request', 'perTry', 'responseHeaders', 'streamIdle'],
  circuitBreaker: ['maxRequests', 'maxRetries', 'outlier'],
}

/** For `mode: l4`. */
export function refuseRequestParts(spec: Fields, path: string, problems: Problems): void {
  for (const key of WHOLE) if (spec.has(key)) problems.add(join(path, key), NEEDS_REQUESTS)
  for (const [key, parts] of Object.entries(WITHIN)) {
    const value = spec.get(key)
    if (typeof value !== 'object' || value === null) continue
    const said = new Map(Object.entries(value))
    for (const part of parts.filter((each) => (said.get(each) ?? undefined) !== undefined)) {
      problems.add(join(join(path, key), part), NEEDS_REQUESTS)
    }
  }
}
