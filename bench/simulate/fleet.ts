// The setting of most scenarios: one Service with a few instances, and one caller whose sidecar knows its policy.

import type { Millis } from '../../src/lib/duration.ts'
import { lognormal } from './chance.ts'
import { type Load, sendLoad } from './client.ts'
import type { Line } from './finding.ts'
import type { Instance } from './instance.ts'
import { Recorder } from './recorder.ts'
import { BETWEEN_PODS, PORT, type Policy, SimulatedWorld } from './world.ts'

const SERVICE = 'shop'

export interface FleetRules {
  readonly instances: number
  readonly workers: number
  readonly queue: number
  /** Of the times of service, which are lognormal. */
  readonly mean: Millis
  readonly honoursCancellation: boolean
  readonly policy: Policy
  readonly load: Omit<Load, 'host'>
}

/** A variant of a scenario, and what became of it. */
export interface NamedFleet {
  readonly name: string
  readonly fleet: Fleet
}

/** A chart's lines, one a variant. */
export function linesOf(
  fleets: readonly NamedFleet[],
  valuesOf: (fleet: Fleet) => Line['values'],
): Line[] {
  return fleets.map(({ name, fleet }) => ({ name, values: valuesOf(fleet) }))
}

/** How far times of service scatter: the 99th percentile is about three times the mean. */
export const SCATTER = 0.5

export interface Fleet {
  readonly world: SimulatedWorld
  readonly instances: readonly Instance[]
  readonly recorder: Recorder
  /** By instance, requests that reached it, second by second. */
  readonly received: readonly (readonly number[])[]
}

/** Runs it for so many seconds; `plan` says what happens meanwhile. */
export function runFleet(
  seed: number,
  seconds: number,
  rules: FleetRules,
  plan: (world: SimulatedWorld, instances: readonly Instance[]) => void,
): Fleet {
  const world = new SimulatedWorld(seed)
  const { workers, queue, mean, honoursCancellation } = rules
  const instances = Array.from({ length: rules.instances }, (_, at) => {
    const name = `${SERVICE}-${at}`
    const service = lognormal(mean, SCATTER, world.stream(name))
    const distance = BETWEEN_PODS
    return world.instance(name, { workers, queue, service, distance, honoursCancellation })
  })
  const addresses = instances.map((instance) => world.place(instance))
  world.service(SERVICE, addresses, rules.policy)
  const host = `${SERVICE}.default`
  const calls = world.sidecar('caller').callsTo(host, PORT)
  const recorder = new Recorder(seconds)
  const received = instances.map(({ counts }) => world.eachSecond(seconds, () => counts.received))
  plan(world, instances)
  const end = seconds * 1000
  sendLoad(world.clock, calls, { ...rules.load, host }, world.stream('arrivals'), recorder, end)
  world.run(seconds)
  return { world, instances, recorder, received }
}

/** Requests a second that reached one of them, on average over these seconds. */
export function rateAt(received: readonly number[] | undefined, from: number, to: number): number {
  const part = received?.slice(from, to) ?? []
  return part.reduce((sum, count) => sum + count, 0) / part.length
}

/** Together, second by second. */
export function together(lines: readonly (readonly number[])[]): number[] {
  return (lines[0] ?? []).map((_, at) => lines.reduce((sum, line) => sum + (line[at] ?? 0), 0))
}
