// The last of four services that call each other stands still for a while: how far up that is felt, how much work is
// done for nobody, and how long it lasts once it goes on.

import { DEFAULT_RULES } from '../../../src/api/resources.ts'
import type { Millis } from '../../../src/lib/duration.ts'
import { lognormal } from '../chance.ts'
import { sendLoad } from '../client.ts'
import {
  atLeast,
  atMost,
  type Finding,
  figureOf,
  type Metric,
  type Scenario,
  type Span,
  timeUntil,
  troubleOf,
  type Variant,
} from '../finding.ts'
import { SCATTER } from '../fleet.ts'
import type { Instance } from '../instance.ts'
import { NextCall, type Passing, Pod } from '../pod.ts'
import { Recorder } from '../recorder.ts'
import { BETWEEN_PODS, PORT, type Policy, SimulatedWorld, WITHIN_POD } from '../world.ts'

/** The last first: each calls the one before it. */
const SERVICES = ['d', 'c', 'b', 'a']
const WORKERS = 32
const MEAN = 20
const RATE = 200
const PATIENCE = 2000
const QUEUE = 10_000
const STAYS = 3

interface Way {
  readonly name: string
  readonly passing: Passing
  /** At the first call only, or at every one, or none. */
  readonly timeout: 'first' | 'each' | 'none'
  /** The sidecars let no more requests to the application than it has workers. */
  readonly isAdmitting: boolean
}

const WAYS: readonly Way[] = [
  { name: 'nothing', passing: 'nothing', timeout: 'none', isAdmitting: false },
  { name: 'timeout at each hop', passing: 'nothing', timeout: 'each', isAdmitting: false },
  { name: 'deadline', passing: 'deadline', timeout: 'first', isAdmitting: true },
  { name: 'deadline by trace', passing: 'trace', timeout: 'first', isAdmitting: true },
]

const METRICS: readonly Metric[] = [
  { key: 'longest', title: 'longest wait of a hop, s', digits: 2 },
  { key: 'late', title: '% begun after their time', digits: 2 },
  { key: 'wasted', title: '% finished for nobody', digits: 1 },
  { key: 'recovery', title: 's to recover', digits: 0 },
  { key: 'success', title: 'success % after it', digits: 1 },
]

interface Run {
  readonly recorder: Recorder
  readonly instances: readonly Instance[]
  /** Work under way or waiting in all applications, second by second. */
  readonly held: readonly number[]
  longest: Millis
}

export const cascade: Scenario = {
  name: 'cascade',
  title: 'a -> b -> c -> d, and d stands still',
  run(seed, seconds): Finding {
    const span = troubleOf(seconds, 'd answers nothing')
    const runs = WAYS.map((way) => ({ way, run: run(seed, seconds, way, span) }))
    const variants = runs.map(({ way, run }) => ({ name: way.name, figures: figures(run, span) }))
    return {
      ...{ name: this.name, title: this.title, about: ABOUT, metrics: METRICS, variants },
      charts: [
        {
          ...{ title: 'success', unit: '%', scale: 'linear' },
          lines: runs.map(({ way: { name }, run: { recorder } }) => ({
            name,
            values: recorder.each((from, to) => 100 * recorder.success(from, to)),
          })),
        },
        {
          ...{ title: 'requests that applications hold', unit: '', scale: 'log' },
          lines: runs.map(({ way: { name }, run: { held } }) => ({ name, values: held })),
        },
      ],
      spans: [span],
      verdicts: judge(variants),
    }
  },
}

const ABOUT =
  `Four services with ${WORKERS} workers each and ${MEAN} ms of work of their own, ${RATE} requests/s, clients that ` +
  `leave after ${PATIENCE / 1000} s. An application knows nothing of clients that have left; it copies its ` +
  'request’s deadline field, or its traceparent, or nothing.'

