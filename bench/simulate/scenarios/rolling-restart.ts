// Every instance is restarted, one after the other, as a deployment without any grace does it: what clients see.

import { DEFAULT_OUTLIER, DEFAULT_RULES } from '../../../src/api/resources.ts'
import {
  atLeast,
  atMost,
  type Finding,
  figureOf,
  type Metric,
  type Scenario,
  type Span,
  type Variant,
} from '../finding.ts'
import { type Fleet, type FleetRules, linesOf, runFleet } from '../fleet.ts'
import type { Policy } from '../world.ts'

const INSTANCES = 5
const WORKERS = 16
const MEAN = 10
const RATE = 1000
/** Seconds that nobody listens, and that 503 is answered before it is ready. */
const DOWN = 1
const STARTING = 1

const RETRIED: Policy = {
  rules: {
    ...DEFAULT_RULES,
    retries: {
      ...DEFAULT_RULES.retries,
      on: ['connect-failure', 'reset', 'refused-stream', 'gateway-error'],
      methods: ['GET', 'PUT'],
    },
  },
  outlier: DEFAULT_OUTLIER,
}
const VARIANTS: readonly (readonly [name: string, policy: Policy])[] = [
  ['no retries', {}],
  ['retries, breaker', RETRIED],
]

const METRICS: readonly Metric[] = [
  { key: 'failures', title: 'failures', digits: 0 },
  { key: 'requests', title: 'requests', digits: 0 },
  { key: 'p99', title: 'p99 ms meanwhile', digits: 1 },
]

export const rollingRestart: Scenario = {
  name: 'rolling-restart',
  title: 'every instance is restarted, one after the other',
  run(seed, seconds): Finding {
    const from = Math.round(seconds / 6)
    const pause = Math.floor((seconds - 2 * from) / INSTANCES)
    const span = { from, to: from + pause * INSTANCES, title: 'restarts' }
    const fleets = VARIANTS.map(([name, policy]) => ({
      name,
      fleet: run(seed, seconds, policy, span, pause),
    }))
    const variants = fleets.map(({ name, fleet }) => ({ name, figures: figures(fleet, span) }))
    return {
      ...{ name: this.name, title: this.title, about: ABOUT, metrics: METRICS, variants },
      charts: [
        {
          ...{ title: 'failures', unit: '/s', scale: 'linear' },
          lines: linesOf(fleets, ({ recorder }) =>
            recorder.each((a, b) => recorder.count(a, b) - recorder.good(a, b)),
          ),
        },
      ],
      spans: [span],
      verdicts: [
        atLeast('no retries: failures', figureOf(variants, 'no retries', 'failures'), 1),
        atMost('retries, breaker: failures', figureOf(variants, 'retries, breaker', 'failures'), 0),
      ],
    }
  },
}

const ABOUT =
  `${INSTANCES} instances with ${WORKERS} workers and ${MEAN} ms a request, ${RATE} requests/s, half of them PUT. ` +
  `Each is killed, is not there for ${DOWN} s, and answers 503 for ${STARTING} s until it is ready.`

function run(seed: number, seconds: number, policy: Policy, span: Span, pause: number): Fleet {
  const rules: FleetRules = {
    ...{ instances: INSTANCES, workers: WORKERS, queue: 1000, mean: MEAN },
    ...{ honoursCancellation: false, policy },
    load: {
      ...{ rate: RATE, methods: ['GET', 'PUT'], patience: [2000] },
      ...{ hangsUp: true, tells: false, traced: false },
    },
  }
  return runFleet(seed, seconds, rules, (world, instances) => {
    for (const [at, instance] of instances.entries()) {
      const begins = span.from + at * pause
      world.at(begins, () => {
        instance.become('dead')
      })
      world.at(begins + DOWN, () => {
        instance.become('failing')
      })
      world.at(begins + DOWN + STARTING, () => {
        instance.become('healthy')
      })
    }
  })
}

function figures({ recorder }: Fleet, { from, to }: Span): Variant['figures'] {
  const end = recorder.length
  const requests = recorder.count(0, end)
  return {
    failures: requests - recorder.good(0, end),
    requests,
    p99: recorder.percentile(99, from, to),
  }
}
