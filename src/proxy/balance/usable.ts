// Which endpoints a choice may fall on: those not tried yet, and of them, if there are any, those that are not
// avoided after a failed connect.
//
// Every picker asks here, so that failover and avoidance mean the same under each of them. It is asked for every
// request: answers are small numbers and booleans, nothing is made, and where the first endpoint is well nobody
// else is looked at.

import type { Choice } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'

/** Up to so many endpoints are all looked at; of more, two that chance names. */
export const FEW = 16

/** How good the endpoints are that a choice falls on. */
export const Level = {
  /** Every endpoint was tried. */
  nobody: 0,
  /** Some that are not avoided were not tried. */
  well: 1,
  /** All that are left are avoided. */
  avoided: 2,
} as const
export type Level = (typeof Level)[keyof typeof Level]

export function levelOf(endpoints: readonly Endpoint[], choice: Choice): Level {
  let level: Level = Level.nobody
  for (let at = 0; at < endpoints.length; at += 1) {
    const endpoint = endpoints[at]
    if (endpoint === undefined || wasTried(endpoint, choice)) continue
    if (endpoint.avoidUntil <= choice.now) return Level.well
    level = Level.avoided
  }
  return level
}

export function isUsable(endpoint: Endpoint, choice: Choice, level: Level): boolean {
  return (
    (level === Level.avoided || endpoint.avoidUntil <= choice.now) && !wasTried(endpoint, choice)
  )
}

/** Usable whatever the others are like. */
export function isWell(endpoint: Endpoint, choice: Choice): boolean {
  return endpoint.avoidUntil <= choice.now && !wasTried(endpoint, choice)
}

function wasTried(endpoint: Endpoint, { tried }: Choice): boolean {
  return tried.length > 0 && tried.includes(endpoint)
}
