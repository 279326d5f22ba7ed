// Connections of one client address go to one endpoint for as long as it is there.
//
// Weighted rendezvous hashing: each endpoint draws a score from a hash of itself and the client, the highest wins.
// When an endpoint goes, only its own clients move; when one comes, only the clients it wins move: no scheme moves
// fewer, and unlike a ring or a table it keeps no state. It costs a look at every endpoint, once a connection.

import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { usable } from './usable.ts'

export class SourceAffinity implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #hashed: readonly { readonly endpoint: Endpoint; readonly hash: number }[]

  constructor(endpoints: readonly Endpoint[]) {
    this.endpoints = endpoints
    this.#hashed = endpoints.map((endpoint) => ({ endpoint, hash: hashText(endpoint.key) }))
  }

  pick(choice: Choice): Endpoint | undefined {
    const may = usable(this.endpoints, choice)
    if (may === undefined) return undefined
    const source = hashText(choice.source)
    let best: Endpoint | undefined
    let bestScore = Number.NEGATIVE_INFINITY
    for (const { endpoint, hash } of this.#hashed) {
      if (!may(endpoint)) continue
      // Uniform in (0, 1); the logarithm makes the chance of the highest score proportional to the weight.
      const uniform = (mix(source ^ hash) + 0.5) / 4_294_967_296
      const score = -endpoint.weight / Math.log(uniform)
      if (score > bestScore) {
        best = endpoint
        bestScore = score
      }
    }
    return best
  }

  answered(): void {
    // It does not choose by latency.
  }
}

/** FNV-1a over the characters, mixed so that near texts are far apart. */
function hashText(text: string): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  return mix(hash)
}

/** The finaliser of MurmurHash3: every bit of the input moves half of the bits of the output. */
function mix(value: number): number {
  let hash = value
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
