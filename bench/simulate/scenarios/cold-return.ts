// An instance comes back with cold caches, and its full share of the requests waits for it: what slow start changes.

import { DEFAULT_OUTLIER } from '../../../src/api/resources.ts'
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

const INSTANCES = 4
const WORKERS = 8
const MEAN = 10
/** Half of what all of them can do. */
const RATE = (0.5 * INSTANCES * WORKERS * 1000) / MEAN
/** Its first request takes ten times as long; after two seconds the excess is a third of that. */
const COLDNESS = 9
const WARMTH = 2000
const SLOW_START = 10_000
/** More than this is slow: ten times the mean. */
const LIMIT = 100
const PATIENCE = 1000

const VARIANTS: readonly (readonly [name: string, slowStart: number])[] = [
  ['at once', 0],
  ['slow start', SLOW_START],
]

const METRICS: readonly Metric[] = [
  { key: 'slow', title: `requests over ${LIMIT} ms, of 1000`, digits: 2 },
  { key: 'failures', title: `not within ${PATIENCE} ms`, digits: 0 },
  { key: 'worst', title: 'worst p99 ms of a second', digits: 1 },
  { key: 'back', title: '% of requests at the end', digits: 1 },
]

export const coldReturn: Scenario = {
  name: 'cold-return',
  title: 'an instance comes back cold',
  run(seed, seconds): Finding {
    const from = Math.round(seconds / 6)
    const span = { from, to: from + 3, title: 'one instance answers 503' }
    const fleets = VARIANTS.map(([name, slowStart]) => ({
      name,
      fleet: run(seed, seconds, slowStart, span),
    }))
    const variants = fleets.map(({ name, fleet }) => ({ name, figures: figures(fleet, span) }))
    const slow = fleets.map(({ name }) => figureOf(variants, name, 'slow'))
    return {
      ...{ name: this.name, title: this.title, about: ABOUT, metrics: METRICS, variants },
      charts: [
        {
          ...{ title: 'p99', unit: 'ms', scale: 'log' },
          lines: linesOf(fleets, ({ recorder }) =>
            recorder.each((a, b) => recorder.percentile(99, a, b)),
          ),
        },
        {
          ...{ title: 'requests that reach it', unit: '/s', scale: 'linear' },
          lines: linesOf(fleets, ({ received }) => received[0] ?? []),
        },
      ],
      spans: [span],
      verdicts: [
        atMost(
          'slow start: slow requests, of those at once',
          (slow[1] ?? NaN) / (slow[0] ?? NaN),
          0.2,
        ),
        atMost(
          `slow start: requests not answered within ${PATIENCE} ms after the return`,
          figureOf(variants, 'slow start', 'failures'),
          0,
        ),
        atLeast(
          'slow start: % of requests at it in the end',
          figureOf(variants, 'slow start', 'back'),
          20,
        ),
      ],
    }
  },
}

const ABOUT =
  `${INSTANCES} instances with ${WORKERS} workers and ${MEAN} ms a request, roundRobin, ${RATE} requests/s (50 % ` +
  `load). One fails for 3 s, is ejected, and comes back ${COLDNESS + 1} times slower, which wears off in seconds.`

function run(seed: number, seconds: number, slowStart: number, span: Span): Fleet {
  const rules: FleetRules = {
    ...{ instances: INSTANCES, workers: WORKERS, queue: 10_000, mean: MEAN },
    honoursCancellation: false,
    policy: {
      loadBalancer: { algorithm: 'roundRobin', affinity: { kind: 'none' } },
      outlier: { ...DEFAULT_OUTLIER, slowStart },
    },
    load: {
      ...{ rate: RATE, methods: ['GET'], patience: [PATIENCE] },
      ...{ hangsUp: false, tells: false, traced: false },
    },
  }
  return runFleet(seed, seconds, rules, (world, [cold]) => {
    world.at(span.from, () => cold?.become('failing'))
    world.at(span.to, () => {
      cold?.coolDown(COLDNESS, WARMTH)
      cold?.become('healthy')
    })
  })
}

function figures({ recorder, received }: Fleet, { to }: Span): Variant['figures'] {
  const end = recorder.length
  const count = recorder.count(to, end)
  const seconds = Array.from({ length: end - to }, (_, at) => to + at)
  const last = received.map((line) => line[end - 1] ?? 0)
  return {
    slow: (1000 * recorder.slower(LIMIT, to, end)) / count,
    failures: count - recorder.good(to, end),
    worst: Math.max(...seconds.map((at) => recorder.percentile(99, at, at + 1))),
    back: (100 * (last[0] ?? 0)) / last.reduce((sum, value) => sum + value, 0),
  }
}
