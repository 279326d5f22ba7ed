// From a policy's words to a picker over the endpoints of the moment.

import type { Algorithm, LoadBalancer } from '../../api/resources.ts'
import type { Random } from '../../lib/random.ts'
import type { Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { LeastRequest } from './least-request.ts'
import { Maglev } from './maglev.ts'
import { PeakEwma } from './peak-ewma.ts'
import { Rendezvous } from './rendezvous.ts'
import { RingHash } from './ring-hash.ts'
import { RoundRobin } from './round-robin.ts'
import { WeightedRandom } from './weighted-random.ts'

/** Affinity, where asked for, decides; the algorithm is for those without, unless it is a consistent hash itself. */
export function makePicker(
  { algorithm, affinity }: LoadBalancer,
  endpoints: readonly Endpoint[],
  random: Random,
): Picker {
  const bySource = affinity.kind === 'sourceIp'
  if (algorithm === 'ringHash') return new RingHash(endpoints, bySource, random)
  if (algorithm === 'maglev') return new Maglev(endpoints, bySource, random)
  const picker = makeFree(algorithm, endpoints, random)
  return affinity.kind === 'none' ? picker : new Rendezvous(picker, bySource)
}

function makeFree(
  algorithm: Exclude<Algorithm, 'ringHash' | 'maglev'>,
  endpoints: readonly Endpoint[],
  random: Random,
): Picker {
  switch (algorithm) {
    case 'roundRobin':
      return new RoundRobin(endpoints, random)
    case 'leastRequest':
      return new LeastRequest(endpoints, random)
    case 'peakEwma':
      return new PeakEwma(endpoints, random)
    case 'random':
      return new WeightedRandom(endpoints, random)
  }
}
