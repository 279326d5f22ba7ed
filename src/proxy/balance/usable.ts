// Which endpoints a choice may fall on: those not tried yet, and of them, if there are any, those that are not
// avoided after a failed connect.
//
// Every picker asks this first, so that failover and avoidance mean the same under each of them.

import type { Choice } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'

/** True for the endpoints of the better kind that is not empty; undefined if every endpoint was tried. */
export function usable(
  endpoints: readonly Endpoint[],
  choice: Choice,
): ((endpoint: Endpoint) => boolean) | undefined {
  const fresh = (endpoint: Endpoint): boolean => !choice.tried.includes(endpoint)
  const healthy = (endpoint: Endpoint): boolean =>
    endpoint.avoidUntil <= choice.now && fresh(endpoint)
  if (endpoints.some(healthy)) return healthy
  return endpoints.some(fresh) ? fresh : undefined
}
