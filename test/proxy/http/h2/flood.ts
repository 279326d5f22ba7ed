// Something that a peer does again and again: how long it is let, and how much of it is nothing to worry about.

import type t from 'tap'
import { H2Rig, type RigOptions } from '../../../support/h2-rig.ts'
import { END_HEADERS, headers, request } from '../../../support/h2-wire.ts'

export type Step = (rig: H2Rig, round: number) => void
export const CALM = 'ENHANCE_YOUR_CALM'

export function post(id: number): Buffer {
  return headers(id, request([], 'POST'), END_HEADERS)
}

/** How many rounds of it, without a pause, are taken before the connection is ended. */
export function rounds(rig: H2Rig, most: number, step: Step): number {
  for (let round = 0; round < most; round++) {
    step(rig, round)
    if (rig.failures.length > 0) return round
  }
  return most
}

export interface Flood {
  readonly name: string
  readonly limit: string
  readonly options: RigOptions
  readonly step: Step
  /** It is over between these. */
  readonly from: number
  readonly to: number
  /** So many rounds a second are taken for ever. */
  readonly calm: number
}

/** Without a pause it is ended, and now and then it is not. */
export function floods(tap: typeof t, flood: Flood): void {
  const { name, limit, options, step, from, to, calm } = flood
  tap.test(`http2: limits: ${name}`, async (t) => {
    const rig = new H2Rig(options)
    const taken = rounds(rig, to + 1, step)
    t.ok(taken >= from && taken <= to, `ended after ${taken} rounds`)
    t.strictSame(rig.failures, [CALM])
    t.strictSame(rig.limited, [limit])
    t.match(rig.told().at(-1), new RegExp(`^GOAWAY \\d+ ${CALM}$`))
  })
  tap.test(`http2: limits: ${name}, seldom`, async (t) => {
    const rig = new H2Rig(options)
    rig.pass(1)
    for (let second = 0; second < 5; second++) {
      for (let i = 0; i < calm; i++) step(rig, second * calm + i)
      rig.pass(1)
    }
    t.strictSame(rig.failures, [])
    t.strictSame(rig.limited, [])
  })
}
