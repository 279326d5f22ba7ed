// Draws endpoints by chance in proportion to their weights, in the same time however many there are.
//
// Walker's alias method, built by Vose's rule: each endpoint owns one slot of equal width and shares it with at most
// one heavier other. Who may be drawn at the moment is left to the pickers.

import type { Endpoint } from '../stack/endpoint.ts'
import { CHANCES, type Chance } from './chance.ts'

export class WeightedDraw {
  /** All weights are the same. */
  readonly isEven: boolean
  readonly #endpoints: readonly Endpoint[]
  readonly #chance: Chance
  /** By slot: the owner's part of it, and who has the rest. Empty where all parts are whole. */
  readonly #part: Float64Array
  readonly #other: Uint32Array

  constructor(endpoints: readonly Endpoint[], chance: Chance) {
    this.#endpoints = endpoints
    this.#chance = chance
    this.isEven = haveOneWeight(endpoints)
    const slots = this.isEven ? 0 : endpoints.length
    this.#part = new Float64Array(slots)
    this.#other = new Uint32Array(slots)
    if (!this.isEven) this.#share()
  }

  draw(): Endpoint | undefined {
    const place = (this.#chance.next() / CHANCES) * this.#endpoints.length
    const slot = Math.floor(place)
    if (this.isEven || place - slot < (this.#part[slot] ?? 1)) return this.#endpoints[slot]
    return this.#endpoints[this.#other[slot] ?? slot]
  }

  #share(): void {
    const total = this.#endpoints.reduce((sum, { weight }) => sum + weight, 0)
    const light: number[] = []
    const heavy: number[] = []
    for (const [slot, { weight }] of this.#endpoints.entries()) {
      const part = (weight * this.#endpoints.length) / total
      this.#part[slot] = part
      if (part < 1) light.push(slot)
      else heavy.push(slot)
    }
    for (;;) {
      const [slot, giver] = [light.pop(), heavy.at(-1)]
      if (slot === undefined || giver === undefined) return
      this.#other[slot] = giver
      const left = (this.#part[giver] ?? 1) - (1 - (this.#part[slot] ?? 1))
      this.#part[giver] = left
      // What rounding leaves in either list when the other is empty has a whole slot, but for the rounding.
      if (left < 1) light.push(heavy.pop() ?? giver)
    }
  }
}

export function haveOneWeight(endpoints: readonly Endpoint[]): boolean {
  return endpoints.every(({ weight }) => weight === endpoints[0]?.weight)
}
