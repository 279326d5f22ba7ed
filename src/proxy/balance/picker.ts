// From a policy's words to a picker over the endpoints of the moment.

import type { LoadBalancer } from '../../api/resources.ts'
import type { Random } from '../../lib/random.ts'
import type { Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { LeastRequest } from './least-request.ts'
import { RoundRobin } from './round-robin.ts'
import { SourceAffinity } from './source-affinity.ts'
import { WeightedRandom } from './weighted-random.ts'

/** Affinity, where asked for, decides; the algorithm is for those without. */
export function makePicker(
  { algorithm, sourceIp }: LoadBalancer,
  endpoints: readonly Endpoint[],
  random: Random,
): Picker {
  if (sourceIp) return new SourceAffinity(endpoints)
  switch (algorithm) {
    case 'roundRobin':
      return new RoundRobin(endpoints, random)
    case 'leastRequest':
      return new LeastRequest(endpoints, random)
    case 'random':
      return new WeightedRandom(endpoints, random)
  }
}
