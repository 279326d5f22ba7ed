// One of five instances becomes fifty times slower and says nothing of it: how long clients feel that, under three
// ways of balancing, without and with a breaker that knows slow from fast.

import { type Algorithm, DEFAULT_OUTLIER, type Outlier } from '../../../src/api/resources.ts'
import {
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
import { type Fleet, type FleetRules, linesOf, rateAt, runFleet, together } from '../fleet.ts'

const INSTANCES = 5
const WORKERS = 16
const MEAN = 10
const RATE = 2000
const SLOWER = 50
/** Of the 99th percentile of before: what counts as well again, and for how long. */
const TOLERANCE = 1.5
const STAYS = 3

const BREAKER: Outlier = { ...DEFAULT_OUTLIER, slowerThanPeers: 5 }
const ALGORITHMS: readonly Algorithm[] = ['roundRobin', 'leastRequest', 'peakEwma']
const VARIANTS: readonly (readonly [
  name: string,
  algorithm: Algorithm,
  outlier: Outlier | undefined,
])[] = [
  ...ALGORITHMS.map((algorithm) => [algorithm, algorithm, undefined] as const),
  ...ALGORITHMS.map((algorithm) => [`${algorithm}, breaker`, algorithm, BREAKER] as const),
]

const METRICS: readonly Metric[] = [
  { key: 'healthy', title: 'p99 ms before', digits: 1 },
  { key: 'slow', title: 'p99 ms meanwhile', digits: 1 },
  { key: 'until', title: 's until p99 is well', digits: 0 },
  { key: 'well', title: '% of seconds well', digits: 0 },
  { key: 'share', title: '% of tries at the slow one', digits: 2 },
]

export const slowInstance: Scenario = {
  name: 'slow-instance',
  title: `one of five instances becomes ${SLOWER} times slower`,
  run(seed, seconds): Finding {
    const span = troubleOf(seconds, `one instance is ${SLOWER} times slower`)
    const fleets = VARIANTS.map(([name, algorithm, outlier]) => ({
      name,
      fleet: run(seed, seconds, algorithm, outlier, span),
    }))
    const variants = fleets.map(({ name, fleet }) => ({ name, figures: figures(fleet, span) }))
    return {
      ...{ name: this.name, title: this.title, about: ABOUT, metrics: METRICS, variants },
      charts: [
        {
          ...{ title: 'p99', unit: 'ms', scale: 'log' },
          lines: linesOf(fleets, ({ recorder }) =>
            recorder.each((from, to) => recorder.percentile(99, from, to)),
          ),
        },
      ],
      spans: [span],
      verdicts: ALGORITHMS.map((algorithm) =>
        atMost(
          `${algorithm}, breaker: s until p99 is within ${TOLERANCE} of before`,
          figureOf(variants, `${algorithm}, breaker`, 'until'),
          5,
        ),
      ),
    }
  },
}

const ABOUT =
  `${INSTANCES} instances with ${WORKERS} workers and ${MEAN} ms a request, ${RATE} requests/s (25 % load), ` +
  `no retries. Well is a second whose p99 is within ${TOLERANCE} of before, and that ${STAYS} s long.`

function run(
  seed: number,
  seconds: number,
  algorithm: Algorithm,
  outlier: Outlier | undefined,
  span: Span,
): Fleet {
  const rules: FleetRules = {
    ...{ instances: INSTANCES, workers: WORKERS, queue: 10_000, mean: MEAN },
    honoursCancellation: false,
    policy: { loadBalancer: { algorithm, affinity: { kind: 'none' } }, outlier },
    load: {
      ...{ rate: RATE, methods: ['GET'], patience: [Number.POSITIVE_INFINITY] },
      ...{ hangsUp: false, tells: false, traced: false },
    },
  }
  return runFleet(seed, seconds, rules, (world, [slow]) => {
    world.at(span.from, () => slow?.slowDown(SLOWER))
    world.at(span.to, () => slow?.slowDown(1))
  })
}

function figures({ recorder, received }: Fleet, { from, to }: Span): Variant['figures'] {
  const healthy = recorder.percentile(99, 1, from)
  const isWell = (second: number): boolean =>
    recorder.percentile(99, second, second + 1) <= TOLERANCE * healthy
  const seconds = Array.from({ length: to - from }, (_, at) => from + at)
  return {
    healthy,
    slow: recorder.percentile(99, from, to),
    until: timeUntil(from, to, STAYS, isWell),
    well: (100 * seconds.filter(isWell).length) / seconds.length,
    share: (100 * rateAt(received[0], from, to)) / rateAt(together(received), from, to),
  }
}