function run(seed: number, seconds: number, way: Way, span: Span): Run {
  const world = new SimulatedWorld(seed)
  const result = { longest: 0 }
  const waited = (time: Millis): void => {
    result.longest = Math.max(result.longest, time)
  }
  const instances: Instance[] = []
  let next: string | undefined
  for (const name of SERVICES) {
    instances.push(addService(world, name, next, way, waited))
    next = name
  }
  const host = `${next}.default`
  const calls = world.sidecar('client').callsTo(host, PORT)
  const recorder = new Recorder(seconds)
  const held: number[] = []
  world.clock.every(1000, () => {
    if (held.length >= seconds) return
    held.push(instances.reduce((sum, { busy, waiting }) => sum + busy + waiting, 0))
  })
  world.at(span.from, () => instances[0]?.become('stalled'))
  world.at(span.to, () => instances[0]?.become('healthy'))
  const load = {
    ...{ rate: RATE, host, methods: ['GET'], patience: [PATIENCE], hangsUp: true },
    ...{ tells: false, traced: way.passing === 'trace' },
  }
  const end = seconds * 1000
  sendLoad(world.clock, calls, load, world.stream('arrivals'), recorder, end)
  world.run(seconds)
  return { recorder, instances, held, longest: result.longest }
}

/** One service: an application in one pod, which calls `next` if there is one. */
function addService(
  world: SimulatedWorld,
  name: string,
  next: string | undefined,
  way: Way,
  waited: (time: Millis) => void,
): Instance {
  const sidecar = world.sidecar(name)
  const host = `${next ?? ''}.default`
  const rules = {
    ...{ workers: WORKERS, queue: QUEUE, distance: WITHIN_POD, honoursCancellation: false },
    service: lognormal(MEAN, SCATTER, world.stream(name)),
  }
  const handler =
    next === undefined
      ? {}
      : { handler: new NextCall(sidecar.callsTo(host, PORT), host, way.passing, waited) }
  const instance = world.instance(name, { ...rules, ...handler })
  const application = world.place(instance)
  const limit = way.isAdmitting ? WORKERS : undefined
  const pod = new Pod(sidecar, application, BETWEEN_PODS, limit)
  world.service(name, [world.place(pod)], policyOf(way, name))
  return instance
}

function policyOf({ timeout }: Way, name: string): Policy {
  const isFirst = name === SERVICES[SERVICES.length - 1]
  const request = timeout === 'each' || (timeout === 'first' && isFirst) ? PATIENCE : 0
  const retries = { ...DEFAULT_RULES.retries, attempts: 0 }
  return {
    rules: { ...DEFAULT_RULES, timeouts: { ...DEFAULT_RULES.timeouts, request }, retries },
  }
}

function figures({ recorder, instances, longest }: Run, { to }: Span): Variant['figures'] {
  const end = recorder.length
  const sum = (value: (instance: Instance) => number): number =>
    instances.reduce((total, instance) => total + value(instance), 0)
  const begun = sum(({ counts }) => counts.executed)
  return {
    longest: longest / 1000,
    late: (100 * sum(({ counts }) => counts.late)) / begun,
    wasted: (100 * sum(({ counts }) => counts.wasted)) / begun,
    recovery: timeUntil(to, end, STAYS, (at) => recorder.success(at, at + 1) >= 0.99),
    success: 100 * recorder.success(to, end),
  }
}

function judge(variants: readonly Variant[]): Finding['verdicts'] {
  const nothing = figureOf(variants, 'nothing', 'longest')
  return [
    atLeast('nothing: longest wait of a hop, s', nothing, 5),
    ...['deadline', 'deadline by trace'].flatMap((name) => [
      atMost(`${name}: longest wait of a hop, s`, figureOf(variants, name, 'longest'), 2.1),
      // What an application was sent before it stood still it finds when it goes on, and what it was probed with.
      atMost(`${name}: % begun after their time`, figureOf(variants, name, 'late'), 0.5),
      atMost(`${name}: s to recover`, figureOf(variants, name, 'recovery'), 2),
    ]),
  ]
}
