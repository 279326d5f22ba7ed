// How many file descriptors this process may have: what bounds the connections it can carry.

import { readFileSync } from 'node:fs'

const LIMIT = /^Max open files\s+(\d+)/m

/** The soft limit, which Node.js raises to the hard one at its start; infinite where the system does not say. */
export function descriptorLimit(): number {
  try {
    const limit = LIMIT.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
    return limit === undefined ? Number.POSITIVE_INFINITY : Number(limit)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
