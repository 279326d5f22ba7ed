// Which endpoints a choice may fall on: those not tried yet, and of them the best there are. Well ones come first, then
// such as are still coming back slowly, then ejected ones, and last those that could not be connected to.
//
// Every picker asks here, so that failover, ejection and avoidance mean the same under each of them. It is asked for
// every request: answers are small numbers and booleans, nothing is made, and where the first endpoint is well nobody
// else is looked at. One choice has one time and one lot, so all its answers agree.

import type { Choice } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'

/** Up to so many endpoints are all looked at; of more, two that chance names. */
export const FEW = 16

/** How good the endpoints are that a choice falls on: the lower, the better, but for `nobody`. */
export const Level = {
  /** Every endpoint was tried. */
  nobody: 0,
  /** Some that are well were not tried. */
  well: 1,
  /** None is, but some are coming back, and only this choice's lot speaks against them. */
  returning: 2,
  /** Some can be connected to, but are ejected. */
  ejected: 3,
  /** All that are left are avoided. */
  avoided: 4,
} as const
export type Level = (typeof Level)[keyof typeof Level]

/** The share of requests that an endpoint gets, of what it would get otherwise, in the moment that it comes back. */
const FIRST_SHARE = 0.1

export function levelOf(endpoints: readonly Endpoint[], choice: Choice): Level {
  let level: Level = Level.nobody
  for (let at = 0; at < endpoints.length; at += 1) {
    const endpoint = endpoints[at]
    if (endpoint === undefined || wasTried(endpoint, choice)) continue
    const own = ownLevel(endpoint, choice)
    if (own === Level.well) return own
    if (level === Level.nobody || own < level) level = own
  }
  return level
}

export function isUsable(endpoint: Endpoint, choice: Choice, level: Level): boolean {
  return ownLevel(endpoint, choice) <= level && !wasTried(endpoint, choice)
}

/** Usable whatever the others are like. */
export function isWell(endpoint: Endpoint, choice: Choice): boolean {
  return ownLevel(endpoint, choice) === Level.well && !wasTried(endpoint, choice)
}

function ownLevel(endpoint: Endpoint, choice: Choice): Level {
  const { now } = choice
  if (endpoint.avoidUntil > now) return Level.avoided
  if (endpoint.ejectedUntil > now && !choice.isPanicking) return Level.ejected
  if (choice.lot >= FIRST_SHARE && isHeldBack(endpoint, choice)) return Level.returning
  return Level.well
}

/** It is coming back, and its share, which grows evenly to the whole, does not reach up to the lot yet. */
function isHeldBack({ rampsFrom, rampsUntil }: Endpoint, { now, lot }: Choice): boolean {
  if (rampsUntil <= now) return false
  const grown = (now - rampsFrom) / (rampsUntil - rampsFrom)
  return lot >= FIRST_SHARE + (1 - FIRST_SHARE) * grown
}

function wasTried(endpoint: Endpoint, { tried }: Choice): boolean {
  return tried.length > 0 && tried.includes(endpoint)
}
