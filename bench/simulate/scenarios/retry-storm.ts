// One of three instances fails everything at once: what retries make of that, without and with a budget and a breaker.

import {
  DEFAULT_OUTLIER,
  DEFAULT_RETRY_BUDGET,
  DEFAULT_RULES,
  type RetryBudget,
} from '../../../src/api/resources.ts'
import {
  atLeast,
  atMost,
  type Finding,
  figureOf,
  type Metric,
  type Scenario,
  type Span,
  troubleOf,
  type Variant,
} from '../finding.ts'
import { type Fleet, type FleetRules, linesOf, rateAt, runFleet, together } from '../fleet.ts'
import type { Policy } from '../world.ts'

const INSTANCES = 3
const WORKERS = 4
const MEAN = 10
const CAPACITY = (WORKERS * 1000) / MEAN
const RATE = Math.round(0.7 * INSTANCES * CAPACITY)
const PER_TRY = 300
const PATIENCE = 2000
/** About 65 ms of waiting at two instances: what comes on top is turned away by the caller's own sidecar. */
const MOST_AT_ONCE = 60
const UNLIMITED: RetryBudget = { percent: 100, minPerSecond: 1_000_000, window: 10_000 }

function policyWith(attempts: number, retryBudget: RetryBudget): Policy {
  return {
    rules: {
      ...DEFAULT_RULES,
      timeouts: { ...DEFAULT_RULES.timeouts, perTry: PER_TRY },
      retries: {
        ...DEFAULT_RULES.retries,
        attempts,
        on: ['connect-failure', 'reset', 'per-try-timeout', 'gateway-error'],
      },
    },
    retryBudget,
  }
}

const VARIANTS: readonly (readonly [name: string, policy: Policy])[] = [
  ['no retries', policyWith(0, DEFAULT_RETRY_BUDGET)],
  ['naive retries', policyWith(3, UNLIMITED)],
  ['budget', policyWith(3, DEFAULT_RETRY_BUDGET)],
  [
    'budget, breaker',
    { ...policyWith(3, DEFAULT_RETRY_BUDGET), outlier: DEFAULT_OUTLIER, maxRequests: MOST_AT_ONCE },
  ],
]

const METRICS: readonly Metric[] = [
  { key: 'success', title: 'success %', digits: 1 },
  { key: 'after', title: 'success % once it is cured', digits: 1 },
  { key: 'load', title: 'load on the well ones, of before', digits: 2 },
  { key: 'share', title: 'tries that the sick one gets, %', digits: 1 },
]

export const retryStorm: Scenario = {
  name: 'retry-storm',
  title: 'one of three instances fails everything',
  run(seed, seconds): Finding {
    const span = troubleOf(seconds, 'one instance answers 503')
    const fleets = VARIANTS.map(([name, policy]) => ({
      name,
      fleet: run(seed, seconds, policy, span),
    }))
    const variants = fleets.map(({ name, fleet }) => ({ name, figures: figures(fleet, span) }))
    return {
      ...{ name: this.name, title: this.title, about: ABOUT, metrics: METRICS, variants },
      charts: [
        {
          ...{ title: 'success', unit: '%', scale: 'linear' },
          lines: linesOf(fleets, ({ recorder }) =>
            recorder.each((from, to) => 100 * recorder.success(from, to)),
          ),
        },
        {
          ...{ title: 'requests that reach the two well ones', unit: '/s', scale: 'linear' },
          lines: linesOf(fleets, ({ received }) => together(received.slice(1))),
        },
      ],
      spans: [span],
      verdicts: judge(variants),
    }
  },
}

const ABOUT =
  `${INSTANCES} instances with ${WORKERS} workers and ${MEAN} ms a request, ${RATE} requests/s (70 % load), ` +
  `leastRequest, ${PER_TRY} ms a try, up to 3 retries. Instances work on what was given up; ` +
  'two of them alone are loaded to 105 %.'

function run(seed: number, seconds: number, policy: Policy, span: Span): Fleet {
  const rules: FleetRules = {
    ...{ instances: INSTANCES, workers: WORKERS, queue: 1000, mean: MEAN },
    ...{ honoursCancellation: false, policy },
    load: {
      ...{ rate: RATE, methods: ['GET'], patience: [PATIENCE] },
      ...{ hangsUp: true, tells: false, traced: false },
    },
  }
  return runFleet(seed, seconds, rules, (world, [sick]) => {
    world.at(span.from, () => sick?.become('failing'))
    world.at(span.to, () => sick?.become('healthy'))
  })
}

function figures({ recorder, received }: Fleet, { from, to }: Span): Variant['figures'] {
  const [sick, ...well] = received
  const all = rateAt(together(received), from, to)
  // The first second, when queues and pools are empty, is like no other.
  const before = rateAt(together(well), 1, from)
  const settled = to + Math.round((recorder.length - to) / 2)
  return {
    success: 100 * recorder.success(from, to),
    after: 100 * recorder.success(settled, recorder.length),
    load: rateAt(together(well), from, to) / before,
    share: (100 * rateAt(sick, from, to)) / all,
  }
}

function judge(variants: readonly Variant[]): Finding['verdicts'] {
  const of = (name: string, key: string): number => figureOf(variants, name, key)
  return [
    atLeast('naive retries: load on the well ones, of before', of('naive retries', 'load'), 2),
    atMost('budget: load on the well ones, of before', of('budget', 'load'), 1.2),
    atLeast('budget: success % once it is cured', of('budget', 'after'), 99),
    atMost('budget, breaker: % of tries at the sick one', of('budget, breaker', 'share'), 2),
    atLeast('budget, breaker: success %', of('budget, breaker', 'success'), 90),
    atLeast('budget, breaker: success % once it is cured', of('budget, breaker', 'after'), 99),
  ]
}
