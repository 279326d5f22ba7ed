// A circle of entries that name endpoints, as a ring's points and a table do: whom the way from an entry on leads to.

import type { Choice } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { isUsable, isWell, Level, levelOf } from './usable.ts'

/** The first usable endpoint from `start` on, all the way round; `owners` has an index of an endpoint by entry. */
export function firstFrom(
  endpoints: readonly Endpoint[],
  owners: Uint16Array,
  start: number,
  choice: Choice,
): Endpoint | undefined {
  const first = endpoints[owners[start] ?? 0]
  if (first === undefined || isWell(first, choice)) return first
  const level = levelOf(endpoints, choice)
  if (level === Level.nobody) return undefined
  let at = start
  for (let turn = 0; turn < owners.length; turn += 1) {
    const endpoint = endpoints[owners[at] ?? 0]
    if (endpoint !== undefined && isUsable(endpoint, choice, level)) return endpoint
    at = at + 1 < owners.length ? at + 1 : 0
  }
  return undefined
}
