// Chance that can be repeated: a stream of its own for everything that is drawn, so that one more draw in one place
// moves nothing elsewhere, and both sides of a comparison meet the same arrivals.

import type { Millis } from '../../src/lib/duration.ts'
import { type Random, seededRandom } from '../../src/lib/random.ts'

export type Draw = () => Millis

/** The stream of that name under that seed. */
export function stream(seed: number, name: string): Random {
  // FNV-1a over the name, begun at the seed.
  let hash = (seed ^ 0x811c9dc5) >>> 0
  for (let at = 0; at < name.length; at += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0
  }
  // Names that differ in their last letter only begin close together: the first numbers take them apart.
  const random = seededRandom(hash)
  for (let turn = 0; turn < 8; turn += 1) random()
  return random
}

/** Without memory: the time between arrivals that know nothing of each other. Milliseconds. */
export function exponential(mean: Millis, random: Random): Draw {
  return () => -mean * Math.log(1 - random())
}

/** What times of service look like: a body around the median, and a tail. `sigma` is that of the logarithm. */
export function lognormal(mean: Millis, sigma: number, random: Random): Draw {
  const mu = Math.log(mean) - (sigma * sigma) / 2
  return () => Math.exp(mu + sigma * normal(random))
}

/** Always the same. */
export function constant(value: Millis): Draw {
  return () => value
}

/** Box and Muller's way to a normally distributed number. */
function normal(random: Random): number {
  const radius = Math.sqrt(-2 * Math.log(1 - random()))
  return radius * Math.cos(2 * Math.PI * random())
}
