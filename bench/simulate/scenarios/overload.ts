// Half as much again as an application can do comes to it, all the time: how much of what it does is of use to anybody.

import { DEFAULT_RULES } from '../../../src/api/resources.ts'
import { lognormal } from '../chance.ts'
import { sendLoad } from '../client.ts'
import {
  atLeast,
  type Finding,
  figureOf,
  type Metric,
  type Scenario,
  type Span,
  type Variant,
} from '../finding.ts'
import { SCATTER } from '../fleet.ts'
import { Instance } from '../instance.ts'
import { Pod } from '../pod.ts'
import { Recorder } from '../recorder.ts'
import { BETWEEN_PODS, PORT, SimulatedWorld, WITHIN_POD } from '../world.ts'

const WORKERS = 8
const MEAN = 10
const CAPACITY = Instance.capacity(WORKERS, MEAN)
const RATE = 1.5 * CAPACITY
const QUEUE = 1000
/** Clients are of three kinds. */
const PATIENCE = [100, 300, 1000]
const SERVICE = 'shop'

interface Way {
  readonly name: string
  /** The client's deadline travels with its request. */
  readonly tells: boolean
  readonly limit: number | undefined
}

const WAYS: readonly Way[] = [
  { name: 'first come, first served', tells: false, limit: undefined },
  { name: 'deadlines', tells: true, limit: undefined },
  { name: 'deadlines, admission', tells: true, limit: WORKERS },
]

const METRICS: readonly Metric[] = [
  { key: 'goodput', title: 'goodput, % of capacity', digits: 1 },
  { key: 'success', title: 'success %', digits: 1 },
  { key: 'late', title: 'begun after their time, %', digits: 1 },
  { key: 'wasted', title: 'finished for nobody, %', digits: 1 },
]

interface Run {
  readonly recorder: Recorder
  readonly instance: Instance
}

export const overload: Scenario = {
  name: 'overload',
  title: 'an application at 150 %',
  run(seed, seconds): Finding {
    const span = { from: 0, to: seconds, title: '150 %' }
    const runs = WAYS.map((way) => ({ way, run: run(seed, seconds, way) }))
    const variants = runs.map(({ way, run }) => ({ name: way.name, figures: figures(run, span) }))
    const goodput = (at: number): number => figureOf(variants, WAYS[at]?.name ?? '', 'goodput')
    return {
      ...{ name: this.name, title: this.title, about: ABOUT, metrics: METRICS, variants },
      charts: [
        {
          ...{ title: 'answers within their time', unit: '/s', scale: 'linear' },
          lines: runs.map(({ way: { name }, run: { recorder } }) => ({
            name,
            values: recorder.each((from, to) => recorder.good(from, to)),
          })),
        },
      ],
      spans: [span],
      verdicts: [
        atLeast('deadlines, admission: goodput, % of capacity', goodput(2), 75),
        atLeast(
          'deadlines, admission: goodput, of first come, first served',
          goodput(2) / goodput(0),
          3,
        ),
      ],
    }
  },
}

const ABOUT =
  `${WORKERS} workers, ${MEAN} ms a request, a queue of ${QUEUE}, ${RATE} requests/s. A third of the clients each ` +
  `waits for ${PATIENCE.join(', ')} ms. The application knows nothing of clients that have left.`

function run(seed: number, seconds: number, { tells, limit }: Way): Run {
  const world = new SimulatedWorld(seed)
  const instance = world.instance(SERVICE, {
    ...{ workers: WORKERS, queue: QUEUE, distance: WITHIN_POD, honoursCancellation: false },
    service: lognormal(MEAN, SCATTER, world.stream(SERVICE)),
  })
  const application = world.place(instance)
  const pod = new Pod(world.sidecar(SERVICE), application, BETWEEN_PODS, limit)
  const retries = { ...DEFAULT_RULES.retries, attempts: 0 }
  world.service(SERVICE, [world.place(pod)], { rules: { ...DEFAULT_RULES, retries } })
  const host = `${SERVICE}.default`
  const calls = world.sidecar('client').callsTo(host, PORT)
  const recorder = new Recorder(seconds)
  const load = {
    ...{ rate: RATE, host, methods: ['GET'], patience: PATIENCE },
    ...{ hangsUp: true, tells, traced: false },
  }
  const end = seconds * 1000
  sendLoad(world.clock, calls, load, world.stream('arrivals'), recorder, end)
  world.run(seconds)
  return { recorder, instance }
}

function figures({ recorder, instance: { counts } }: Run, { from, to }: Span): Variant['figures'] {
  return {
    goodput: (100 * recorder.good(from, to)) / (to - from) / CAPACITY,
    success: 100 * recorder.success(from, to),
    late: (100 * counts.late) / counts.executed,
    wasted: (100 * counts.wasted) / counts.executed,
  }
}
