// Consistent hashing on a ring: every endpoint stands at many points of it, a client at one, and the next point
// clockwise says where the client goes; if that endpoint is away, the next of another one.
//
// An endpoint's points depend on itself alone. One that goes leaves its clients to its neighbours and moves nobody
// else; one that comes takes only its own. The exception is a change of scale, which happens where the sum of the
// weights passes a power of two times MAX_POINTS / POINTS.
//
// Points are even over the ring, so they are kept by sections with about one point each: building is a distribution
// into sections, and a look begins in the right one.

import type { Random } from '../../lib/random.ts'
import type { Choice, Picker } from '../stack/destination.ts'
import type { Endpoint } from '../stack/endpoint.ts'
import { Chance } from './chance.ts'
import { clientKeyOrAny } from './client-key.ts'
import { hashText, mix } from './hash.ts'
import { isUsable, isWell, Level, levelOf } from './usable.ts'

/** By unit of weight. Shares are even within about 1 / sqrt(256), 6 %. */
const POINTS = 256
/** In all; half as many points by unit of weight, or a quarter and so on, where there would be more. */
const MAX_POINTS = 65_536
const GOLDEN = 0x9e3779b9
/** Places on the ring have 31 bits, which V8 handles as integers everywhere. */
const PLACE_BITS = 31

export class RingHash implements Picker {
  readonly endpoints: readonly Endpoint[]
  readonly #chance: Chance
  readonly #bySource: boolean
  readonly #ring: Ring

  constructor(endpoints: readonly Endpoint[], bySource: boolean, random: Random) {
    this.endpoints = endpoints
    this.#chance = new Chance(random)
    this.#bySource = bySource
    this.#ring = build(endpoints)
  }

  pick(choice: Choice): Endpoint | undefined {
    const key = clientKeyOrAny(choice, this.#bySource, this.#chance)
    const { owners } = this.#ring
    let at = find(this.#ring, mix(key) >>> 1)
    const first = this.endpoints[owners[at] ?? 0]
    if (first === undefined || isWell(first, choice)) return first
    const level = levelOf(this.endpoints, choice)
    if (level === Level.nobody) return undefined
    for (let turn = 0; turn < owners.length; turn += 1) {
      const endpoint = this.endpoints[owners[at] ?? 0]
      if (endpoint !== undefined && isUsable(endpoint, choice, level)) return endpoint
      at = at + 1 < owners.length ? at + 1 : 0
    }
    return undefined
  }

  answered(): void {
    // It does not choose by latency.
  }
}

interface Ring {
  /** The places of the points in ascending order, and the index of the endpoint that each belongs to. */
  readonly places: Int32Array
  readonly owners: Uint16Array
  /** By section: the index of its first point. */
  readonly sections: Int32Array
  /** A place's section is what is left when so many bits are cut off. */
  readonly shift: number
}

/** The index of the first point that is not before this place; after the last comes the first. */
function find({ places, sections, shift }: Ring, place: number): number {
  let at = sections[place >>> shift] ?? 0
  while (at < places.length && (places[at] ?? 0) < place) at += 1
  return at < places.length ? at : 0
}

function build(endpoints: readonly Endpoint[]): Ring {
  const counts = countsOf(endpoints)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const shift = PLACE_BITS - Math.ceil(Math.log2(Math.max(2, total)))
  const ring: Ring = {
    places: new Int32Array(total),
    owners: new Uint16Array(total),
    sections: new Int32Array(2 ** (PLACE_BITS - shift)),
    shift,
  }
  const hashes = endpoints.map(({ key }) => hashText(key))
  const { sections } = ring
  for (const [owner, count] of counts.entries())
    countPoints(sections, hashes[owner] ?? 0, count, shift)
  // How many points a section has becomes where the next section begins.
  let before = 0
  for (let section = 0; section < sections.length; section += 1) {
    before += sections[section] ?? 0
    sections[section] = before
  }
  for (const [owner, count] of counts.entries()) setPoints(ring, owner, hashes[owner] ?? 0, count)
  sortWithinSections(ring)
  return ring
}

/** How many points each endpoint has. */
function countsOf(endpoints: readonly Endpoint[]): number[] {
  const total = endpoints.reduce((sum, { weight }) => sum + weight, 0)
  let scale = POINTS
  while (total * scale > MAX_POINTS) scale /= 2
  return endpoints.map(({ weight }) => Math.max(1, Math.round(weight * scale)))
}

function placeOf(hash: number, point: number): number {
  return mix(hash ^ mix(Math.imul(point + 1, GOLDEN))) >>> 1
}

function countPoints(sections: Int32Array, hash: number, count: number, shift: number): void {
  for (let point = 0; point < count; point += 1) {
    const section = placeOf(hash, point) >>> shift
    sections[section] = (sections[section] ?? 0) + 1
  }
}

/** Fills each section from its end, so that when all are set `sections` says where it begins. */
function setPoints(
  { places, owners, sections, shift }: Ring,
  owner: number,
  hash: number,
  count: number,
): void {
  for (let point = 0; point < count; point += 1) {
    const place = placeOf(hash, point)
    const at = (sections[place >>> shift] ?? 0) - 1
    sections[place >>> shift] = at
    places[at] = place
    owners[at] = owner
  }
}

/** By insertion: nothing has far to go. */
function sortWithinSections({ places, owners }: Ring): void {
  for (let from = 1; from < places.length; from += 1) {
    const place = places[from] ?? 0
    const owner = owners[from] ?? 0
    let at = from
    while (at > 0 && (places[at - 1] ?? 0) > place) {
      places[at] = places[at - 1] ?? 0
      owners[at] = owners[at - 1] ?? 0
      at -= 1
    }
    places[at] = place
    owners[at] = owner
  }
}
